"""The type of a stream: components, dtypes, bounded dimensions, value ranges, cardinality.

No TensorFlow and no NumPy here: these types are what `safedata check` computes with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from math import prod
from operator import is_not
from typing import Final, Literal

from safedata.cardinality import Cardinality
from safedata.memory import HOST, Evidence, Place, add, largest, times, weakest
from safedata.records import record, replace

DTYPE_BYTES: Final[dict[str, int]] = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "uint16": 2,
    "int16": 2,
    "uint32": 4,
    "int32": 4,
    "uint64": 8,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}
"""Bytes of one value of each numeric dtype; `string` is not among them."""

DTYPES: Final = (*DTYPE_BYTES, "string")
FLOATS: Final = ("float16", "bfloat16", "float32", "float64")
SIGNED: Final = ("int8", "int16", "int32", "int64")
UNSIGNED: Final = ("uint8", "uint16", "uint32", "uint64")
INTEGERS: Final = SIGNED + UNSIGNED

STRING_SLOT: Final = 24
"""Bytes of TensorFlow's `tstring` itself; up to `STRING_INLINE` lie inside it."""
STRING_INLINE: Final = 22
STRING_HEAP: Final = 64
"""Bound on what the allocator adds to a longer string's bytes (memory facts, 3.0)."""

Kind = Literal["image", "mask", "boxes", "keypoints"]
Color = Literal["rgb", "gray", "rgba"]


@record(frozen=True, slots=True)
class Dim:
    """A dimension, or the length of a string: exactly n, at most n, or unbounded (None)."""

    most: int | None
    exact: bool = False
    evidence: Evidence = "exact"

    @staticmethod
    def exactly(size: int, evidence: Evidence = "exact") -> Dim:
        """Return the dimension that is always `size`."""
        return Dim(size, True, evidence)

    @staticmethod
    def at_most(size: int | None, evidence: Evidence = "exact") -> Dim:
        """Return the dimension that never exceeds `size`."""
        return Dim(size, False, evidence)

    @property
    def static(self) -> int | None:
        """The size as TensorFlow's `element_spec` shows it: a number only where it is exact."""
        return self.most if self.exact else None

    def __str__(self) -> str:
        if self.most is None:
            return "?"
        return str(self.most) if self.exact else f"<={self.most}"

    def __add__(self, other: Dim) -> Dim:
        if self.most is None or other.most is None:
            return UNBOUNDED
        return Dim(self.most + other.most, self.exact and other.exact, weakest(self.evidence, other.evidence))

    def scaled(self, factor: int) -> Dim:
        """Return the dimension `factor` times as large."""
        return replace(self, most=None if self.most is None else self.most * factor)

    def capped(self, size: int, evidence: Evidence = "exact") -> Dim:
        """Return the dimension cut off at `size`: exact only if it was exact."""
        if self.most is None or self.most > size:
            return Dim(size, self.exact, evidence if not self.exact else self.evidence)
        return self

    def join(self, other: Dim) -> Dim:
        """Return the tightest dimension that holds for both."""
        if self.most is None or other.most is None:
            return UNBOUNDED
        exact = self.exact and other.exact and self.most == other.most
        return Dim(max(self.most, other.most), exact, weakest(self.evidence, other.evidence))


UNBOUNDED: Final = Dim(None)


@record(frozen=True, slots=True)
class ValueRange:
    """The closed interval that a component's values lie in."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def map(self, scale: float, offset: float = 0.0) -> ValueRange:
        """Return the range of `x * scale + offset`."""
        ends = (self.low * scale + offset, self.high * scale + offset)
        return ValueRange(min(ends), max(ends))

    def join(self, other: ValueRange) -> ValueRange:
        """Return the smallest range around both."""
        return ValueRange(min(self.low, other.low), max(self.high, other.high))


UINT8_RANGE: Final = ValueRange(0.0, 255.0)
UNIT_RANGE: Final = ValueRange(0.0, 1.0)
SIGNED_UNIT_RANGE: Final = ValueRange(-1.0, 1.0)


IMAGE_ENDS: Final = {"jpeg": b"\xff\xd9", "png": b"\x60\x82"}
"""The last two bytes of an image file that most likely is whole: the end marker, the checksum of the last chunk."""
IMAGE_LEAST: Final = 4
"""Bytes that the shortest image file has, and more: a JPEG's beginning and its end."""


@record(frozen=True, slots=True)
class Encoded:
    """What is known of the images inside encoded bytes: their decoded sizes and their formats."""

    height: Dim = UNBOUNDED
    width: Dim = UNBOUNDED
    formats: frozenset[str] = frozenset()
    """Lowercase names as in file headers: `jpeg`, `png`, `gif`, `bmp`, `webp`; empty when unknown."""
    whole: bool = False
    """Whether all of them, JPEG or PNG, were seen to end as their formats do: none was cut off at the check."""
    coefficients: int | None = None
    """Bytes that decoding one of them keeps for the coefficients of a whole JPEG, at most; None when unknown."""
    sizes: tuple[tuple[int, int, int], ...] = field(default=(), compare=False)
    """Heights and widths that were seen, one several times perhaps, and how many images have each; none where nobody
    counted them. Types do not differ by it."""

    def join(self, other: Encoded) -> Encoded:
        """Return what is known of images that are one or the other."""
        formats = self.formats | other.formats if self.formats and other.formats else frozenset[str]()
        whole = self.whole and other.whole
        kept = largest(self.coefficients, other.coefficients)
        sizes = (*self.sizes, *other.sizes) if self.sizes and other.sizes else ()
        return Encoded(
            self.height.join(other.height), self.width.join(other.width), formats, whole, kept, sizes
        )


@record(frozen=True, slots=True)
class Tensor:
    """The type of one component.

    `ragged_rank` counts the leading dimensions whose rows differ in length, as TensorFlow's
    `RaggedTensorSpec` does; 0 for an ordinary dense tensor.
    """

    dtype: str
    shape: tuple[Dim, ...] = ()
    length: Dim = UNBOUNDED
    """Bytes of one string; means something only when the dtype is `string`."""
    range: ValueRange | None = None
    kind: Kind | None = None
    color: Color | None = None
    ragged_rank: int = 0
    encoded: Encoded | None = None
    """For a `string` of encoded images: what their headers say."""
    parts: tuple[int, tuple[Dim, ...], Dim] | None = None
    """For strings that are parts of one: the bytes of all together at most, with shape and length of the type that it
    was said of; stacked ones have more dimensions in front. It speaks of these very objects, so a step that sets
    another dimension or length ends it."""

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def broken(self) -> bool:
        """Whether an earlier problem left this component without a type; say nothing more about it."""
        return self.dtype == "?"

    @property
    def elements(self) -> int | None:
        """The largest number of values, None when a dimension is unbounded."""
        total = 1
        for dim in self.shape:
            if dim.most is None:
                return None
            total *= dim.most
        return total

    @property
    def bytes(self) -> int | None:
        """The largest payload in bytes, strings with their slots and heap; None when unbounded."""
        count = self.elements
        if count is None:
            return None
        if self.dtype != "string":
            return count * DTYPE_BYTES[self.dtype] + self._splits
        if count == 0:
            return self._splits
        text, long = self.text, self.long_strings
        if text is None or long is None:
            return None
        return count * STRING_SLOT + text + long * STRING_HEAP + self._splits

    @property
    def text(self) -> int | None:
        """The most bytes that all of its strings have together, None when unbounded."""
        count, longest = self.elements, self.length.most
        if count == 0:
            return 0
        together, every = self._together, times(count, longest)
        return every if together is None else together if every is None else min(together, every)

    @property
    def _together(self) -> int | None:
        """What `parts` says of these strings, None where it speaks of others, or of nothing."""
        if self.parts is None:
            return None
        total, shape, length = self.parts
        outer = len(self.shape) - len(shape)
        if outer < 0 or length is not self.length or any(map(is_not, self.shape[outer:], shape)):
            return None
        most = [dim.most for dim in self.shape[:outer]]
        return None if None in most else prod([total, *filter(None, most)])

    @property
    def long_strings(self) -> int | None:
        """The most of its strings that have a block of their own: those of more than 22 bytes; None when unbounded."""
        count, text = self.elements, self.text
        if self.length.most is not None and self.length.most <= STRING_INLINE:
            return 0
        return None if count is None or text is None else min(count, text // (STRING_INLINE + 1))

    def of_one(self, text: int | None) -> Tensor:
        """Return the type where all strings have so many bytes together at most; itself where nobody knows.

        Where the number of strings has no bound nothing is said.
        """
        if text is None or self.dtype != "string" or not self.rank or self.elements is None:
            return self
        length = replace(self.length)  # an object of its own: one stands for all lengths without a bound
        return replace(self, length=length, parts=(text, self.shape, length))

    def parts_of(self, whole: Dim, *, least: int = 0) -> Tensor:
        """Return the type of strings that all lie in one of this length; itself where less is known of that.

        Args:
            whole: bytes of the one; of a sample it is no bound of others, whose parts may fit each by itself.
            least: bytes of the strings that stand there where there is no such one.
        """
        known = whole.evidence != "sampled" and weakest(whole.evidence, self.evidence) == self.evidence
        return self.of_one(max(whole.most, least)) if known and whole.most is not None else self

    def among(self, before: Tensor, value: str) -> Tensor:
        """Return this type for the strings of another one with any number of others among them, all the same."""
        return self.of_one(add(before.text, times(self.elements, len(value.encode()))))

    @property
    def _splits(self) -> int:
        """Bytes of the row splits: for each ragged level, one number more than it has rows.

        A ragged tensor's last dimension has none. Where the type is that of a row of a batch, which has its first
        dimensions, the levels of these take two numbers each.
        """
        own = min(self.ragged_rank, max(0, self.rank - 1))
        rows, total = 1, 16 * (self.ragged_rank - own)
        for dim in self.shape[:own]:
            rows *= dim.most or 0  # asked only where all are known
            total += 8 * (rows + 1)
        return total

    @property
    def static(self) -> bool:
        """Whether every dimension is exact."""
        return all(dim.exact for dim in self.shape)

    @property
    def constant(self) -> bool:
        """Whether all tensors of this type take the same bytes."""
        return self.static and (self.dtype != "string" or self.length.exact)

    @property
    def static_shape(self) -> tuple[int | None, ...]:
        """The shape as TensorFlow's `element_spec` shows it."""
        return tuple(dim.static for dim in self.shape)

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence among the dimensions and the string length."""
        lengths = (self.length.evidence,) if self.dtype == "string" else ()
        return weakest(*(dim.evidence for dim in self.shape), *lengths)

    def with_leading(self, *dims: Dim) -> Tensor:
        """Return the type of these tensors stacked along new first dimensions."""
        return replace(self, shape=(*dims, *self.shape))

    def without_leading(self, count: int) -> Tensor:
        """Return the type of one part, `count` leading dimensions taken away."""
        return replace(self, shape=self.shape[count:]) if count else self

    def join(self, other: Tensor) -> Tensor:
        """Return the tightest type that holds for both; they must share dtype and rank."""
        return Tensor(
            self.dtype,
            tuple(one.join(two) for one, two in zip(self.shape, other.shape, strict=True)),
            self.length.join(other.length) if self.dtype == "string" else UNBOUNDED,
            self.range.join(other.range) if self.range and other.range else None,
            self.kind if self.kind == other.kind else None,
            self.color if self.color == other.color else None,
            max(self.ragged_rank, other.ragged_rank),
            self.encoded.join(other.encoded) if self.encoded and other.encoded else None,
        ).of_one(largest(self.text, other.text) if self.parts and other.parts else None)

    def __str__(self) -> str:
        dims = ", ".join(str(dim) for dim in self.shape)
        if self.dtype != "string":
            return f"{self.dtype}[{dims}]" + (" ragged" if self.ragged_rank else "")
        if self.length.most is None:
            length = "?"
        else:
            length = ("" if self.length.exact else "<=") + _exact_size(self.length.most)
        return f"string[{length}]" + (f"[{dims}]" if self.shape else "")


BROKEN: Final = Tensor("?")
"""The type of a component behind a problem that has been reported already."""

SCALAR_INT64: Final = Tensor("int64")
BOOL: Final = Tensor("bool")

Element = Mapping[str, Tensor]
"""The components of one element, in order."""


def image(height: Dim, width: Dim, channels: int, dtype: str = "uint8") -> Tensor:
    """Return the type of a decoded image with values 0..255."""
    colors: dict[int, Color] = {1: "gray", 3: "rgb", 4: "rgba"}
    return Tensor(
        dtype,
        (height, width, Dim.exactly(channels)),
        range=UINT8_RANGE,
        kind="image",
        color=colors.get(channels),
    )


def element_bytes(element: Element) -> int | None:
    """Return the largest payload of one element in bytes, None when a component is unbounded."""
    total = 0
    for tensor in element.values():
        part = None if tensor.broken else tensor.bytes
        if part is None:
            return None
        total += part
    return total


def format_element(element: Element, *, hidden: bool = False) -> str:
    """Return `image: uint8[224, 224, 3], label: int64[]`; internal components only if `hidden`."""
    return ", ".join(f"{name}: {tensor}" for name, tensor in element.items() if hidden or name[:1] != "#")


Stratification = tuple[tuple[Tensor, int], ...]
"""The elements of an epoch in groups of one component's size, the largest first: a type that holds for all of a group,
and how many there are."""
Strata = Mapping[str, tuple[Stratification, ...]]
"""By component: its elements in strata, in one way or several."""


@record(frozen=True, slots=True)
class Stream:
    """What flows between two stages."""

    element: Element
    """Component types, the batch dimensions included; names that start with `#` are internal."""
    cardinality: Cardinality
    batch_dims: int = 0
    """How many leading dimensions of every component came from batching."""
    shared: str | None = None
    """The memory cache whose tensors these elements share; None once something copied them."""
    evidence: Evidence = field(default="exact")
    """What the cardinality rests on."""
    place: Place = HOST
    """Where the elements lie: the host, or the GPU that a step has carried them to."""
    narrow: tuple[Element, int] | None = None
    """Components, and the bytes that they take at most where that is less than their types say, as for batches of
    which the longer have fewer rows. It speaks of that very object, so a step that makes new components ends it."""
    strata: Strata = field(default_factory=dict[str, tuple[Stratification, ...]], compare=False)
    """How many elements of an epoch are of which size, where that was seen. The walk along the steps sets it, by what
    each step says of itself."""

    @property
    def together(self) -> int | None:
        """The bytes that one element takes at most, where more is known of them than the types say."""
        return self.narrow[1] if self.narrow is not None and self.narrow[0] is self.element else None

    def narrowed(self, most: int | None) -> Stream:
        """Return the same stream, whose elements take `most` bytes at most, their objects included; None if unknown."""
        return replace(self, narrow=None if most is None else (self.element, most))

    @property
    def visible(self) -> Element:
        """The components that the user knows of."""
        return {name: tensor for name, tensor in self.element.items() if name[:1] != "#"}

    @property
    def bytes(self) -> int | None:
        """The largest payload of one element in bytes, internal components included."""
        found, most = element_bytes(self.element), self.together
        return found if found is None or most is None else min(found, most)

    @property
    def weakest(self) -> Evidence:
        """The weakest evidence among the components and the cardinality."""
        return weakest(self.evidence, *(t.evidence for t in self.element.values() if not t.broken))

    def with_element(self, element: Element) -> Stream:
        """Return the same stream with other components."""
        return replace(self, element=dict(element))

    def __str__(self) -> str:
        return format_element(self.element)


def _exact_size(count: int) -> str:
    """Return bytes without rounding, so that a printed type can be read back as the same type."""
    for name, unit in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count and count % unit == 0:
            return f"{count // unit}{name}"
    return f"{count}B"
