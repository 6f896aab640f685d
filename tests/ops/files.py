"""Operations that name files, read as a spec in a folder would be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from safedata.artifacts import Artifacts
from safedata.chain import Chain, parse_chain
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.spec.artifacts import ARTIFACTS
from safedata.stages.base import Parsing


def parse_in(folder: Path, text: str, artifacts: Mapping[str, Any] | None = None) -> Op:
    """Return the operation that a chain's entry says; the first fault is raised."""

    def fail(error: Exception, *_: object) -> None:
        raise error

    shelf = Artifacts(ARTIFACTS.validate_python(artifacts or {}), str(folder), "spec.yaml")
    chain = cast(
        "Chain", parse_chain("x", [yaml.safe_load(text)], Parsing(("map", "x"), 1, fail, fail, shelf))
    )
    return chain.links[0].op


def fault_in(folder: Path, text: str, artifacts: Mapping[str, Any] | None = None) -> Fault:
    """Return the fault of a chain's entry."""
    try:
        found = parse_in(folder, text, artifacts)
    except Fault as caught:
        return caught
    raise AssertionError(f"{text} is {found}")
