"""`normalize`: values with a known mean and standard deviation, moved to 0 and 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from pydantic import model_validator
from typing_extensions import Self

from safedata.artifacts.statistics import Numbers as Statistics
from safedata.lowering import Call
from safedata.ops._artifact import FromStatistics, listed, refuse_beside
from safedata.ops._fields import NUMBERS, Numbers, compact_list, float_of
from safedata.ops._ranges import nominal
from safedata.problem import Fault
from safedata.types import UINT8_RANGE, UNIT_RANGE, Tensor, ValueRange

Stats = Literal["imagenet", "inception", "clip", "caffe"]
Pair = tuple[tuple[float, ...], tuple[float, ...]]

_STATS: Final[dict[str, Pair]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "caffe": ((103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255)),
}
"""Mean and standard deviation of each channel, for values of 0..1.

imagenet: torchvision's models; inception: TensorFlow's own models; clip: OpenAI's CLIP; caffe: as
`keras.applications.imagenet_utils.preprocess_input(mode="caffe")`, in the order blue, green, red.
"""


class Normalize(FromStatistics):
    """Turn each value v into (v - mean) / std, channel by channel of an image [..., channels].

    A name stands for well-known numbers, which are fitted to the values: `imagenet` means the same on
    0..255 and on 0..1. `caffe` also turns red, green, blue into blue, green, red and leaves the means
    of 0..255 taken away. Numbers of one's own, `mean` and `std`, are in the units of the values.
    Integers become float32, floats keep their dtype. A name on values of another range or an unknown one,
    and numbers for 0..1 on 0..255 or the other way round, are errors (SD205). With `artifact` the numbers are those of
    the data; a channel of one value throughout becomes 0.
    """

    example: ClassVar[str] = "{normalize: imagenet}"
    colors: ClassVar[bool] = True
    forwards: ClassVar[bool] = True
    main: ClassVar[str | None] = "stats"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(one for one in NUMBERS if one != "bfloat16")

    stats: Stats | None = None
    """The name of well-known numbers for red, green and blue."""
    mean: Numbers | None = None
    """One's own mean, of each channel or of all."""
    std: Numbers | None = None
    """One's own standard deviation, of each channel or of all."""

    @classmethod
    def filled(cls, given: dict[str, Any], numbers: Statistics) -> dict[str, Any]:
        """Return the fields with the artifact's mean and standard deviation."""
        refuse_beside(given, "stats", "mean", "std")
        std = [one or 1.0 for one in listed(numbers, "std")]
        return {**given, "mean": list(listed(numbers, "mean")), "std": std}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.mean is None) != (self.std is None) or (self.stats is None) == (self.mean is None):
            raise ValueError("give either a name, or both `mean` and `std`")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError("`std` must be above 0")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with floats in the range that the numbers lead to."""
        self.require(x, *NUMBERS)
        if not x.rank:
            raise Fault(
                "SD203",
                f"`normalize` takes channels in the last dimension, and this component is {x}",
                help="put `expand_dims: -1` before it",
            )
        mean, std = self._numbers(x)
        channels = x.shape[-1]
        count = max(len(mean), len(std))
        if count > 1 and channels.static != count:
            way_out = "write `{decode_image: {channels: 3}}`" if count == 3 else None
            raise Fault("SD203", f"`normalize` has numbers for {count} channels, not for {x}", help=way_out)
        found = x.range or nominal(x)
        ranges = (
            [_moved(found, mean[i % len(mean)], std[i % len(std)]) for i in range(count)] if found else []
        )
        joined = ranges[0] if ranges else None
        for one in ranges[1:]:
            joined = one.join(joined) if joined else one
        color = None if self.stats == "caffe" else x.color
        return replace(x, dtype=float_of(x.dtype), range=joined, color=color)

    def _numbers(self, x: Tensor) -> Pair:
        """Return mean and standard deviation in the units of `x`."""
        units = nominal(x)
        if self.mean is not None and self.std is not None:
            self._check_units(units, self.mean, self.std)
            return self.mean, self.std
        mean, std = _STATS[self.stats or "imagenet"]
        if units == UNIT_RANGE:
            return mean, std
        if units == UINT8_RANGE:
            return _times(mean, 255), _times(std, 255)
        what = "unknown values" if units is None else f"values of {units}"
        way_out = (
            "put `{rescale: [0, 1]}` before it" if units else "give `mean` and `std` in the values' own units"
        )
        raise Fault(
            "SD205", f"`normalize: {self.stats}` is for 0..1 and 0..255, not for {what}", help=way_out
        )

    def _check_units(self, units: ValueRange | None, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        small = max(abs(one) for one in mean) <= 1 and max(std) <= 1
        if units == UINT8_RANGE and small and any(mean):
            factor, what = 255.0, "0..1"
        elif units == UNIT_RANGE and max(mean) > 1:
            factor, what = 1 / 255, "0..255"
        else:
            return
        fitted = f"mean: {compact_list(_times(mean, factor))}, std: {compact_list(_times(std, factor))}"
        problem = f"mean and standard deviation for {what} do not fit values of {units}"
        raise Fault("SD205", problem, help=f"write `{{normalize: {{{fitted}}}}}`")

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the float copy of other numbers, and of the one with its channels in another order."""
        copies = (x.dtype != y.dtype) + (self.stats == "caffe")
        return None if y.bytes is None else copies * y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its mean taken away, divided by its standard deviation."""
        tf = call.tf
        mean, std = self._numbers(call.x)
        x = tf.cast(x, call.y.dtype)
        if self.stats == "caffe":
            x = tf.reverse(x, [-1])
        return (x - tf.constant(mean, x.dtype)) / tf.constant(std, x.dtype)


def _moved(values: ValueRange, mean: float, std: float) -> ValueRange:
    return values.map(1 / std, -mean / std)


def _times(numbers: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(one * factor for one in numbers)
