from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safedata.problem import CODES

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_the_graph(run: Command, counting: Path) -> None:
    """Each step stands in a row with its number, settled numbers, line, bytes, cardinality and type."""
    ran = run("explain", counting, "--target", "small")
    assert ran.status == 0
    rows = [line.split(maxsplit=1)[1] for line in ran.out.splitlines() if line.strip()[:1].isdecimal()][:5]
    assert [row.split("  ")[0] for row in rows] == [
        "range",
        "shuffle (buffer 100, seed 7)",
        "batch (size 32)",
        "output",
        "prefetch (buffer 2)",
    ]
    assert "no rewrites" in ran.out


def test_the_graph_as_json(run: Command, counting: Path) -> None:
    """The JSON object has the verdict and beside it every step's number, settled numbers and calls."""
    found = json.loads(run("explain", counting, "--target", "small", "--format", "json").out)
    assert [stage.get("number") for stage in found["stages"]] == [None, 0, 1, 2, 3, 4]
    assert found["stages"][2]["settled"] == "buffer 100, seed 7"
    assert found["output"] == {"value": "value"}
    assert found["rewrites"] == []


@pytest.mark.parametrize("code", ["SD301", "sd101"])
def test_a_page(run: Command, code: str) -> None:
    """A code in any case gives its page."""
    ran = run("explain", code)
    assert ran.status == 0
    assert ran.out.startswith(f"# {code.upper()}: {CODES[code.upper()]}\n")


def test_an_unknown_code(run: Command) -> None:
    """A code that does not exist is a wrong command line, and the nearest one is named."""
    ran = run("explain", "SD3011")
    assert (ran.status, ran.out) == (2, "")
    assert "there is no code SD3011; did you mean `SD301`?" in ran.err


def test_a_spec_with_problems(run: Command, counting: Path) -> None:
    """Where there is no plan there is no graph, but the problems and their status."""
    counting.write_text("safedata: 1\nsource: {range: 3}\nsteps: [{select: gone}]\n", encoding="utf-8")
    ran = run("explain", counting)
    assert (ran.status, ran.out) == (1, "counting.yaml: has 1 problem\n")
    assert "error[SD201]" in ran.err
