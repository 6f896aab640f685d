"""The long forms of `runtime.on_error`: `skip: {max: 20}` and `quarantine: {max: 20, report: bad.jsonl}`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from safedata.fields import Int
from safedata.spec.sections import Section


class Skip(Section):
    """How much `skip` leaves out."""

    max: Annotated[Int, Field(ge=1)] = 100
    """Elements in one epoch."""


class SkipForm(Section):
    """The mapping that stands behind `on_error`."""

    skip: Skip
    """Leave out the elements that are bad."""

    def __str__(self) -> str:
        return f"skip: {{max: {self.skip.max}}}"


class Quarantine(Section):
    """How much `quarantine` leaves out, and where it writes what."""

    max: Annotated[Int, Field(ge=1)] = 100
    """Elements in one epoch: lines that one run adds to the report."""
    report: Annotated[str, Field(min_length=1)] | None = None
    """The report's file, from the folder of the spec; unless said, `x.quarantine.jsonl` beside the spec `x.yaml`."""


class QuarantineForm(Section):
    """The mapping that stands behind `on_error`."""

    quarantine: Quarantine
    """Leave out the elements that are bad, and write a line on each to a report."""
