"""`on_error: quarantine`: what is left out is written down, a whole line for each element."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import safedata
from safedata.problem import DataError
from safedata.quarantine import Report
from safedata.records import replace
from safedata.report.build import render
from safedata.said import component_scope, operation_scope, part_scope, spot_in, worded
from safedata.sources._interleave import Interleave, Interleaved
from safedata.sources._records import Places
from safedata.sources.lines._lines import LinesRoot
from safedata.sources.saved._graph import SavedRoot
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.spec.sections import OnError, Runtime
from safedata.types import Dim

HEAD = "safedata: 1\nsource: {{range: 6}}\nsteps:\n"
WORDS = "  - map: {{y: [{{from: value}}, as_string, {{vocab_lookup: {{vocab: ['1', '2'], num_oov_indices: 0}}}}]}}\n"
TAIL = "runtime: {{on_error: {how}}}\n"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spec(folder: Path, how: str = "quarantine", steps: str = WORDS) -> Path:
    path = folder / "s.yaml"
    path.write_text((HEAD + steps + TAIL).format(how=how))
    return path


def test_the_forms_of_the_spec() -> None:
    """`quarantine` is `skip` with a report, whose number and place may be said."""
    made = Runtime.model_validate({"on_error": {"quarantine": {"max": 3, "report": "x"}}}).on_error
    assert made == OnError(mode="skip", max=3, quarantine=True, report="x")
    assert Runtime.model_validate({"on_error": "quarantine"}).on_error == OnError(
        mode="skip", quarantine=True
    )


@pytest.mark.tf
def test_each_element_left_out_has_a_line(tmp_path: Path, tf: ModuleType) -> None:
    """The report names element, step, component, operation and reason; build and manifest say how many and where."""
    made = safedata.build(spec(tmp_path))
    assert isinstance(made, safedata.run.Report)
    found = lines(tmp_path / "s.quarantine.jsonl")
    assert [one["element"] for one in found] == [0, 3, 4, 5]
    assert {(one["step"], one["spec_line"], one["component"], one["operation"]) for one in found} == {
        ("map", 4, "y", "vocab_lookup")
    }
    assert "SD404" in found[0]["reason"]
    assert found[0]["source"] == "range element 0"
    assert len({one["run"] for one in found}) == 1
    told = json.loads((tmp_path / "s.manifest.json").read_text())["pass"]["quarantine"]
    assert told == {"path": str(tmp_path / "s.quarantine.jsonl"), "elements": 4}
    assert "4 written to" in render(made)


def _files(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Write data with a bad second element; return the source that reads it, and where that element is."""
    (folder / "a.txt").write_text("1\nx\n3\n")
    (folder / "a.csv").write_text('text\n1\n"x"\n3\n')
    (folder / "a.jsonl").write_text('{"text": "1"}\n{"text": "x"}\n')
    (folder / "a.bin").write_bytes(b"head" + b"1x3")
    (folder / "m.csv").write_text("path,text\na.bin,1\na.txt,x\n")
    fixed = "fixed_length: {path: a.bin, record_bytes: 1, header_bytes: 4}"
    return {
        "text": ("text: {path: a.txt}", {"file": "a.txt", "line": 2}),
        "csv": ("csv: {path: a.csv, columns: {text: string}}", {"file": "a.csv", "line": 3}),
        "jsonl": ('jsonl: {path: a.jsonl, columns: {text: "string[<=9]"}}', {"file": "a.jsonl", "line": 2}),
        "fixed_length": (fixed, {"file": "a.bin", "record": 1, "byte": 5}),
        "manifest": ("manifest: m.csv", {"file": "a.txt", "manifest": "m.csv", "row": 2}),
    }


@pytest.mark.tf
@pytest.mark.parametrize("name", ["text", "csv", "jsonl", "fixed_length", "manifest"])
def test_the_place_in_the_data_is_not_the_place_in_the_spec(
    tmp_path: Path, tf: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of the report says where in its file the element is, and apart from that where in the spec its step is."""
    monkeypatch.chdir(tmp_path)
    source, place = _files(tmp_path)[name]
    component = "bytes" if name == "fixed_length" else "text"
    text = (
        f"safedata: 1\nsource:\n  {source}\nsteps:\n"
        f"  - map: {{n: [{{from: {component}}}, {{to_number: {{dtype: int64}}}}]}}\n  - select: [n]\n"
        "runtime: {on_error: {quarantine: {report: r.jsonl}}}\n"
    )
    assert all(int(row["n"]) != 0 for row in safedata.load(text))
    [one] = lines(tmp_path / "r.jsonl")
    rest = {"run", "time", "spec", "element", "reason", "step", "spec_line", "component", "operation"}
    assert {key: value for key, value in one.items() if key not in rest} == place
    assert (one["element"], one["spec_line"], one["component"]) == (1, 5, "n")


def test_every_source_names_places_alike() -> None:
    """No part of a place has the name of something else that a line of the report says."""
    places = Places("element", paths=("a", "b"))
    places.add_run(0, 0, 2)
    places.add_run(1, 0, 2)
    parts = SavedRoot(TfrecordRoot((), "none", 0, 0, "exact", None, 4), (), places, 4)
    assert parts.located(3) == {"file": "b", "row": 1}
    lines = LinesRoot("text", ("a", "b"), "none", 0, False, Dim.at_most(1), None, None, "exact")
    assert lines.located(5) == {"source": "text element 5"}
    assert replace(lines, files=("a",)).located(5) == {"file": "a", "record": 5}
    assert Interleaved(lines, Interleave(cycle=2)).located((1 << 32) + 5) == {"file": "b", "record": 5}


@pytest.mark.tf
def test_a_later_run_adds_lines_of_its_own(tmp_path: Path, tf: ModuleType) -> None:
    """`load` writes as `build` does, behind what is there; an element that fails in two epochs has one line."""
    path = tmp_path / "bad" / "r.jsonl"
    path.parent.mkdir()
    text = (HEAD + WORDS + TAIL).format(how="{quarantine: {report: bad/r.jsonl}}")
    for _ in range(2):
        dataset = safedata.load(text, folder=tmp_path)
        assert [int(row["value"]) for row in dataset] == [1, 2]
        assert len(list(dataset)) == 2
    assert [one["element"] for one in lines(path)] == [0, 3, 4, 5] * 2
    assert len({one["run"] for one in lines(path)}) == 2


@pytest.mark.tf
def test_max_bounds_the_lines(tmp_path: Path, tf: ModuleType) -> None:
    """A run adds no more lines than `max`, and stops above it with the field to raise."""
    with pytest.raises(DataError, match=r"error\[SD409\]: more than 2 elements") as caught:
        safedata.build(spec(tmp_path, "{quarantine: {max: 2}}"))
    assert caught.value.problems[0].help == "mend the data, or raise `runtime.on_error.quarantine.max`"
    assert len(lines(tmp_path / "s.quarantine.jsonl")) == 2


@pytest.mark.tf
def test_a_reused_cache_names_the_report_of_its_making(tmp_path: Path, tf: ModuleType) -> None:
    """The phase that writes a cache leaves out and writes down; the next build says how many, and adds nothing."""
    path = spec(tmp_path, steps=WORDS + "  - cache: {{path: store}}\n")
    first, report = safedata.build(path), tmp_path / "s.quarantine.jsonl"
    assert len(lines(report)) == 4
    assert "4 written to" in render(first)
    again = safedata.build(path)
    assert len(lines(report)) == 4
    assert again.caches[0].skipped == 4
    assert again.caches[0].report == str(report)
    assert "4 left out, see" in render(again)


@pytest.mark.tf
def test_inputs_are_named(tmp_path: Path, tf: ModuleType) -> None:
    """An element of a combinator's input has the input's name, and its partner's line is not written twice."""
    path = tmp_path / "a.txt"
    path.write_text("1\nx\n3\n")
    text = f"""
safedata: 1
source:
  zip:
    inputs:
      a:
        source: {{text: {{path: {path}}}}}
        steps: [{{map: {{n: [{{from: text}}, {{to_number: {{dtype: int64}}}}]}}}}]
      b: {{source: {{range: 3}}}}
runtime: {{on_error: {{quarantine: {{report: r.jsonl}}}}}}
"""
    assert len(list(safedata.load(text, folder=tmp_path))) == 2
    [one] = lines(tmp_path / "r.jsonl")
    assert (one["input"], one["file"], one["component"]) == ("a", str(path), "n")


@pytest.mark.tf
def test_a_python_function_is_asked_again(tmp_path: Path, tf: ModuleType, monkeypatch: Any) -> None:
    """What a function of the spec raised is the reason."""
    (tmp_path / "mine_quarantine.py").write_text(
        "def f(x):\n    if x == 2:\n        raise ValueError('two is bad')\n    return x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (
        "safedata: 1\nsource: {range: 4}\nsteps:\n"
        '  - call: {function: "mine_quarantine:f", from: value, returns: {value: "int64[]"}, workspace: 1KiB}\n'
        "runtime: {on_error: {quarantine: {report: r.jsonl}}}\n"
    )
    dataset = safedata.load(text, folder=tmp_path, allow=["mine_quarantine"])
    assert [int(row["value"]) for row in dataset] == [0, 1, 3]
    [one] = lines(tmp_path / "r.jsonl")
    assert "raised ValueError: two is bad" in one["reason"]
    assert one["step"] == "call"


@pytest.mark.tf
def test_the_graph_that_explains_goes_with_the_dataset(tmp_path: Path, tf: ModuleType) -> None:
    """No function that was traced for reasons is left once the dataset is gone."""

    def traced() -> int:
        gc.collect()
        return sum(type(one).__name__ == "ConcreteFunction" for one in gc.get_objects())

    before = traced()
    dataset = safedata.load(spec(tmp_path))
    list(dataset)
    assert traced() > before
    del dataset
    assert traced() == before


def test_finding_reasons_is_counted(tmp_path: Path) -> None:
    """A verdict counts what asking for reasons takes, once for each step that may fail."""
    peaks = [safedata.check(spec(tmp_path, how)).places["host"].bytes for how in ("skip", "quarantine")]
    assert None not in peaks
    assert (peaks[1] or 0) - (peaks[0] or 0) == 7 << 20


def test_a_report_that_cannot_be_written_stops_before_the_data_is_read(tmp_path: Path) -> None:
    """A folder that is missing, or in the place of the file, is SD408 with the field to change."""
    for path, why in ((tmp_path / "no" / "r", "its folder does not exist"), (tmp_path, "it is a folder")):
        with pytest.raises(DataError, match=why) as caught:
            Report(str(path), None)
        assert caught.value.problems[0].code == "SD408"
        assert "quarantine: {report: PATH}" in (caught.value.problems[0].help or "")


def test_lines_are_whole(tmp_path: Path) -> None:
    """Writers at once do not mix lines, one that was cut off ends where it ends, and a long text is cut."""
    path = tmp_path / "r.jsonl"
    path.write_text('{"cut": "o')
    reports = [Report(str(path), None) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: reports[n % 4].write({"element": n, "reason": "x\n" * 5000}), range(200)))
    first, *rest = path.read_text().splitlines()
    assert first == '{"cut": "o'
    assert sorted(json.loads(one)["element"] for one in rest) == list(range(200))
    assert max(map(len, rest)) < 4000


def test_a_killed_process_leaves_its_lines(tmp_path: Path) -> None:
    """What was written is there after `kill -9`."""
    path = tmp_path / "r.jsonl"
    code = (
        "import os, signal, sys; from safedata.quarantine import Report; "
        "Report(sys.argv[1], None).write({'element': 7}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    assert [one["element"] for one in lines(path)] == [7]


def test_a_node_tells_where() -> None:
    """Step, component and operation are read off a node's scopes; a bound's message names its component."""
    operations = f"{operation_scope('random_apply')}/{operation_scope('x')}"
    node = f"{part_scope(2)}/{component_scope('a/b')}_3/{operations}/Y"
    assert spot_in(f"bad\n\t [[{{{{node {node}}}}}]]", ["b", "a/b"]) == (2, "a/b", "x")
    assert spot_in("SD501: image: bytes must be", ["image"]) == (None, "image", None)
    assert spot_in("nothing", ["image"]) == (None, None, None)


def test_messages_are_said_without_nodes() -> None:
    """Only what TensorFlow found is left of a message."""
    found = (
        "Graph execution error:\n\nDetected at node x:\n  File y\n\nUnknown image\n\t [[{{node x}}]] [Op:f]"
    )
    assert worded(found) == "Unknown image"
    assert (
        worded("{{function_node f}} assertion failed: [SD404: bad, in] [a.jpg]\n\t [[{{node}}]]")
        == "SD404: bad, in a.jpg"
    )
