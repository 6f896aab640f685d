"""The same pipeline as it is mostly written: `python by_hand.py FOLDER EPOCHS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any


def pipeline(folder: Path) -> Any:
    """Return batches of 32 photos and labels: what `photos.yaml` beside this file describes."""
    import tensorflow as tf

    names = sorted(folder.glob("*/*.jpg"))
    classes = sorted(one.name for one in folder.iterdir())
    paths, labels = [str(name) for name in names], [classes.index(name.parent.name) for name in names]

    def load(path: Any, label: Any) -> tuple[Any, Any]:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, [224, 224]) / 255.0, label

    data = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths))
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE).cache()
    return data.batch(32).prefetch(tf.data.AUTOTUNE)


def main(folder: str, epochs: int) -> None:
    data = pipeline(Path(folder))
    batches = 0
    for _ in range(epochs):
        for _ in data:
            batches += 1
            time.sleep(0.005)  # the training step
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    sys.stdout.write(f"finished: {epochs} epochs, {batches} batches, peak {peak:.0f} MiB\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
