"""What a check costs beside a process that only imports pydantic, PyYAML and pynvml: ratios, in one run.

Each pair runs both processes one after the other, so that a machine whose speed drifts shifts both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMPORTS = "from pydantic import BaseModel; import yaml, pynvml"
LAZY_IMPORTS = "import pydantic, yaml, pynvml"
SPEC = """\
safedata: 1
source: {range: 1000}
steps:
  - shuffle: 100
  - map:
      value: [{cast: float32}, {reshape: [1]}]
  - batch: 32
  - prefetch: 2
"""
HEADERS = """\
import os, sys
from PIL import Image
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with Image.open(os.path.join(folder, name)) as image:
            image.size
"""


def seconds(command: list[str]) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def pairs(one: list[str], other: list[str], runs: int = 15) -> tuple[float, float, float]:
    """Return the medians of both commands, run in turn, and of their ratio pair by pair."""
    seconds(one), seconds(other)
    taken = [(seconds(one), seconds(other)) for _ in range(runs)]
    ratio = statistics.median(first / second for first, second in taken)
    return statistics.median(t[0] for t in taken), statistics.median(t[1] for t in taken), ratio


def check(spec: Path) -> list[str]:
    """Return the command that checks a spec."""
    return [sys.executable, "-m", "safedata", "check", "--quiet", str(spec)]


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.yaml"
        small.write_text(SPEC)
        for name, code in (("BaseModel", IMPORTS), ("package only", LAZY_IMPORTS)):
            ours, imports, ratio = pairs(check(small), [sys.executable, "-c", code])
            print(f"check of a small spec / importing pydantic ({name}), PyYAML, pynvml: {ratio:.2f}", end="")
            print(f"  ({ours * 1000:.0f} ms / {imports * 1000:.0f} ms)")
        photos = Path(__file__).parents[2] / "specs"
        headers = [sys.executable, "-c", HEADERS, str(photos / "data" / "photos")]
        ours, reading, _ = pairs(check(photos / "quickstart.yaml"), headers, 9)
        print(f"check of quickstart.yaml: {ours * 1000:.0f} ms; of that reading headers: {reading * 1000:.0f} ms")
        long = Path(folder) / "long.yaml"
        long.write_text(SPEC + "".join(f"  - take: {2000 - n}\n" for n in range(1000)))
        print(f"1,000 steps: {statistics.median(seconds(check(long)) for _ in range(3)):.2f} s")
        many = Path(folder) / "many"
        _many_files(many, 100_000)
        listed = Path(folder) / "files.yaml"
        listed.write_text(f"safedata: 1\nsource: {{files: {{path: '{many}/**/*.bin'}}}}\n")
        print(f"100,000 files: {statistics.median(seconds(check(listed)) for _ in range(3)):.2f} s")


def _many_files(folder: Path, count: int) -> None:
    for number in range(count):
        parent = folder / f"{number % 100:02d}"
        if number < 100:
            parent.mkdir(parents=True)
        (parent / f"{number:06d}.bin").write_bytes(b"x")
