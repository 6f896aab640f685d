"""The long form of `runtime.on_error`: `skip: {max: 20}`."""

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
