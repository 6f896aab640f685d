"""`synthetic`: made-up elements of any type, for tests and for sizing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from safedata import draws
from safedata.cardinality import INFINITE, exactly
from safedata.fields import Int
from safedata.lowering import Lowering, Values
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources.base import Inspected, Root, Source
from safedata.types import FLOATS, INTEGERS, UINT8_RANGE, Dim, Kind, Stream, Tensor, ValueRange
from safedata.typetext import parse_type

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz "
_PER_VALUE: Final = 16
"""Bytes beside the result for each value that is drawn as int64 and moved into its range; measured 14.8 for uint8."""
_ALIGNED: Final = 64
"""Bytes: where a tensor's buffer has to begin (`EIGEN_MAX_ALIGN_BYTES`)."""


class Component(BaseModel):
    """A component whose values lie in a range, or that is an image or a mask."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    type: str
    """The type, as for the short form."""
    range: Annotated[tuple[float, float], Field(strict=False)] | None = None
    """The closed interval that the values are drawn from: `[0, 1]`."""
    kind: Literal["image", "mask"] | None = None
    """What the values are, for operations that ask."""


class Synthetic(Source):
    """Elements of the types named, made from the seed and the element's index alone.

    At-most dimensions and strings are as large as they may be, so the memory is that of real data at its
    largest; `vary: true` draws their sizes instead. Numbers are uniform: floats in 0..1, integers over their
    dtype, both over `range` where it stands. Text is letters.
    """

    example: ClassVar[str] = 'synthetic: {components: {image: "uint8[224, 224, 3]"}, count: 1000}'

    components: dict[str, str | Component]
    """The type of each component: `{image: "uint8[224, 224, 3]", text: "string[<=64KiB]"}`."""
    count: Annotated[Int, Field(ge=0, lt=2**63)] | Literal["infinite"]
    """How many elements; `infinite` never ends."""
    vary: bool = False
    """Draw at-most sizes, from 0 up to the largest, instead of always taking the largest."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return the root; there is no data to look at.

        Raises:
            Fault: a type cannot be read, has no bound, or a range does not fit it.
        """
        if not self.components:
            raise Fault("SD403", "`synthetic` has no components", ("components",), help="name at least one")
        made = {name: _tensor(name, one) for name, one in self.components.items()}
        count = None if self.count == "infinite" else self.count
        text = "; ".join(f"{name} {tensor} {tensor.range}" for name, tensor in made.items())
        return Inspected(
            SyntheticRoot(made, count, self.vary), fingerprint=f"synthetic {count} {self.vary} {text}"
        )


def _tensor(name: str, written: str | Component) -> Tensor:
    at = ("components", name)
    if not name or name[0] == "#":
        raise Fault("SD105", f"`{name}` is not a name for a component", at, help="start it with a letter")
    try:
        tensor = parse_type(written if isinstance(written, str) else written.type)
    except ValueError as error:
        raise Fault("SD105", str(error), at if isinstance(written, str) else (*at, "type")) from None
    if tensor.bytes is None:
        way_out = "write at most how many: `<=1000` in place of `?`"
        raise Fault("SD204", f"nothing bounds `{name}`, {tensor}", at, help=way_out)
    if isinstance(written, str):
        return _ranged(tensor, None, None, at)
    return _ranged(tensor, written.range, written.kind, at)


def _ranged(
    tensor: Tensor, bounds: tuple[float, float] | None, kind: Kind | None, at: tuple[str, ...]
) -> Tensor:
    if bounds is None:
        known = {"uint8": UINT8_RANGE, "bool": ValueRange(0, 1)}
        default = ValueRange(0, 1) if tensor.dtype in FLOATS else known.get(tensor.dtype)
        return replace(tensor, range=default, kind=kind)
    low, high = bounds
    if tensor.dtype not in (*FLOATS, *INTEGERS):
        raise Fault("SD205", f"`range` is for numbers, not {tensor.dtype}", (*at, "range"), help="remove it")
    least, most = _limits(tensor.dtype)
    if not least <= low <= high <= most:
        fit = "" if tensor.dtype in FLOATS else f"; {tensor.dtype} holds {least:.0f}..{most:.0f}"
        message = f"`range` goes from the lower to the upper end{fit}; got {low:g}..{high:g}"
        raise Fault("SD205", message, (*at, "range"), help=_within(least, most, low, high))
    if tensor.dtype in INTEGERS and (low != int(low) or high != int(high)):
        message = f"the `range` of {tensor.dtype} has whole ends, not {low:g}..{high:g}"
        raise Fault("SD205", message, (*at, "range"), help=f"write [{low:.0f}, {high:.0f}]")
    return replace(tensor, range=ValueRange(low, high), kind=kind)


def _within(least: float, most: float, low: float, high: float) -> str:
    ends = sorted(min(max(end, least), most) for end in (low, high))
    return f"write [{ends[0]:g}, {ends[1]:g}]"


def _limits(dtype: str) -> tuple[float, float]:
    if dtype in FLOATS:
        most = 65504.0 if dtype == "float16" else 3e38
        return -most, most
    bits = min(int(dtype.removeprefix("u").removeprefix("int")), 54)
    return (0, 2.0**bits - 1) if dtype[0] == "u" else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


@dataclass(frozen=True)
class SyntheticRoot(Root):
    """Elements made from their index."""

    seeks: ClassVar[bool] = True

    element: Mapping[str, Tensor]
    count: int | None
    vary: bool

    def title(self) -> str:
        """Return the source's name."""
        return "synthetic"

    def keep(self, names: frozenset[str]) -> Root:
        """Return the root without the components that nothing needs; one stays to count."""
        kept = {name: tensor for name, tensor in self.element.items() if name in names}
        first = dict([next(iter(self.element.items()))])
        return replace(self, element=kept or first)

    def infer(self, scope: Scope) -> Stream:
        """Return the types named."""
        return Stream(dict(self.element), INFINITE if self.count is None else exactly(self.count))

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what each component takes beside itself while it is made, and the text that strings are cut from."""
        for name, tensor in self.element.items():
            if tensor.dtype == "string":
                text = add(times(2, tensor.length.most), 4 * len(_LETTERS), 256)
                yield Hold(HOST, text, f"the text that `{name}` is cut from", tensor.evidence)
            yield Hold(HOST, _drawn(tensor), f"`{name}` while it is drawn", tensor.evidence)

    def freed(self, after: Stream) -> Sequence[int]:
        """Return the bytes of the numbers that components are copied or cast from, where there are several.

        Then two threads make them at a time. Measured in glibc's heap: 72 MiB of holes beside 26,525 of uint8[3000],
        with an int64, in a buffer that none had left yet, and none beside as many without; 35 to 61 beside 5,000 of
        uint8[20000], and 7.
        """
        if len(after.element) == 1:
            return []
        numbers = [tensor for tensor in after.element.values() if tensor.dtype != "string"]
        return [size for tensor in numbers if (size := _drawn(tensor))]

    def lower(self, low: Lowering) -> Any:
        """Return a map over the indices."""
        data = low.tf.data.Dataset
        indices = data.counter(low.first) if self.count is None else data.range(low.first, self.count)
        makers = {name: _Maker(low, name, tensor, self.vary) for name, tensor in self.element.items()}

        def make(index: Any) -> Values:
            return {name: maker.make(index) for name, maker in makers.items()}

        return indices.map(make)


def _drawn(tensor: Tensor) -> int | None:
    """Return the bytes of the numbers that a component is made from, beside itself; None without a bound."""
    wide = times(_PER_VALUE, tensor.elements) if _through_int64(tensor) else 0
    return add(tensor.bytes if _copied(tensor) else 0, wide)


def _copied(tensor: Tensor) -> bool:
    """Return whether a component is copied once it is drawn, and both are there for a moment.

    Floats are drawn in place. Whole numbers of their dtype's own range are the front of what is drawn, which TensorFlow
    hands on as it is where it ends at a multiple of 64 B (`IsDim0SliceAligned` of its `ops_util.h`). Measured for 60 MB
    beside the result: nothing for these, 60 MB for 60 MB and 1 B of them, and for complex numbers.
    """
    if tensor.dtype in FLOATS:
        return False
    fixed = all(dim.exact for dim in tensor.shape)
    own = tensor.dtype in INTEGERS and not _through_int64(tensor)
    return not (own and fixed and tensor.bytes is not None and tensor.bytes % _ALIGNED == 0)


def _through_int64(tensor: Tensor) -> bool:
    """Return whether values are drawn as int64 first: whole numbers of a range that is not the dtype's own."""
    plain = tensor.range is None or (tensor.dtype == "uint8" and tensor.range == UINT8_RANGE)
    return tensor.dtype in (*INTEGERS, "bool") and not plain


class _Maker:
    """Makes one component inside the graph."""

    def __init__(self, low: Lowering, name: str, tensor: Tensor, vary: bool) -> None:
        self.tf = low.tf
        self.tensor = tensor
        self.vary = vary
        self.seed = draws.derive_seed(low.seed, "synthetic", name)
        if tensor.dtype == "string":
            size = (tensor.length.most or 0) + len(_LETTERS)
            self.text = self.tf.constant((_LETTERS * (size // len(_LETTERS) + 1))[:size])

    def make(self, index: Any) -> Any:
        """Return the component of the element with this index."""
        tf = self.tf
        sizes = [self._size(dim, index, axis) for axis, dim in enumerate(self.tensor.shape)]
        shape = tf.stack(sizes) if sizes else tf.constant([], tf.int64)
        if self.tensor.dtype == "string":
            length = self._size(self.tensor.length, index, -1)
            value = tf.fill(shape, tf.strings.substr(self.text, index % len(_LETTERS), length))
        else:
            value = self._numbers(index, shape)
        return tf.ensure_shape(value, self.tensor.static_shape)

    def _size(self, dim: Dim, index: Any, axis: int) -> Any:
        """Return a size that TensorFlow takes for unknown where the type says at most."""
        tf = self.tf
        most = tf.constant(dim.most, tf.int64)
        if dim.exact:
            return most
        if not self.vary:
            return most + index * 0
        key = tf.stack([tf.constant(draws.derive_seed(self.seed, axis), tf.int64), index])
        return tf.random.stateless_uniform([], key, 0, most + 1, tf.int64)

    def _numbers(self, index: Any, shape: Any) -> Any:
        tf, dtype = self.tf, self.tensor.dtype
        key = tf.stack([tf.constant(self.seed, tf.int64), index])
        if dtype in FLOATS:
            ends = self.tensor.range or ValueRange(0, 1)
            return tf.random.stateless_uniform(shape, key, ends.low, ends.high, tf.as_dtype(dtype))
        if dtype.startswith("complex"):
            part = tf.float32 if dtype == "complex64" else tf.float64
            return tf.complex(
                tf.random.stateless_uniform(shape, key, dtype=part),
                tf.random.stateless_uniform(shape, key + 1, dtype=part),
            )
        bounds = self.tensor.range
        if bounds is None or (dtype == "uint8" and bounds == UINT8_RANGE):
            return self._bits(key, shape)
        drawn = tf.random.stateless_uniform(shape, key, int(bounds.low), int(bounds.high) + 1, tf.int64)
        return tf.cast(drawn, dtype)

    def _bits(self, key: Any, shape: Any) -> Any:
        """Return integers over their whole dtype."""
        tf = self.tf
        width = tf.as_dtype(self.tensor.dtype).size
        words = tf.random.stateless_uniform(
            [tf.reduce_prod(shape) * width // 8 + 1], key, None, None, tf.uint64
        )
        if width == 8:
            return tf.reshape(tf.bitcast(words, self.tensor.dtype)[:-1], shape)
        values = tf.reshape(tf.bitcast(words, self.tensor.dtype), [-1])
        return tf.reshape(values[: tf.reduce_prod(shape)], shape)
