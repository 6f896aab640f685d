"""`docs/pipelines.md`: which public pipelines are covered, from the catalogue and the tests."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.case import CASES, HERE, Case

PAGE = HERE.parent.parent / "docs" / "pipelines.md"
GROUPS = {
    "A": "TensorFlow Model Garden",
    "B": "Tutorials of TensorFlow and TensorFlow Text",
    "C": "Examples of Keras",
    "D": "Research at Google",
    "E": "Production and benchmarks",
    "F": "Pipelines that systems for input pipelines are measured with",
    "G": "Users' repositories",
}
TOP = """# Public pipelines

<!-- Made by `python -m tests.pipelines` from tests/pipelines; change it there. -->

Is the language enough? These are {total} `tf.data` pipelines from public repositories, picked for their differences:
what each does was written down, and then written again as a spec, without a line of Python. **{covered} of {total} are
covered**: a test checks each spec, builds it over small data, and holds what comes out against plain `tf.data` written
by hand: the same elements where nothing is random, else those that some draw can give. No code was copied.

A spec is read best beside the pipeline that it stands for. Where the two differ, the last column says how.
"""


def load_cases() -> Mapping[str, Case]:
    """Import the groups' modules; return every covered pipeline by its name."""
    for module in sorted(HERE.glob("group_*.py")):
        importlib.import_module(f"tests.pipelines.{module.stem}")
    return CASES


def catalogue() -> dict[str, dict[str, Any]]:
    """Return what is known of every pipeline, covered or not, by its name."""
    known: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "catalogue.yaml").read_text(encoding="utf-8"))
    return known


def page() -> str:
    """Return the text of the page."""
    cases, known = load_cases(), catalogue()
    return TOP.format(total=len(known), covered=len(cases)) + "".join(_groups(cases, known))


def _groups(cases: Mapping[str, Case], known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for letter, title in GROUPS.items():
        here = {name: one for name, one in known.items() if name[0] == letter}
        covered = sum(name in cases for name in here)
        yield f"\n## {letter}. {title}: {covered} of {len(here)}\n\n"
        yield "| | pipeline | task | from | what is otherwise |\n|--|--|--|--|--|\n"
        for name, one in here.items():
            link = (
                f"[{name}](../{cases[name].spec.relative_to(PAGE.parent.parent)})" if name in cases else name
            )
            remark = one.get("differs", "") if name in cases else f"**not covered**: {reason(one)}"
            yield f"| {link} | {one['title']} | {one['task']} | {one['from']} | {remark} |\n"


def reason(one: Mapping[str, Any]) -> str:
    """Return why a pipeline is not covered."""
    if "because" in one:
        return str(one["because"])
    names = [f"`{name}`" for name in one["lacks"]]
    return f"there is no {' and no '.join(names)}"


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")
