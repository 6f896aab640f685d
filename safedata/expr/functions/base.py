"""What a function of the expression language must tell about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from safedata.expr import promote, shapes
from safedata.expr.functions.site import LowerRule
from safedata.expr.promote import Operand
from safedata.expr.ranges import Interval
from safedata.expr.tree import Call, Index, Node, Span, Static, is_constant
from safedata.problem import Fault
from safedata.records import record
from safedata.types import DTYPE_BYTES, UNBOUNDED, Dim, Tensor, ValueRange

ParameterKind = Literal["tensor", "tensors", "axis", "axes", "flag", "dtype", "ints", "text"]
"""`tensor` and `tensors` (two or more) are values; the others are constants, read at parse time."""
REQUIRED: Final = "(required)"


class Parameter(NamedTuple):
    """One parameter of a function; `keyword` ones take no place in the order."""

    name: str
    kind: ParameterKind = "tensor"
    default: Static = REQUIRED
    keyword: bool = False


@record(frozen=True, slots=True)
class Arguments:
    """The typed arguments of one call, for the rules."""

    function: str
    nodes: tuple[Node, ...]
    types: tuple[Tensor, ...]
    static: dict[str, Static]
    span: Span
    strict: bool
    """Whether ranges and bounds are those of the spec; not while lowering, where most are unknown."""
    sizes: Callable[[Node], tuple[object, ...]]
    """The size of each dimension of a value: a number, or what is equal for dimensions that have the same size."""

    def sizes_of(self, index: int) -> tuple[object, ...]:
        """Return the sizes of an argument."""
        return self.sizes(self.nodes[index])

    @property
    def operands(self) -> list[Operand]:
        """Each argument's type, and whether it is a literal."""
        return [(tensor, is_constant(node)) for tensor, node in zip(self.types, self.nodes, strict=True)]

    @property
    def intervals(self) -> list[ValueRange] | None:
        """Each argument's value range, stated or implied by a small dtype; None when one is unknown."""
        every = [promote.implied(tensor) for tensor in self.types]
        known = [one for one in every if one is not None]
        return known if len(known) == len(every) else None

    def axis(self, rank: int, name: str = "axis") -> int:
        """Return the axis that a setting names, counted from the front, of `rank` axes."""
        value = self.static[name]
        assert isinstance(value, int)
        if not -rank <= value < rank:
            raise self.fault("SD203", f"there is no axis {value}: the value has {rank} dimensions")
        return value % rank

    def fault(self, code: str, message: str, index: int | None = None, way_out: str | None = None) -> Fault:
        """Return a fault at the whole call, or at one argument."""
        span = self.span if index is None else self.nodes[index].span
        return Fault(code, message, within=span, help=way_out)


Dtypes = tuple[tuple[str, ...], str]
"""The dtype that each argument is cast to, and that of the result."""
DtypeRule = Callable[[Arguments], Dtypes]
ShapeRule = Callable[[Arguments], tuple[Dim, ...]]
RangeRule = Callable[[Arguments, str], Interval]
LengthRule = Callable[[Arguments], Dim]
ExtraRule = Callable[[Arguments, Tensor], int | None]
FailRule = Callable[[Arguments], bool]
SizeRule = Callable[[dict[str, Static], Sequence[tuple[object, ...]]], tuple[object, ...]]


def no_range(_arguments: Arguments, _dtype: str) -> Interval:
    """Return that no range can be told."""
    return None


def _unbounded_length(_arguments: Arguments) -> Dim:
    return UNBOUNDED


def _unknown_text(_arguments: Arguments) -> int | None:
    return None


def _no_extra(_arguments: Arguments, _result: Tensor) -> int | None:
    return 0


def never(_arguments: Arguments) -> bool:
    """Return that no value is bad."""
    return False


def always(_arguments: Arguments) -> bool:
    """Return that any value may be bad."""
    return True


def _keeps_shape(_static: dict[str, Static]) -> bool:
    return False


@record(frozen=True, slots=True)
class Function:
    """One function or operator: its parameters, static rules, lowering and documentation."""

    name: str
    parameters: tuple[Parameter, ...]
    dtype: DtypeRule
    shape: ShapeRule
    lower: LowerRule
    doc: str
    example: str
    range: RangeRule = no_range
    length: LengthRule = _unbounded_length
    """Bytes of one string of the result."""
    text: Callable[[Arguments], int | None] = _unknown_text
    """Bytes of all of them, where that is less than each being as long as the longest; else None."""
    extra: ExtraRule = _no_extra
    """Bytes that the lowering holds beside arguments, casts and result."""
    settles: Callable[[dict[str, Static]], bool] = _keeps_shape
    """Whether the result's shape is the same however large the arguments are."""
    varies: bool = False
    """Whether the result's shape depends on the arguments' values."""
    draws: bool = False
    """Whether it draws, another time for each call of it in an expression."""
    view: bool = False
    """Whether the result shares its argument's bytes."""
    in_place: bool = False
    """Whether TensorFlow's kernels write numbers over an argument of the result's sizes that nothing else needs."""
    fails: FailRule = never
    """Whether a call may find values bad at run time, as far as their types tell; sizes that do not broadcast aside."""
    sizes: SizeRule | None = None
    """The sizes of the result by the settings and the arguments' sizes; None where it makes sizes of its own."""
    revision: int = 1
    """A number that is part of the key of caches on disk: another one once the same call gives other values."""

    def fallible(self, arguments: Arguments) -> bool:
        """Return whether a call may find values bad, or of sizes that do not go together."""
        return self.fails(arguments) or (self.elementwise and _uneven(arguments))

    @property
    def elementwise(self) -> bool:
        """Whether the result has one value for each value of the arguments."""
        return self.shape is broadcast


def broadcast(arguments: Arguments) -> tuple[Dim, ...]:
    """Return the shape that the arguments broadcast to."""
    try:
        return shapes.broadcast(tensor.shape for tensor in arguments.types)
    except shapes.ShapeError as error:
        every = " and ".join(f"`{tensor}`" for tensor in arguments.types)
        raise arguments.fault(
            "SD203",
            f"the shapes of {every} do not broadcast: {error}",
            way_out="dimensions, counted from the right, must be equal or 1",
        ) from None


def _uneven(arguments: Arguments) -> bool:
    """Return whether arguments that broadcast may turn out to have sizes that do not."""
    known: list[tuple[object, ...]] = []
    for index in range(len(arguments.types)):
        sizes = arguments.sizes_of(index)
        pairs = (pair for other in known for pair in zip(reversed(sizes), reversed(other), strict=False))
        if any(1 not in pair and pair[0] != pair[1] for pair in pairs):
            return True
        known.append(sizes)
    return False


def unlike(arguments: Arguments, one: int, two: int, axes: Sequence[tuple[int, int]]) -> bool:
    """Return whether two arguments may turn out to differ in these pairs of axes, which must be equal."""
    first, second = arguments.sizes_of(one), arguments.sizes_of(two)
    return any(first[axis] != second[other] for axis, other in axes)


def places_of(node: Node, sizes: Callable[[Node], tuple[object, ...]]) -> object:
    """Return the size of the axis that all values of a node are positions of; None where its text does not tell."""
    while isinstance(node, Index):  # some of them are positions too
        node = node.base
    if not isinstance(node, Call) or node.function not in ("argmax", "argmin", "argsort"):
        return None
    found = sizes(node.args[0])
    return found[0] if len(found) == 1 else None


def like_first(_static: dict[str, Static], given: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """Return that the result has the sizes of the first argument."""
    return given[0]


def joined(rule: Callable[[list[Operand]], str | None], wanted: str, result: str | None = None) -> DtypeRule:
    """Return the dtype rule that casts every argument to one dtype, the result's unless `result` is given."""

    def dtypes(arguments: Arguments) -> Dtypes:
        dtype = rule(arguments.operands)
        if dtype is None:
            raise no_dtype(arguments, wanted)
        return (dtype,) * len(arguments.types), result or dtype

    return dtypes


def no_dtype(arguments: Arguments, wanted: str) -> Fault:
    """Return the fault for arguments whose dtypes do not fit, at the one to blame where there is one."""
    dtypes = [tensor.dtype for tensor in arguments.types]
    every = " and ".join(f"`{dtype}`" for dtype in dict.fromkeys(dtypes))
    way_out = None
    if "uint64" in dtypes:
        way_out = 'no dtype holds all results for uint64; cast it first, as in `cast(x, "int64")`'
    elif "string" in dtypes:
        way_out = (
            'turn text into a number with `to_number(x, "float32")`, a number into text with `as_string(x)`'
        )
    elif "bool" in dtypes:
        way_out = 'count truth values with `cast(x, "int32")`'
    name = arguments.function
    odd = next((at for at, dtype in enumerate(dtypes) if dtype in ("string", "uint64")), None)
    index = odd if odd is not None and dtypes.count("string") < len(dtypes) else None
    return arguments.fault("SD208", f"`{name}` takes {wanted}, not {every}", index, way_out)


def all_of(*dtypes: str, result: str | None = None, wanted: str) -> DtypeRule:
    """Return the dtype rule for arguments that must be one of some dtypes, and stay as they are."""

    def rule(arguments: Arguments) -> Dtypes:
        for index, tensor in enumerate(arguments.types):
            if tensor.dtype not in dtypes:
                help_text = "compare it, as in `x != 0`" if dtypes == ("bool",) else None
                found = f"`{arguments.function}` takes {wanted}, not `{tensor.dtype}`"
                raise arguments.fault("SD208", found, index, help_text)
        every = tuple(tensor.dtype for tensor in arguments.types)
        return every, result or every[0]

    return rule


def from_intervals(rule: Callable[..., Interval]) -> RangeRule:
    """Return the range rule that computes with the arguments' intervals, where all are known."""

    def ranges(arguments: Arguments, _dtype: str) -> Interval:
        intervals = arguments.intervals
        return rule(*intervals) if intervals is not None else None

    return ranges


def bytes_as(tensor: Tensor, dtype: str) -> int | None:
    """Return the bytes of a tensor's values in another dtype."""
    count = tensor.elements
    return None if count is None else count * DTYPE_BYTES[dtype]


def scalar(_arguments: Arguments) -> tuple[Dim, ...]:
    """Return the shape of a scalar."""
    return ()


X: Final = Parameter("x")
S: Final = Parameter("s")
ONE: Final = (X,)
TWO: Final = (Parameter("a"), Parameter("b"))
