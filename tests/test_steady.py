"""`build --epochs N --assert-flat-rss`: memory from epoch to epoch, and what it may not do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import safedata
from safedata import flat
from safedata.__main__ import main
from safedata.memory import MIB
from safedata.problem import BudgetError

Write = Callable[..., Path]
SPEC = "safedata: 1\nsource: {range: 300}\nsteps: [{map: {y: = value * 2}}, {batch: 50}, {prefetch: 1}]\n"


@pytest.mark.parametrize(
    "sizes",
    [
        [500, 600, 601, 603, 604, 604, 605, 604, 609, 605],
        [600, 600, 300, 100],
        [100.0, 100.9],
        [10, 10.99],
        [10, 20, 30, 40, 50, 50, 50, 50, 50, 50.4],
    ],
)
def test_what_is_flat(sizes: list[float]) -> None:
    """Growth in the first epochs, of less than a percent or a MiB, and shrinking are all flat."""
    assert flat.grown([int(one * MIB) for one in sizes]) is None


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (
            [500] * 9 + [506],
            "resident memory grew by 6.00 MiB from epoch 5 to epoch 10, over 1% of 500.00 MiB",
        ),
        ([10, 12], "resident memory grew by 2.00 MiB from epoch 1 to epoch 2, over 1% of 10.00 MiB"),
        (
            [100, 100, 102, 99],
            "resident memory grew by 2.00 MiB from epoch 2 to epoch 3, over 1% of 100.00 MiB",
        ),
        ([None, 5], "this system does not tell how much memory a process holds"),
    ],
)
def test_what_is_not(sizes: list[int | None], said: str) -> None:
    """The problem says how much it grew, since when, and what it was behind each epoch."""
    problem = flat.grown([None if one is None else one * MIB for one in sizes])
    assert problem is not None
    assert (problem.code, problem.message) == ("SD542", said)
    assert None in sizes or problem.notes[0].endswith(f"{sizes[-1]}.0 MiB")


def test_long_runs_are_listed_in_short() -> None:
    """Of many epochs the first and the last ones are shown."""
    text = flat.listed([number * MIB for number in range(100)])
    assert text.startswith("0.0, 1.0, ")
    assert text.endswith("98.0, 99.0 MiB")
    assert len(text.split(", ")) == 21


@pytest.mark.tf
def test_a_build_with_epochs(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report lists as many epochs as were asked for; memory that grows ends it with status 1, behind the report."""
    path = str(write(SPEC))
    argv = ["build", path, "--host", "64GiB", "--epochs", "3", "--assert-flat-rss", "--format", "json"]
    assert main(argv) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["report"]["resident_bytes"]) == 3
    assert all(one > 100 * MIB for one in found["report"]["resident_bytes"])
    sizes = iter([500 * MIB, 500 * MIB, 600 * MIB])
    monkeypatch.setattr(flat, "resident", lambda: type("R", (), {"now": next(sizes)}))
    assert main(argv[:-2]) == 1
    ran = capsys.readouterr()
    assert "epochs      3 more, resident 500.0, 500.0, 600.0 MiB" in ran.out
    assert "error[SD542]: resident memory grew by 100.00 MiB from epoch 1 to epoch 3" in ran.err


@pytest.mark.tf
def test_a_function_that_keeps_what_it_sees(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python function that holds on to memory is found out; without it the same build is flat."""
    (tmp_path / "hoard.py").write_text(
        "kept = []\ndef keep(y):\n    kept.append(b'x' * 2**20 + bytes(str(y), 'ascii'))\n    return y\n"
        "def let_go(y):\n    return y\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    call = '{call: "hoard:NAME", returns: {y: "int64[]"}, workspace: 2 MiB}'
    text = f"safedata: 1\nsource: {{range: 20}}\nsteps: [{{map: {{y: [{{from: value}}, {call}]}}}}, {{batch: 5}}]\n"
    path = write(text.replace("NAME", "keep"))
    with pytest.raises(BudgetError, match=r"SD542.*resident memory grew by .* from epoch 2 to epoch 4"):
        safedata.build(path, epochs=4, assert_flat_rss=True, allow=["hoard"], host="64GiB")
    report = safedata.build(
        write(text.replace("NAME", "let_go")), epochs=4, assert_flat_rss=True, allow=["hoard"], host="64GiB"
    )
    assert len(report.resident) == 4


def test_one_epoch_is_no_comparison(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """`--assert-flat-rss` wants two epochs; so does the function."""
    path = write(SPEC)
    assert main(["build", str(path), "--assert-flat-rss"]) == 2
    assert "give `--epochs`, 2 or more" in capsys.readouterr().err
    with pytest.raises(ValueError, match="give it `epochs`, 2 or more"):
        safedata.build(path, epochs=1, assert_flat_rss=True)
