"""Specs over made-up elements, checked for mistakes, and TensorFlow's elements of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safedata
from safedata.problem import Problem

ROOT = Path(__file__).parent.parent.parent
SMALL = '{components: {image: "uint8[8, 8, 3]", label: "int64[]"}, count: 100}'
HEAD = """\
safedata: 1
{top}
source:
  {source}
steps:
"""


def spec(*steps: str, source: str = f"synthetic: {SMALL}", top: str = "") -> str:
    """Return a spec of these steps, one line of YAML each."""
    head = HEAD.format(source=source, top=top)
    return head + "".join(f"  - {step}\n" for step in steps)


def images(count: int, size: int = 224) -> str:
    """Return a source of uint8 images."""
    return f'synthetic: {{components: {{image: "uint8[{size}, {size}, 3]"}}, count: {count}}}'


def found(
    *steps: str, source: str = f"synthetic: {SMALL}", top: str = "", folder: Path = ROOT
) -> list[Problem]:
    """Return the mistakes of a spec, which has no other problem on a machine of 256 GiB."""
    text = spec(*steps, source=source, top=top)
    verdict = safedata.check(text, host="256GiB", folder=folder)
    assert all(one.code.startswith("SD6") for one in verdict.problems), verdict.problems
    return [one for one in verdict.problems if one.code.startswith("SD6")]


def codes(*steps: str, **more: Any) -> list[str]:
    """Return the codes of the mistakes of a spec."""
    return [one.code for one in found(*steps, **more)]


def accepted(code: str) -> str:
    """Return the section that says that this mistake is meant."""
    return f"runtime: {{accept: [{code}]}}"
