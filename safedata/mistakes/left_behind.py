"""SD619: an image is moved, and its boxes or its mask stay behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes._moved import moved
from safedata.mistakes.base import Finding, Line, Mistake
from safedata.problem import Severity
from safedata.types import Tensor

_KINDS: Final = ("mask", "boxes", "keypoints")
_POINTS: Final = frozenset({"box", "boxes", "bbox", "bboxes", "keypoints"})
_NAMES: Final = _POINTS | {"mask", "masks", "segmentation", "segmentation_mask"}


class LeftBehind(Mistake):
    """A random flip or crop of the image alone: boxes and masks point to where things were."""

    code: ClassVar[str] = "SD619"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each move of an image beside a component that belongs to it, leaves, and is never moved.

        Where only the name says that it belongs to the image, this is a warning.
        """
        moves = list(moved(line))
        result = line.plan.result.visible
        stay = {name: tensor for name, tensor in result.items() if _belongs(name, tensor)}
        for one in moves:
            stay.pop(one.name, None)
            stay.pop(one.origin, None)
        images = [one for one in moves if one.name in result and not _belongs(one.name, result[one.name])]
        if not stay or not images:
            return
        first = images[0]
        for name, tensor in stay.items():
            if name not in first.step.before.element and name not in first.step.after.element:
                continue
            boxes = tensor.kind in ("boxes", "keypoints") or name.lower() in _POINTS
            way_out = f"link them, so that one draw moves both: `{first.name}, {name}: [{first.op}]`"
            if boxes:
                way_out = f"leave `{first.op}` out, or `drop: {name}` where nothing needs it"
            yield Finding(
                first.step,
                f"`{first.op}` moves `{first.name}`, and `{name}` stays where it was",
                f"moves `{first.name}` alone",
                way_out,
                severity=None if tensor.kind in _KINDS else "warning",
            )


def _belongs(name: str, tensor: Tensor) -> bool:
    return tensor.kind in _KINDS or name.lower() in _NAMES
