"""What a function of the expression language must tell about itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from safedata.expr import promote, shapes
from safedata.expr.promote import Operand
from safedata.expr.ranges import Interval
from safedata.expr.tree import Node, Span, Static, is_constant
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


class Value(NamedTuple):
    """A tensor while lowering: `batched` when its first dimensions are those of the batch."""

    tensor: Any
    batched: bool


class Site(NamedTuple):
    """One call while lowering: arguments cast to the dtypes that the dtype rule asked for."""

    tf: Any
    batch: int
    """How many leading dimensions batched values have."""
    args: tuple[Value, ...]
    types: tuple[Tensor, ...]
    static: dict[str, Static]
    result: Tensor
    batch_shape: Callable[[], Any]
    draw: Callable[[int], Any]
    """Returns so many draws in [0, 1) of this call's own for each element: float32 [batch..., count]."""

    def lead(self, index: int = 0) -> int:
        """Return how many leading dimensions of an argument belong to the batch."""
        return self.batch if self.args[index].batched else 0

    def full(self, index: int) -> Any:
        """Return an argument with its batch dimensions, repeated where it had none."""
        return repeat_over_batch(self.tf, self.args[index], self.batch_shape).tensor

    @property
    def batched(self) -> bool:
        """Whether any argument is batched, and so the result."""
        return any(value.batched for value in self.args)

    def aligned(self) -> list[Any]:
        """Return the arguments with ranks that broadcast per element, not across the batch."""
        most = max(tensor.rank for tensor in self.types)
        return [self._aligned(index, most) for index in range(len(self.args))]

    def _aligned(self, index: int, rank: int) -> Any:
        tensor = self.args[index].tensor
        if self.args[index].batched:
            for _ in range(rank - self.types[index].rank):
                tensor = self.tf.expand_dims(tensor, self.batch)
        return tensor


def repeat_over_batch(tf: Any, value: Value, batch_shape: Callable[[], Any]) -> Value:
    """Return a value that every element of the batch has a copy of."""
    if value.batched:
        return value
    shape = tf.concat([batch_shape(), tf.shape(value.tensor)], 0)
    return Value(tf.broadcast_to(value.tensor, shape), True)


Dtypes = tuple[tuple[str, ...], str]
"""The dtype that each argument is cast to, and that of the result."""
DtypeRule = Callable[[Arguments], Dtypes]
ShapeRule = Callable[[Arguments], tuple[Dim, ...]]
RangeRule = Callable[[Arguments, str], Interval]
LengthRule = Callable[[Arguments], Dim]
ExtraRule = Callable[[Arguments, Tensor], int | None]
LowerRule = Callable[[Site], Value]


def no_range(_arguments: Arguments, _dtype: str) -> Interval:
    """Return that no range can be told."""
    return None


def _unbounded_length(_arguments: Arguments) -> Dim:
    return UNBOUNDED


def _no_extra(_arguments: Arguments, _result: Tensor) -> int | None:
    return 0


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


def named(path: str) -> LowerRule:
    """Return the lowering to one of TensorFlow's own functions, `math.floordiv` say, value by value."""

    def compute(tf: Any, *tensors: Any) -> Any:
        for part in path.split("."):
            tf = getattr(tf, part)
        return tf(*tensors)

    return elementwise(compute)


def elementwise(compute: Callable[..., Any]) -> LowerRule:
    """Return the lowering `compute(tf, *tensors)` for arguments that broadcast."""

    def lower(site: Site) -> Value:
        return Value(compute(site.tf, *site.aligned()), site.batched)

    return lower


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
