"""`call`: the way out to Python. It is no name of an operation: an entry of a chain that has the key `call` is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import Field, PositiveInt, PrivateAttr, ValidationError, model_validator

from safedata import draws
from safedata.external.arguments import crossing_bytes, scratch_bytes, seed_of
from safedata.external.declared import Result, types
from safedata.external.function import Arguments, Seconds, check_names, unsaid
from safedata.external.target import Target, find, parse_target
from safedata.fields import Size
from safedata.insist import Check, insist
from safedata.lowering import Call, enforce
from safedata.memory import add, format_size, times
from safedata.ops._links import Known
from safedata.ops.base import Joint
from safedata.problem import Fault, Path
from safedata.types import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.external.callee import Callee
    from safedata.ops._links import Place


class PythonCall(Joint):
    """Call a function of a module that the caller allows: `{call: "package.module:function", ...}`.

    It gets the chain's components in order, as NumPy arrays that cannot be written to (numbers and `bytes` for
    scalars), and returns the component, or a dict of them. What it returns is held to what `returns` declares, dtype,
    shape, string length and value range, while the pipeline runs. It runs under Python's lock, and a pipeline with it
    cannot be written to a file or sent to another process. A check takes its word for the bytes and imports nothing.

    Behind `batch` it is called once for each batch: it gets arrays with the batch dimension in front and returns as
    many rows. `returns` says the type of one element there too, and `workspace` what a call for a whole batch holds.

    With `graph: true` it gets and returns TensorFlow's tensors and is traced into the graph once.
    """

    example: ClassVar[str] = (
        '{call: "mine.vision:cut", returns: {image: "uint8[224, 224, 3]"}, workspace: 1MiB, version: 1}'
    )
    fallible: ClassVar[bool] = True

    call: str
    """The function: `package.module:function`."""
    returns: dict[str, str | Result]
    """The type of each component that it returns: `{image: "uint8[224, 224, 3]"}`. With more than the type:
    `{image: {type: "float32[224, 224, 3]", range: [0, 1], kind: image}}`."""
    space: Annotated[Size | None, Field(alias="workspace")] = None
    """The most that one call holds beside what it takes and returns, with its share of what the module keeps."""
    parallel: PositiveInt | None = None
    """Calls of the function at once, by default 1: more only helps where it lets go of Python's lock."""
    graph: bool = False
    """Whether it is made of TensorFlow's operations, so that it becomes part of the graph."""
    seed: bool = False
    """Whether it takes a `seed`, which follows from `runtime.seed`, the epoch and the element's index: an int, and for
    a graph int64[2]. For a batch it has one for each element, int64[batch] or int64[batch, 2], so that elements need
    not depend on how they are batched. A function that draws otherwise gives other elements in each run."""
    version: str | int | None = None
    """Which version of the function this is, for the manifest: another one says that elements change."""
    arguments: Arguments = Field(default_factory=dict)
    """What it is handed by name, the same in every call: `{width: 224, words: [a, the]}`. What its signature does not
    take is refused when the graph is built."""
    timeout_s: Seconds | None = None
    """The most seconds that a call may take; more is an error (SD251). Python can end no thread: the call goes on by
    itself, and nobody gets what it makes."""

    _target: Target = PrivateAttr(default=Target("", ""))
    _path: Path = PrivateAttr(default=())
    """Where it stands, from the document's top: what is wrong with the function shows only when the graph is built."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.graph and self.parallel is not None:
            raise ValueError(
                "`parallel` is for functions of Python's; a graph is called as the map's `parallel` says"
            )
        if self.graph and self.timeout_s is not None:
            raise ValueError("`timeout_s` is for functions of Python's; a graph runs until it is done")
        return self

    @classmethod
    def parse(cls, fields: object, place: Place) -> PythonCall | None:
        """Return the call that an entry says, or None after its faults were reported; nothing is imported."""
        given = cast("dict[str, object]", fields)
        kind = SeededCall if given.get("seed") is True else PythonCall
        again = isinstance(
            place, Known
        )  # it was allowed when it was read first, and is asked again when it is run
        try:
            made = kind.model_validate(given)
            made._target = parse_target(made.call, known=again)
            made._path = ("steps",) if again else place.path
            if not again:
                made._check_names(place)
            check_names(made.arguments, made.seed)
            types(made.returns)
        except ValidationError as error:
            place.invalid(error, (*place.path, "call"))
            return None
        except Fault as fault:
            place.fault(fault)
            return None
        return made

    def _check_names(self, place: Place) -> None:
        """Raise where the components that it returns are not those that its chain makes."""
        made = next((part for part in place.relative if isinstance(part, str)), None)
        names = [name.strip() for name in made.split(",")] if made is not None else list(self.returns)
        if set(names) != set(self.returns):
            wanted, found = (", ".join(f"`{name}`" for name in some) for some in (names, self.returns))
            message = f"the chain makes {wanted}, and this call returns {found}"
            way_out = f"declare {wanted} in `returns`; `image, boxes: [...]` is a chain that makes both"
            raise Fault("SD234", message, ("returns",), help=way_out)

    @classmethod
    def key(cls) -> str:
        """Return `call`."""
        return "call"

    @property
    def target(self) -> Target:
        """The function."""
        return self._target

    @property
    def outputs(self) -> dict[str, Tensor]:
        """The type of each component that it returns."""
        return types(self.returns)

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the declared types.

        Raises:
            Fault: SD233, nobody says how many bytes the function takes.
        """
        made = tuple(self.outputs.values())
        if self.space is None:
            sides = [format_size(add(*(one.bytes for one in some))) for some in (xs, made)]
            note = f"it takes {sides[0]} at most and returns {sides[1]} at most, which are counted already"
            raise unsaid(self.call, note)
        return made

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return what is declared, and for Python the text that crosses as objects and the results' copies."""
        return self.batch_workspace_all(xs, ys, 1)

    def batch_workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int) -> int | None:
        """Return the same for one call of a batch: `workspace` is for all of its elements, and said once."""
        if self.graph:
            return self.space
        return add(self.space, self.aside_all(xs, ys, count), times(count, add(*(one.bytes for one in ys))))

    def aside_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int) -> int | None:
        """Return the text that crosses: what a call has before its turn, or behind it with the results.

        One call at a time copies its results, under Python's lock; those whose turn it is count a copy each, and have
        none while they are in the function.
        """
        return times(count, add(*(crossing_bytes(one) for one in (*xs, *ys))))

    def scratch_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int | None) -> int | None:
        """Return what a function of Python's may leave in its thread's arena."""
        return 0 if self.graph else scratch_bytes(self.space, ys, count)

    @property
    def turns(self) -> int | None:
        """How many calls may be in the function at once; a graph's run as a map's do."""
        return None if self.graph else self.parallel or 1

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return what the function makes of the components, each of its declared type."""
        lower = self._traced if self.graph else self._called
        try:
            return lower(self._callee(len(values)), values, call)
        except Fault as fault:
            placed = replace(fault, at=(*self._path, *fault.at), absolute=True)
            raise placed from fault.__cause__

    def _callee(self, given: int) -> Callee:
        """Return the function as it will be called."""
        from safedata.external.callee import Callee, check_signature

        made = Callee(find(self._target), self.call, self.outputs, self.seed, self.arguments, self.timeout_s)
        check_signature(made, given)
        return made

    def _called(self, callee: Callee, values: tuple[Any, ...], call: Call) -> tuple[Any, ...]:
        from safedata.external.running import Caller

        tf, outputs = call.tf, self.outputs
        dims = call.batch_dims
        caller = Caller(callee, self.parallel or 1, batch_dims=dims)
        seed = [seed_of(call)] if self.seed else []
        made = tf.numpy_function(
            caller, [call.where.text, *seed, *values], [one.dtype for one in outputs.values()], stateful=True
        )
        leading = tuple(values[0].shape[:dims])
        return tuple(
            tf.ensure_shape(one, leading + tensor.static_shape)
            for one, tensor in zip(made, outputs.values(), strict=True)
        )

    def _traced(self, callee: Callee, values: tuple[Any, ...], call: Call) -> tuple[Any, ...]:
        tf, outputs = call.tf, self.outputs
        key = seed_of(call) if self.seed else None
        named = {"seed": tf.stack([key, draws.parted(tf, key, 1)], -1)} if self.seed else {}
        try:
            made = tf.function(callee.function)(*values, **callee.own(), **named)
        except Exception as error:  # whatever somebody else's function raises
            message = (
                f"`{self.call}` cannot be traced: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
            )
            way_out = "use TensorFlow's operations alone in it, or leave `graph: true` out"
            raise Fault("SD236", message, ("call",), help=way_out) from error
        several = self._several(made)
        given = values[0]
        return tuple(self._held(several[name], name, tensor, call, given) for name, tensor in outputs.items())

    def _several(self, made: Any) -> Mapping[str, Any]:
        if isinstance(made, Mapping):
            several = cast("Mapping[str, Any]", made)
        elif len(self.returns) == 1:
            several = dict.fromkeys(self.returns, made)
        else:
            several = {}
        if set(several) != set(self.returns):
            wanted = ", ".join(f"`{name}`" for name in self.returns)
            raise Fault("SD236", f"`{self.call}` returns other components than {wanted}", ("returns",))
        return several

    def _held(self, value: Any, name: str, tensor: Tensor, call: Call, given: Any) -> Any:
        """Return a graph's result with its declared type made true, and with as many rows as the batch `given`."""
        tf, dims = call.tf, call.batch_dims
        made = tf.convert_to_tensor(value)
        wanted = given.shape[:dims].concatenate(tensor.static_shape)
        if made.dtype.name != tensor.dtype or not made.shape.is_compatible_with(wanted):
            found = f"{made.dtype.name}{made.shape}"
            rows = ", for each element of a batch" if dims else ""
            message = f"`{self.call}` makes {found} for `{name}`, and {tensor} is declared{rows}"
            raise Fault("SD236", message, ("returns", name), help="declare what it makes, or cast it there")
        made = insist(tf, made, list(self._rows(tf, made, given, dims, name)), call.where)
        held = enforce(tf, made, tensor, f"`{self.call}`: {name}", call.where, dims)
        held = tf.ensure_shape(held, wanted)
        if tensor.range is None:
            return held
        low, high = (tf.cast(end, held.dtype) for end in (tensor.range.low, tensor.range.high))
        inside = tf.reduce_all((held >= low) & (held <= high))
        message = f"SD511: `{self.call}` made values for `{name}` outside of {tensor.range}; of"
        return insist(tf, held, [Check(inside, message, tf.reduce_max(tf.abs(held)))], call.where)

    def _rows(self, tf: Any, made: Any, given: Any, dims: int, name: str) -> Iterator[Check]:
        """Yield what must hold of a batch: it has a row for each one that came in."""
        if dims and not (made.shape[:dims].is_fully_defined() and given.shape[:dims].is_fully_defined()):
            rows = tf.shape(made)[:dims]
            message = (
                f"SD511: `{self.call}` made another number of rows for `{name}` than the batch has; made"
            )
            yield Check(tf.reduce_all(rows == tf.shape(given)[:dims]), message, rows)


class SeededCall(PythonCall):
    """A call of a function that draws, with the seed that it is handed."""

    random: ClassVar[bool] = True
