"""SD619: an image is moved, and its boxes or its mask stay behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from safedata.mistakes._moved import Moved, moved, touches, turns
from safedata.mistakes.base import Finding, Line, Mistake
from safedata.problem import Severity
from safedata.types import Tensor

_KINDS: Final = ("mask", "boxes", "keypoints")
_POINTS: Final = frozenset({"box", "boxes", "bbox", "bboxes", "keypoints"})
_IMAGE: Final = 3
"""Dimensions of an image."""
_NAMES: Final = _POINTS | {"mask", "masks", "segmentation", "segmentation_mask"}


class LeftBehind(Mistake):
    """A flip or crop of the image alone: boxes and masks point to where things were."""

    code: ClassVar[str] = "SD619"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each move of an image beside a component that belongs to it, leaves, and is never moved.

        Where only the name says that it belongs to the image, this is a warning; where nothing is drawn too, since it
        may bring an image in line with a mask that is stored another way round.
        """
        result = line.plan.result.visible
        belonging = {name: tensor for name, tensor in result.items() if _belongs(name, tensor)}
        if not belonging:
            return
        drawn = list(moved(line))
        found = list(_behind(drawn, _left(belonging, drawn), result))
        if not found:
            turned = [one for one in moved(line, turns) if _is_image(one)]
            found = list(_behind(turned, _left(belonging, [*drawn, *moved(line, touches)]), result))
        yield from found


def _left(belonging: Mapping[str, Tensor], moves: Sequence[Moved]) -> dict[str, Tensor]:
    """Return those of some components that no operation moves."""
    gone = {name for one in moves for name in (one.name, one.origin)}
    return {name: tensor for name, tensor in belonging.items() if name not in gone}


def _behind(
    moves: Sequence[Moved], stay: Mapping[str, Tensor], result: Mapping[str, Tensor]
) -> Iterator[Finding]:
    images = [one for one in moves if one.name in result and not _belongs(one.name, result[one.name])]
    if not images:
        return
    first = images[0]
    for name, tensor in stay.items():
        if name not in first.step.before.element and name not in first.step.after.element:
            continue
        certain = first.drawn and tensor.kind in _KINDS
        yield Finding(
            first.step,
            f"`{first.op}` moves `{first.name}`, and `{name}` stays where it was",
            f"moves `{first.name}` alone",
            _way_out(first, name, tensor),
            severity=None if certain else "warning",
        )


def _way_out(first: Moved, name: str, tensor: Tensor) -> str:
    if tensor.kind in ("boxes", "keypoints") or name.lower() in _POINTS:
        return f"leave `{first.op}` out, or `drop: {name}` where nothing needs it"
    if first.drawn:
        return f"link them, so that one draw moves both: `{first.name}, {name}: [{first.op}]`"
    return f"give `{name}` the same `{first.op}`"


def _is_image(one: Moved) -> bool:
    """Return whether what is turned may be an image; sequences are turned round too."""
    after = one.step.after
    tensor = after.element.get(one.name)
    return tensor is not None and tensor.rank - after.batch_dims >= _IMAGE


def _belongs(name: str, tensor: Tensor) -> bool:
    return tensor.kind in _KINDS or name.lower() in _NAMES
