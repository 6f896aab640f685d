"""Makes the files that the cases of `more_sources.yaml` read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

SAVED = """
import tensorflow as tf
def made(index):
    return {"image": tf.cast(tf.fill([96, 96, 3], index % 255), tf.uint8), "label": index}
tf.data.Dataset.range(2000).map(made).save("saved")
"""


def make(folder: Path) -> None:
    """Write Parquet files, a prepared dataset and a saved one into a folder that has `bytes.tfrecord`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(1)
    numbers = {f"x{number}": draw.random(1 << 19) for number in range(10)}
    pq.write_table(pa.table(numbers), folder / "numbers.parquet")
    photos = [path.read_bytes() for path in sorted((folder / "photos").iterdir())]
    rows = {"image": [{"bytes": one} for one in photos * 4], "label": list(range(4 * len(photos)))}
    pq.write_table(pa.table(rows), folder / "photos.parquet", row_group_size=600)
    prepared = folder / "prepared"
    prepared.mkdir()
    (prepared / "toy-train.tfrecord-00000-of-00001").write_bytes((folder / "bytes.tfrecord").read_bytes())
    split = {"name": "train", "shardLengths": ["2000"]}
    info = {"name": "toy", "fileFormat": "tfrecord", "splits": [split]}
    (prepared / "dataset_info.json").write_text(json.dumps(info))
    features = {"data": {"pythonClassName": "Text", "text": {}}}
    (prepared / "features.json").write_text(json.dumps({"featuresDict": {"features": features}}))
    subprocess.run([sys.executable, "-c", SAVED], check=True, cwd=folder, capture_output=True)
