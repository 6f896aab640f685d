"""What a check costs beside a process that only imports pydantic, PyYAML and pynvml: ratios, in one run.

Compared is the processor time, user and system, of two fresh processes from start to exit:

- `python -m safedata check --quiet SPEC`, the command as it is: it parses the command line, reads, types and
  bounds the spec, looks at this machine's memory and prints the verdict. It loads pynvml only for a spec with
  a budget for GPUs, which the small one has not; it lets pydantic load no plugins and collects no garbage.
- `python -c` with imports and nothing else. `from pydantic import BaseModel; import yaml, pynvml` loads the
  part of pydantic that defines models, yet defines none; it is what the limit of 1.3 is held against, since
  whoever imports pydantic means to define models. `import pydantic, yaml, pynvml` loads less: pydantic
  imports its parts when they are asked for.

Both have their modules compiled beforehand. Each pair runs one after the other, so that a machine whose speed
drifts shifts both; the ratio is the median over the pairs.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
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
    """Return the processor time of one run, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
        print(
            f"check of quickstart.yaml: {ours * 1000:.0f} ms; of that reading headers: {reading * 1000:.0f} ms"
        )
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
