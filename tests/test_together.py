"""Several specs in one process: the sum, who holds it, the tightest limit, and a way out that was tried."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import allocator
from safedata.machine import tensorflow_footprint
from safedata.memory import GIB, MIB

SPEC = """\
safedata: 1
params: {{{params}}}
source: {{synthetic: {{components: {{image: "float32[64, 64, 3]"}}, count: 100000}}}}
steps:
  - shuffle: {shuffle}
  - batch: {batch}
budget: {budget}
targets:
  box: {{host: 4GiB, disk: 10GiB, cpus: 4}}
"""


def spec(
    folder: Path, name: str, shuffle: object = 1000, batch: object = 32, budget: str = "{}", params: str = ""
) -> str:
    """Write a spec and return its path."""
    path = folder / f"{name}.yaml"
    text = SPEC.format(params=params, shuffle=shuffle, batch=batch, budget=budget)
    path.write_text(text.replace("params: {}\n", ""), encoding="utf-8")
    return str(path)


def pair(folder: Path, **options: Any) -> list[str]:
    """Write `train.yaml` and a smaller `val.yaml`; return their paths."""
    return [spec(folder, "train", **options), spec(folder, "val", shuffle=500)]


def only(together: Any) -> Any:
    [problem] = [one for one in together.problems if one.severity == "error"]
    return problem


def only_sum(together: Any) -> Any:
    [problem] = [one for one in together.problems if "specs together" in one.message]
    return problem


def sum_of(specs: list[str]) -> int:
    found = safedata.check_together(specs, target="box").places["host"].verdict.bytes
    assert found is not None
    return found


def test_tensorflow_is_counted_once_and_all_else_added(tmp_path: Path) -> None:
    """The sum is that of the specs alone, less TensorFlow once, and the shares add up to it."""
    specs = pair(tmp_path)
    alone = [safedata.check(one, target="box").places["host"].bytes for one in specs]
    host = safedata.check_together(specs, target="box").places["host"]
    tensorflow = tensorflow_footprint(4).bytes
    assert None not in (*alone, tensorflow)
    assert [hold.bytes for hold in host.once] == [tensorflow]
    assert host.verdict.bytes == sum(alone) - tensorflow  # type: ignore[arg-type,operator]  # none is None
    assert host.verdict.bytes == tensorflow + sum(host.each)  # type: ignore[arg-type,operator]  # as above


def test_tensorflow_as_measured_here_is_counted_once_too(tmp_path: Path) -> None:
    """On this machine too, measured or not, TensorFlow is in the sum exactly once."""
    host = safedata.check_together(pair(tmp_path)).places["host"]
    assert [hold.why.partition(":")[0] for hold in host.once] == ["TensorFlow itself"]


def test_specs_that_fit_alone_may_not_fit_together(tmp_path: Path) -> None:
    """Each fits a machine that the two do not fit together, and the message has their sum."""
    specs = pair(tmp_path)
    alone = [safedata.check(one, target="box").places["host"].bytes for one in specs]
    limit = max(one for one in alone if one is not None) + MIB
    assert all(safedata.check(one, host=limit).fits for one in specs)
    problem = only(safedata.check_together(specs, host=limit, target="box"))
    assert problem.code == "SD301"
    assert re.match(
        r"peak host memory of 2 specs together, \d+\.\d\d \wiB, is over the budget", problem.message
    )
    assert "counted once: TensorFlow itself" in " ".join(problem.notes)


def test_an_error_has_labels_in_each_file_the_largest_share_first(tmp_path: Path) -> None:
    """The place is in the spec that holds most, and the other one has a label too."""
    problem = only_sum(safedata.check_together(pair(tmp_path)[::-1], host="700MiB", target="box"))
    assert problem.span.file.endswith("train.yaml")
    assert any(label.span.file.endswith("val.yaml") for label in problem.labels)


def test_a_way_out_fits_and_the_next_number_does_not(tmp_path: Path) -> None:
    """Each number that is offered for one spec fits with the others as they are; one more does not."""
    limit = sum_of(pair(tmp_path, batch=100)) - 8 * MIB
    problem = only_sum(safedata.check_together(pair(tmp_path, batch=100), host=limit, target="box"))
    offered = re.search(r"in `train.yaml` .*?`shuffle: (\d+)` fits", problem.help)
    assert offered
    for value, fits in ((int(offered[1]), True), (int(offered[1]) + 1, False)):
        specs = pair(tmp_path, batch=100, shuffle=value)
        assert safedata.check_together(specs, host=limit, target="box").fits is fits


def test_the_ways_out_are_data_too(tmp_path: Path) -> None:
    """`fixes` has each change with its spec, and with it made the peak of all is the one that it says."""
    limit = sum_of(pair(tmp_path, batch=100)) - 8 * MIB
    problem = only_sum(safedata.check_together(pair(tmp_path, batch=100), host=limit, target="box"))
    assert problem.fixes
    assert problem.help.startswith(problem.fixes[0].text)
    for fix in problem.fixes:
        assert fix.peaks["host"] <= limit
        number = re.fullmatch(r"in `train.yaml` `(shuffle|batch): (\d+)`", fix.text)
        if number:
            assert fix.spec.endswith("train.yaml")
            assert sum_of(pair(tmp_path, **{"batch": 100, number[1]: int(number[2])})) == fix.peaks["host"]
    assert {fix.text.split("`")[1] for fix in problem.fixes} == {"train.yaml", "val.yaml"}


def test_where_no_number_helps_it_is_said(tmp_path: Path) -> None:
    """A machine smaller than TensorFlow has no numbers to offer."""
    together = safedata.check_together(pair(tmp_path), host="300MiB", target="box")
    assert only_sum(together).help == (
        "no number in one of them alone makes them fit: run them in processes of their own, one at a time"
    )


def test_the_tightest_limit_holds(tmp_path: Path) -> None:
    """The sum is held against the smallest of the specs' budgets, and the note says whose it is."""
    specs = pair(tmp_path, budget="{host: 50%, reserve: {host: 1GiB}}")
    assert safedata.check_together(specs, target="box").places["host"].verdict.limit == 3 * GIB // 2
    small = [spec(tmp_path, "small", budget="{host: 700MiB}"), *specs]
    together = safedata.check_together(small, target="box")
    assert together.places["host"].verdict.limit == 700 * MIB
    assert "the tightest limit is that of `small.yaml`" in only_sum(together).notes


def test_parameters_go_to_the_specs_that_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter of one spec changes that one only; one that none has is an error, with the near name."""
    monkeypatch.setattr(allocator, "settled", lambda: False)  # which all specs of a process share
    train = spec(tmp_path, "train", shuffle='"${buffer}"', params="buffer: 100")
    specs = [train, spec(tmp_path, "val")]
    few, many = (
        safedata.check_together(specs, target="box", buffer=n).places["host"].each for n in (10, 5000)
    )
    assert few[1] == many[1]
    assert few[0] is not None
    assert many[0] is not None
    assert few[0] < many[0]
    wrong = safedata.check_together(specs, target="box", bufer=3)
    assert only(wrong).message == "none of the specs has a parameter `bufer` to set"
    assert only(wrong).help == "did you mean `buffer`?"
    assert not wrong.fits


def test_a_broken_spec_leaves_no_sum(tmp_path: Path) -> None:
    """Where one spec cannot be typed there is no sum, and its own problem is all that is said."""
    specs = [*pair(tmp_path), str(tmp_path / "gone.yaml")]
    together = safedata.check_together(specs, target="box", nothing=1)
    assert not together.fits
    assert together.places == {}
    assert only(together).code == "SD401"


def test_more_than_two_specs_add_up(tmp_path: Path) -> None:
    """The sum never falls when a spec is added, and the order of specs does not change it."""
    specs = [spec(tmp_path, name, shuffle=100 * (1 + len(name))) for name in ("a", "bb", "ccc")]
    sums = [sum_of(specs[: number + 1]) for number in range(3)]
    assert sums == sorted(sums)
    assert sum_of(specs[::-1]) == sums[-1]


def test_gpus_are_summed_over_the_specs_that_have_them(tmp_path: Path) -> None:
    """A GPU that the specs leave alone has nothing in it, and its limit is still told."""
    together = safedata.check_together(pair(tmp_path), target="box", gpu="24GiB")
    assert list(together.places) == ["host", "gpu:0", "disk"]
    assert together.places["gpu:0"].verdict.bytes == 0
    assert together.places["gpu:0"].verdict.limit


def test_gpu_memory_is_added_and_cuda_counted_once(tmp_path: Path) -> None:
    """Two specs with a map on the GPU hold both their batches there, and one CUDA between them on the host."""
    text = SPEC.format(params="", shuffle=10, batch=32, budget="{}").replace("params: {}\n", "")
    (tmp_path / "gpu.yaml").write_text(
        text.replace("budget:", "  - map: {image: [{cast: float16}]}\n    device: gpu\nbudget:")
    )
    one = str(tmp_path / "gpu.yaml")
    alone = safedata.check(one, target="box", gpu="24GiB").places
    both = safedata.check_together([one, one], target="box", gpu="24GiB").places
    assert alone["gpu:0"].bytes
    assert both["gpu:0"].verdict.bytes == 2 * alone["gpu:0"].bytes
    assert [hold.why.partition(" ")[0] for hold in both["host"].once] == ["TensorFlow", "CUDA's"]


def test_specs_share_one_allocator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs that ask for different allocators are summed with one for both: that with which they hold more."""
    monkeypatch.setattr(allocator, "settled", lambda: None)

    def having(*kinds: str) -> list[str]:
        made = [Path(spec(tmp_path, f"{kind}{number}")) for number, kind in enumerate(kinds)]
        for path, kind in zip(made, kinds, strict=True):
            path.write_text(path.read_text() + f"runtime: {{allocator: {kind}}}\n")
        return [str(path) for path in made]

    pool, system = sum_of(having("pool", "pool")), sum_of(having("system", "system"))
    assert pool != system
    for kinds in (("pool", "system"), ("system", "pool")):
        together = safedata.check_together(having(*kinds), target="box")
        assert together.places["host"].verdict.bytes == max(pool, system)
        assert len({own.plan.scope.pooled for own in together.verdicts if own.plan}) == 1


def test_one_path_is_no_list() -> None:
    """A single path is refused: it would be read as a list of letters."""
    with pytest.raises(ValueError, match="`check_together` takes a list of specs"):
        safedata.check_together("train.yaml")


def test_specs_given_as_text_are_not_mixed_up() -> None:
    """Two texts have one name between them, so no lines are shown for either."""
    one = SPEC.format(params="a: 1", shuffle=10, batch=2, budget="{}")
    together = safedata.check_together([one, one.replace("shuffle: 10", "shuffle: 20")], host="300MiB")
    assert not together.fits
    assert "<text>" not in together.texts


BOTH_ALIVE = """
import json, sys, safedata
from safedata.machine import resident
together = safedata.check_together(sys.argv[1:])
datasets = [safedata.load(one) for one in sys.argv[1:]]
for _ in range(2):
    iterators = [iter(one.take(20)) for one in datasets]
    for _ in range(20):
        for one in iterators:
            next(one)
print(json.dumps([together.places["host"].verdict.bytes, resident().peak]))
"""


@pytest.mark.tf
def test_two_pipelines_alive_at_once_stay_within_their_sum(tmp_path: Path) -> None:
    """A process that takes from both in turn peaks at no more than the sum, and at most a half below it."""
    specs = [spec(tmp_path, "train", shuffle=2000, batch=64), spec(tmp_path, "val", shuffle=1000)]
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", BOTH_ALIVE, *specs],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    estimated, measured = json.loads(done.stdout)
    assert measured <= estimated <= 2 * measured, f"estimated {estimated}, measured {measured}"
