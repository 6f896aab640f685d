"""What a check must not load, in fresh processes; and that these tests could fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "numpy", "keras")

SPEC = """\
safedata: 1
source: {range: 1000}
steps:
  - filter: value % 2 == 0
  - shuffle: 100
  - map:
      value: [{cast: float32}]
      twice: = value * 2
  - batch: 32
  - prefetch: 2
"""


def loaded(code: str) -> set[str]:
    """Return which heavy modules are loaded after `code` ran in a fresh process."""
    ask = f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask}"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import safedata` costs no TensorFlow and no NumPy, and not even pydantic."""
    assert loaded("import safedata") == set()
    done = subprocess.run(
        [sys.executable, "-c", "import safedata, sys; print('pydantic' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["quickstart", "seed_c", "photos_tfrecord", "iris_csv", "thumbnails_numpy"])
def test_checking_a_shipped_spec_loads_nothing_heavy(name: str, specs: Path) -> None:
    """A check of real data types, bounds and judges without TensorFlow and NumPy."""
    code = f"import safedata; assert safedata.check({str(specs / name)!r} + '.yaml').fits"
    assert loaded(code) == set()


def test_every_stage_of_a_check_loads_nothing_heavy(tmp_path: Path) -> None:
    """Expressions and operations are typed without TensorFlow and NumPy."""
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    assert loaded(f"import safedata; assert safedata.check({str(path)!r}).fits") == set()


def test_the_test_can_fail() -> None:
    """A module that is loaded is seen."""
    assert loaded("import numpy") == {"numpy"}


def test_a_check_runs_where_tensorflow_is_not_installed(tmp_path: Path) -> None:
    """With TensorFlow and NumPy made impossible to import, a check still answers."""
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    code = (
        "import sys\n"
        f"for name in {HEAVY!r}: sys.modules[name] = None\n"
        f"import safedata; assert safedata.check({str(path)!r}).fits\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_modules_that_a_spec_names_are_loaded(tmp_path: Path) -> None:
    """The vocabulary may grow without a check getting slower: other stages and operations stay unloaded."""
    path = tmp_path / "spec.yaml"
    path.write_text("safedata: 1\nsource: {range: 10}\nsteps: [{take: 5}]\n")
    code = (
        f"import safedata, sys; safedata.check({str(path)!r})\n"
        "print(*[n for n in sys.modules if n.startswith(('safedata.stages.', 'safedata.ops.', 'safedata.sources.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    vocabulary = {name for name in done.stdout.split() if not name.rpartition(".")[2].startswith("_")}
    extra = vocabulary - {"safedata.stages.base", "safedata.sources.base", "safedata.ops.base"}
    assert extra == {"safedata.sources.range", "safedata.stages.take"}


def test_the_command_line_loads_none_of_pydantics_plugins() -> None:
    """A check imports nothing that looks for plugins, and other questions to that module are still answered."""
    code = (
        "import sys\n"
        "from safedata.__main__ import main\n"
        "main(['check', '--quiet', '--', sys.argv[1]])\n"
        "from pydantic.plugin import _loader\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "assert _loader.get_plugins() == ()\n"
        "assert _loader.PYDANTIC_ENTRY_POINT_GROUP == 'pydantic'\n"
        "assert 'importlib.metadata' in sys.modules\n"
    )
    spec = str(Path(__file__).parents[1] / "specs" / "quickstart.yaml")
    subprocess.run([sys.executable, "-c", code, spec], check=True)
