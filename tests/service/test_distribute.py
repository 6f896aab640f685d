"""`distribute`: the same elements from workers, and what it asks of the steps around it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import DataError, StateError
from tests.serving import free_port

from .conftest import Near

FAR = "grpc://dispatcher:5050"


def text(*steps: str, source: str = "{range: 20}", more: str = "") -> str:
    """Return a spec with these steps."""
    lines = "".join(f"  - {step}\n" for step in steps)
    return f"safedata: 1\nsource: {source}\nsteps:\n{lines}{more}"


def pairs(dataset: Any, name: str = "drawn") -> list[tuple[int, float]]:
    """Return each element's number and what was drawn for it, in the order of the numbers."""
    return sorted((int(one["value"]), float(one[name])) for one in dataset.as_numpy_iterator())


def codes(spec: str) -> list[tuple[str, str]]:
    """Return the codes and the severities of a spec's problems, those of its service."""
    found = safedata.check(spec).problems
    return [(one.code, one.severity) for one in found if one.code[:4] in ("SD55", "SD20")]


@pytest.mark.parametrize("sharding", ["dynamic", "data", "hint"])
def test_workers_share_the_elements(near: Near, sharding: str) -> None:
    """Each element comes once from all workers together, with the draws that it has without them."""
    draw = "map: {drawn: '= uniform(0, 1000)'}"
    alone = pairs(safedata.load(text(draw)))
    shared = text(draw, "repeat: 1", f"distribute: {{service: '{near.address}', sharding: {sharding}}}")
    assert pairs(safedata.load(shared)) == alone


def test_each_worker_gives_all_elements_without_sharing(near: Near) -> None:
    """Under `sharding: off` every element comes as often as there are workers."""
    data = safedata.load(text(f"distribute: {{service: '{near.address}', sharding: off}}"))
    assert sorted(int(one["value"]) for one in data.as_numpy_iterator()) == sorted([*range(20)] * 2)


def test_rounds_of_workers_and_epochs_of_the_trainer_draw_anew(near: Near) -> None:
    """A draw before `distribute` changes with each `repeat` there; one behind it with each epoch of the trainer too."""
    steps = (
        "map: {before: '= uniform(0, 1000)'}",
        "repeat: 2",
        f"distribute: '{near.address}'",
        "map: {behind: '= uniform(0, 1000)'}",
    )
    data = safedata.load(text(*steps))
    first, second = (
        [(one["value"], one["before"], one["behind"]) for one in data.as_numpy_iterator()] for _ in "12"
    )
    assert len({before for _, before, _ in first}) == 40
    assert {before for _, before, _ in second} == {before for _, before, _ in first}
    assert len({behind for _, _, behind in (*first, *second)}) == 80


def test_trainers_share_a_job(near: Near) -> None:
    """Two datasets of one job's name get each element once between them."""
    spec = text(f"distribute: {{service: '{near.address}', job: shared, max_outstanding: 1}}")
    one, two = (iter(safedata.load(spec)) for _ in "12")
    seen = [int(next(one)["value"]), int(next(two)["value"])]
    seen += [int(element["value"]) for rest in (one, two) for element in rest]
    assert sorted(seen) == list(range(20))


def test_a_records_number_is_its_own_on_every_worker(near: Near) -> None:
    """Parts of a source with several components and a batch behind it hold every element once."""
    source = "{synthetic: {components: {image: 'uint8[8, 8]', value: 'int64[]'}, count: 100}}"
    alone = safedata.load(text(source=source))
    shared = safedata.load(text("batch: 7", f"distribute: '{near.address}'", "unbatch", source=source))
    images = sorted(one["image"].tobytes() for one in alone.as_numpy_iterator())
    assert sorted(one["image"].tobytes() for one in shared.as_numpy_iterator()) == images


def test_nobody_at_the_address() -> None:
    """A dispatcher that is not there is missed at once, and named."""
    with pytest.raises(DataError, match=r"SD550.*no dispatcher of a tf\.data service answers at grpc://127"):
        safedata.load(text(f"distribute: 'grpc://127.0.0.1:{free_port()}'"))


def test_a_table_of_this_process_cannot_be_sent(near: Near) -> None:
    """What only the graph shows to be this process' own is refused when it would be handed over."""
    import tensorflow as tf

    from safedata.stages.distribute import registered

    data = tf.data.Dataset.range(3).map(lambda x: tf.numpy_function(lambda y: y, [x], tf.int64))
    with pytest.raises(DataError, match=r"SD552.*has something that no other process has: PyFunc"):
        registered(tf, data, near.address)


def test_a_pass_cannot_be_gone_on_with(near: Near) -> None:
    """An iteration over a service has no state: its elements have no order."""
    with safedata.open(text(f"distribute: '{near.address}'")) as pipeline:
        iteration = pipeline.iterate()
        next(iter(iteration))
        with pytest.raises(StateError, match=r"SD548.*elements of `distribute` come in no fixed order"):
            iteration.state()


BOTH = "{concatenate: {inputs: {a: {source: {range: 3}STEPS}, b: {source: {range: 3}}}}}"
DRAW = "map: {drawn: '= uniform(0, 1)'}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (text(DRAW, f"distribute: '{FAR}'"), [("SD553", "error")]),
        (text(DRAW, "repeat: 3", f"distribute: '{FAR}'"), []),
        (text("repeat:", DRAW, f"distribute: '{FAR}'"), []),
        (text("repeat: 3", "shuffle: 4", f"distribute: '{FAR}'"), [("SD553", "error")]),
        (text("shuffle: {buffer: 4, reshuffle: false}", f"distribute: '{FAR}'"), []),
        (
            text("shuffle: 4", "repeat:", f"distribute: {{service: '{FAR}', sharding: off}}"),
            [("SD553", "warning")],
        ),
        (text(f"distribute: {{service: '{FAR}', sharding: file}}"), [("SD554", "error")]),
        (text("take: 3", f"distribute: '{FAR}'"), [("SD554", "error")]),
        (text("take: 3", f"distribute: {{service: '{FAR}', sharding: data}}"), []),
        (
            text(f"distribute: '{FAR}'", source=BOTH.replace("STEPS", "")),
            [("SD554", "error")],
        ),
        (text(f"distribute: '{FAR}'", f"distribute: '{FAR}'"), [("SD207", "error")]),
        (text(f"distribute: '{FAR}'", "cache: {path: kept}"), [("SD552", "error")]),
        (text(f"distribute: '{FAR}'", more="runtime: {on_error: skip}\n"), [("SD552", "error")]),
    ],
)  # fmt: skip
def test_what_it_asks_of_the_steps_around_it(spec: str, expected: list[tuple[str, str]]) -> None:
    """What would mean something else on workers than the spec says is an error, or a warning, before anything runs."""
    assert codes(spec) == expected


def test_functions_of_this_program_stand_behind_it() -> None:
    """A Python function before `distribute` is refused, and behind it is none of its business."""
    call = "map: {value: [{call: 'math:floor', returns: {value: 'int64[]'}, workspace: 1KiB}]}"
    for steps, expected in (
        ((call, f"distribute: '{FAR}'"), ["SD552"]),
        ((f"distribute: '{FAR}'", call), []),
    ):
        found = safedata.check(text(*steps), allow=["math"]).problems
        assert [one.code for one in found if one.code[:4] == "SD55"] == expected


JSON = "{jsonl: {path: t.jsonl, columns: {v: int64, file: 'string[<=9B]'}}}"
TABLE = "{csv: {path: t.csv, columns: {v: int64, file: 'string[<=9B]'}}}"
PARQUET = "{parquet: t.parquet}"
READ = "map: {data: [{from: file}, {read_file: {root: files, max_bytes: 9 B}}]}"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with one table in three forms."""
    arrow = pytest.importorskip("pyarrow")
    (tmp_path / "t.jsonl").write_text('{"v": 1, "file": "a"}\n')
    (tmp_path / "t.csv").write_text("v,file\n1,a\n")
    importlib.import_module("pyarrow.parquet").write_table(
        arrow.table({"v": [1], "file": ["a"]}), tmp_path / "t.parquet"
    )
    (tmp_path / "files").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "steps", "named"),
    [
        (JSON, (), "`jsonl`"),
        (PARQUET, (), "`parquet`"),
        (f"{{concatenate: {{inputs: {{a: {TABLE}, b: {JSON}}}}}}}", (), "`jsonl`"),
        (TABLE, (READ,), "`read_file`"),
    ],
)
def test_what_calls_python_is_named(tables: Path, source: str, steps: tuple[str, ...], named: str) -> None:
    """Sources and operations whose graphs call Python are refused by the check, where they stand."""
    far = f"distribute: {{service: '{FAR}', sharding: 'off'}}"
    [found] = [
        one for one in safedata.check(text(*steps, far, source=source), folder=tables).problems
        if one.code == "SD552"
    ]  # fmt: skip
    assert found.message == f"{named} calls functions of Python's, which workers do not have"
    assert found.span is not None
    assert found.span.line == (4 if steps else 2)


def test_what_calls_python_may_stand_behind_it(tables: Path) -> None:
    """An operation that calls Python is fine where the trainer runs it."""
    spec = text(f"distribute: '{FAR}'", READ, source=TABLE)
    assert safedata.check(spec, folder=tables).fits


def test_it_is_no_step_of_an_input() -> None:
    """Workers take whole pipelines, and no input of a combinator."""
    source = BOTH.replace("STEPS", f", steps: [{{distribute: '{FAR}'}}]")
    assert codes(text("take: 2", source=source)) == [("SD207", "error")]


def test_a_worker_has_a_place_in_the_verdict() -> None:
    """The steps before `distribute` are the worker's bytes, and what is behind it the trainer's."""
    image = "{synthetic: {components: {image: 'uint8[1024, 1024]'}, count: 100}}"
    steps = ("cache: memory", "repeat:", f"distribute: {{service: '{FAR}', max_outstanding: 2}}")
    apart, together = (
        safedata.check(text(*steps[: 3 - whole], source=image), host="8GiB") for whole in (False, True)
    )
    assert apart.fits
    worker, host = apart.places["worker"], apart.places["host"]
    assert (worker.limit, worker.free) == (None, None)
    assert worker.bytes is not None
    assert worker.bytes > 100 << 20
    assert (host.bytes or 0) < (together.places["host"].bytes or 0)
    assert "worker" not in together.places


def test_a_table_is_part_of_the_graph_that_is_sent(tmp_path: Path) -> None:
    """The names of a source's files are counted where the graph is made and where it is received."""
    for number in range(3):
        (tmp_path / f"{number}.bin").write_bytes(b"1")
    spec = text(f"distribute: '{FAR}'", source="{files: {path: '*.bin'}}")
    lines = safedata.check(spec, folder=tmp_path, host="8GiB").lines
    table = [
        line.hold.place for line in lines if line.hold.why == "the table in the graph that workers are sent"
    ]
    assert sorted(table) == ["host", "worker"]


@pytest.mark.parametrize(
    ("components", "left"),
    [
        ("x: 'uint8[16777216]'", 16),
        ("x: 'uint8[16777216]', y: 'uint8[16777216]', z: 'uint8[16777216]'", 48),
        ("x: 'uint8[50331648]'", 0),
        ("x: 'uint8[<=50331648]'", 32),
    ],
)
def test_blocks_that_stay_in_a_heap_are_counted(components: str, left: int) -> None:
    """Each component of a message is a block: one that glibc may not map by itself leaves its room behind."""
    spec = text(f"distribute: '{FAR}'", source=f"{{synthetic: {{components: {{{components}}}, count: 9}}}}")
    verdict = safedata.check(spec, host="64GiB")
    assert verdict.plan is not None
    [hold] = [line.hold for line in verdict.lines if line.hold.why == "room of messages that were read"]
    heaps = 3 * (verdict.plan.scope.cpus + 2)
    assert 0 <= (hold.bytes or 0) - heaps * (left << 20) < heaps * 64


def test_the_budget_of_a_worker_is_held_to() -> None:
    """`budget.worker` is what each worker has; over it the spec does not fit, and the help makes it fit."""
    image = "{synthetic: {components: {image: 'uint8[1024, 1024]'}, count: 1000}}"
    spec = text("batch: 100", f"distribute: '{FAR}'", source=image, more="budget: {worker: 1200MiB}\n")
    verdict = safedata.check(spec, host="32GiB")
    assert not verdict.fits
    [problem] = [one for one in verdict.problems if one.severity == "error"]
    assert problem.code == "SD301"
    assert "peak memory of a worker" in problem.message
    assert verdict.places["worker"].limit == 1200 << 20
    assert "batch: " in (problem.help or "")


def test_an_element_is_no_larger_than_a_message() -> None:
    """An element of 2 GiB is more than a worker can send."""
    spec = text(
        f"distribute: '{FAR}'", source="{synthetic: {components: {x: 'uint8[2, 1073741824]'}, count: 2}}"
    )
    assert codes(spec) == [("SD207", "error")]
