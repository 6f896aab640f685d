from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safedata.budget import HoldLine, PlaceVerdict, Verdict
from safedata.memory import Hold, format_size
from safedata.report import explain, verdict
from safedata.report.steps import numbers
from safedata.request import Request, check_request

SPEC = """\
safedata: 1
source: {range: 1000}
steps:
  - shuffle: {buffer: all, seed: 7, reshuffle: false}
  - map: {half: = value / 2}
    parallel: 3
  - batch: 32
  - prefetch: auto
targets:
  small: {host: 4GiB, cpus: 4}
"""

CHECK = """\
<text>: fits

  machine   small, 4 CPUs
  gives     exactly 32 batches of value: int64[<=32], half: float32[<=32]

  place         peak      limit       free   evidence
  host    {total:>10}   4.00 GiB   4.00 GiB   bound (measured)

  the largest holds of host memory; {more} more in `safedata explain`
    657.50 MiB   {share}%   process           TensorFlow itself: import, eager context, thread pools
"""


def _verdict(text: str = SPEC, **request: Any) -> Verdict:
    return check_request(text, Request({}, **{"target": "small", **request}))


def test_check_text() -> None:
    """A verdict says what comes out, what each place holds, and what holds the most."""
    found = _verdict()
    text = verdict.render(found)
    host = found.places["host"].bytes or 0
    head = CHECK.format(
        total=format_size(host), more=len(found.lines) - 5, share=f"{100 * 657.5 * 2**20 / host:.1f}"
    )
    assert text.startswith(head)
    assert len(text.splitlines()) == len(head.splitlines()) + 4


def test_no_line_of_a_place_is_left_out_of_explain() -> None:
    """The graph shows every hold, and its table ends in the same total as the verdict."""
    found = _verdict()
    text = explain.render(found)
    for line in found.lines:
        assert line.hold.why in text
    assert f"{format_size(found.places['host'].bytes)}   total" in text


def test_numbers_are_settled() -> None:
    """What a spec leaves to safedata stands in the graph as a number."""
    plan = _verdict().plan
    assert plan is not None
    settled = {step.title: numbers(step) for step in plan.steps}
    assert settled["shuffle"] == "buffer 1000, seed 7, reshuffle false"
    assert settled["map"] == "3 calls"
    assert settled["prefetch"] == "buffer 2"


@pytest.mark.parametrize(
    ("request_", "text"),
    [({"host": "4GiB"}, "fits"), ({"host": "600MiB"}, "does not fit"), ({"target": "gone"}, "has 1 problem")],
)
def test_outcome(request_: dict[str, Any], text: str) -> None:
    """The outcome tells a spec that is too large from one that is wrong."""
    assert verdict.outcome(_verdict(**request_)) == text


def test_colour_adds_nothing() -> None:
    """Without its colour codes, coloured text is the plain text."""
    coloured = verdict.render(_verdict(), color=True)
    assert coloured.replace("\x1b[1;32m", "").replace("\x1b[0m", "") == verdict.render(_verdict())


def test_unknown_bytes_are_never_zero() -> None:
    """A hold without bound stands first and is called unbounded, and its place has no total."""
    found = _verdict()
    assert found.plan is not None
    line = HoldLine(1, Hold("host", None, "something without end"))
    places = {**found.places, "host": PlaceVerdict(None, None, None)}
    text = verdict.render(
        Verdict(
            found.spec, found.plan, found.machine, places, (*found.lines, line), found.problems, found.texts
        )
    )
    assert "host    unbounded   unknown   unknown" in text
    first = text.splitlines()[text.splitlines().index("") :]
    assert any(row.split()[:2] == ["unbounded", "shuffle,"] for row in first)


def test_lines_are_those_of_the_spec_itself(tmp_path: Path) -> None:
    """A step that stands in an extended spec has no line in this one."""
    (tmp_path / "base.yaml").write_text(SPEC, encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text("safedata: 1\nextends: base.yaml\nsource: {range: 10}\n", encoding="utf-8")
    found = check_request(own, Request({}, "small"))
    assert found.plan is not None
    from safedata.report.steps import line_of

    assert [line_of(found.plan, step) for step in found.plan.steps[:2]] == [3, None]
