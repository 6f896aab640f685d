"""Changes of a spec's steps as data: the estimator tries them, and `safedata.edit` writes them into the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SetField(NamedTuple):
    """A field of a step: `batch: 3566`, `parallel: 2`, `device: gpu`."""

    step: int
    """Which of the spec's steps, from 0, as they are when the change is made."""
    field: str
    value: int | str


class MoveStep(NamedTuple):
    """A step put elsewhere."""

    step: int
    to: int
    """Where it stands afterwards."""


class RemoveStep(NamedTuple):
    """A step left out."""

    step: int


class MoveOps(NamedTuple):
    """The last operations of a chain put into a `map` of their own, further behind."""

    step: int
    component: str
    """The component whose chain, in the step's last group, they end."""
    last: int
    """How many operations, counted from the end."""
    to: int
    """Where the new `map` stands afterwards."""
    beside: tuple[tuple[str, str | int], ...] = ()
    """What stands beside its `map`: `device`, `parallel`."""


Change = SetField | MoveStep | RemoveStep | MoveOps
Changes = tuple[Change, ...]
"""Changes that are made one after the other; each counts the steps as the one before has left them."""


class Fix(NamedTuple):
    """A way out of a spec that does not fit: it was tried by the estimator, and with it everything fits."""

    changes: Changes
    text: str
    """The change in words, the spec's own in backticks: "`batch: 3566`"."""
    cost: str
    """What it costs."""
    saves: Mapping[str, int]
    """Place: bytes of its peak that are gone; negative where it takes more."""
    peaks: Mapping[str, int]
    """Place: bytes at its peak with the fix."""
    spec: str = ""
    """Of several specs that were checked together: the one to change."""
