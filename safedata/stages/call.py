"""`call`: a function of Python's that makes one element of each, or several, or leaves it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from safedata import lowering
from safedata.cardinality import Cardinality
from safedata.external.arguments import crossing_bytes, scratch_bytes, seed_of
from safedata.external.function import Function
from safedata.external.leaving import LeavingOut, most_left_out
from safedata.external.several import COUNT, SeveralCaller, packed, sizes_of
from safedata.lowering import OK, ROW, Lowering, Values, as_written, mapped
from safedata.memory import HOST, Hold, add, largest, times, weakest
from safedata.problem import Fault, did_you_mean
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes
from safedata.stages._fields import Count, Names
from safedata.stages._scratch import left_behind
from safedata.stages._stacking import check_single
from safedata.stages.base import Parsing, Stage
from safedata.types import SCALAR_INT64, Element, Stream

if TYPE_CHECKING:
    from typing_extensions import Self

_NESTED: Final = 4096
"""Bytes of the dataset that hands out the elements of one call, and of its iterator."""


@record(frozen=True, slots=True)
class Many:
    """At most so many elements of one."""

    most: int

    def __str__(self) -> str:
        return f"many: {self.most}"


def _cardinality(value: object) -> object:
    if value in ("one", "zero_or_one") or isinstance(value, Many):
        return value
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    most = given.get("many")
    if len(given) == 1 and isinstance(most, int) and not isinstance(most, bool) and most > 0:
        return Many(most)
    raise ValueError("`cardinality` is `one`, `zero_or_one`, or the most that one call makes: `{many: 8}`")


Cardinalities = Annotated[
    Literal["one", "zero_or_one"] | Many,
    BeforeValidator(_cardinality),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["one", "zero_or_one"]},
                {
                    "type": "object",
                    "properties": {"many": {"type": "integer", "exclusiveMinimum": 0}},
                    "required": ["many"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""How many elements a call makes of one."""


class Call(Function, Stage):
    """Call a function of a module that the caller allows; it may make several elements of one, or none.

    It gets the components of `from` in their order, as NumPy arrays that cannot be written to (numbers and `bytes` for
    scalars). With `cardinality: one` it returns the component, or a dict of them, as in a `map`; with `zero_or_one` the
    same, or None to leave the element out. With `{many: 8}` it returns an iterable of up to 8 such elements, a
    generator say, or arrays with a row for each. What it returns is held to `returns` while the pipeline runs.
    Components that it does not return go along with each element that it makes, and a random operation behind it draws
    anew for each.

    It stands before `batch`; behind it, a `call` in a `map` takes whole batches.
    """

    example: ClassVar[str] = (
        'call: {function: "mine.audio:chunks", from: wave, returns: {wave: "float32[16000]"}, '
        "cardinality: {many: 30}, workspace: 4MiB, version: 1}"
    )

    knobs: ClassVar[tuple[str, ...]] = ("parallel",)

    start: Annotated[str | Names, Field(alias="from")]
    """The component that the function takes, or several: its arguments, in this order."""
    cardinality: Cardinalities = "one"
    """How many elements it makes of one: `one`, `zero_or_one`, or at most so many: `{many: 8}`."""
    on_error: LeavingOut = None
    """What becomes of an element that the function fails on, or needs too long for: `skip` leaves it out, at most 100
    in an epoch, or `{skip: {max: 20}}`. As `runtime.on_error` says unless given."""
    parallel: Count = 1
    """Calls of the function at once: more only helps where it lets go of Python's lock."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported; nothing is imported."""
        made = super().parse(value, beside, parsing)
        try:
            if made is not None:
                made.check()
        except Fault as fault:
            parsing.fault(fault)
            return None
        return made

    @property
    def fallible(self) -> bool:
        """Whether the function may fail on an element: it may."""
        return True

    @property
    def named(self) -> tuple[str, ...]:
        """The components that the function takes."""
        return (self.start,) if isinstance(self.start, str) else self.start

    @property
    def most(self) -> int:
        """How many elements one call makes at most."""
        return self.cardinality.most if isinstance(self.cardinality, Many) else 1

    def calls(self, scope: Scope) -> int:
        """Return the number of calls at once."""
        return self.parallel

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the function takes, and what passes by."""
        return (after - frozenset(self.returns)) | frozenset(self.named)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of the elements that the function makes.

        Raises:
            Fault: SD201, a component is not there; SD203, one is ragged; SD207, elements are batched.
        """
        check_single("call", before)
        for name in self.named:
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                raise Fault("SD201", f"there is no component `{name}` here", ("from",), help=known)
            if before.element[name].ragged_rank:
                problem = f"`call` takes dense components, and `{name}` is {before.element[name]}"
                raise Fault("SD203", problem, ("from",), help="put a `map` with `to_dense` before it")
        element: Element = {**before.element, **self.outputs}
        if isinstance(self.cardinality, Many):
            element = {**element, ROW: SCALAR_INT64}
        return replace(before, element=element, cardinality=self._counted(before, scope), shared=None)

    @property
    def leaves_out(self) -> int | None:
        """How many elements it leaves out by itself; None where it does what `runtime.on_error` says."""
        return most_left_out(self.on_error)

    def _goes_on(self, scope: Scope) -> bool:
        """Return whether the run goes on without an element that the function fails on."""
        return self.on_error is not None or scope.on_error == "skip"

    def _counted(self, before: Stream, scope: Scope) -> Cardinality:
        if self.cardinality == "one" and not self._goes_on(scope):
            return before.cardinality
        return before.cardinality.times(self.most).weakened()

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the calls at once, each with what it gets, makes and declares, and the elements of one taken apart.

        What a call makes is there twice, as Python's and as TensorFlow's. Of several elements there is one more, on
        its way to the others. Without calls ahead, those of one call are gone before the next call starts (measured).
        """
        evidence = weakest(before.weakest, after.weakest)
        if self.timeout_s is not None:
            from safedata.external.timed import left_alone

            yield from left_alone(self.parallel, self._running(before), self._goes_on(scope), evidence)
        made = slot_bytes(self._made(before), scope)
        running = self._running(before)
        waiting = largest(slot_bytes(before, scope), made)
        what = "1 call" if self.parallel == 1 else f"{self.parallel} calls at once"
        at_once = min(self.parallel, max(1, scope.cpus))
        left = left_behind(self.scratch(before, scope), at_once, scope, evidence)
        if self.cardinality == "one":
            yield Hold(HOST, times(self.parallel, largest(running, waiting)), what, evidence)
            yield from left
            return
        apart = add(made, times(2, after.bytes))
        if self.parallel == 1:
            what = "1 call, or its elements taken apart"
            yield Hold(HOST, largest(running, waiting, apart), what, evidence)
        else:
            yield Hold(HOST, times(self.parallel, largest(running, waiting)), what, evidence)
            yield Hold(HOST, apart, "the elements of one call, taken apart", evidence)
        yield Hold(HOST, _NESTED, "what hands them out")
        yield from left

    def scratch(self, before: Stream, scope: Scope) -> int | None:
        """Return what a call may leave in its thread's arena: of several elements the room that they are put into."""
        of_one = scratch_bytes(self.workspace, self.outputs.values())
        if self.cardinality == "one":
            return of_one
        return add(of_one, scratch_bytes(0, self.outputs.values(), self.most))

    def hollow(self, before: Stream, scope: Scope) -> int | None:
        """Return what functions hold beside elements, which no buffer leaves behind when an epoch ends."""
        late = self.timeout_s is not None and self._goes_on(scope)
        return times(self.parallel * (2 if late else 1), self.workspace)

    def _running(self, before: Stream) -> int | None:
        """Return what one call holds: the element, what crosses as objects of Python's, and what it makes."""
        outputs = self.outputs.values()
        one = add(*(tensor.bytes for tensor in outputs), *(crossing_bytes(tensor) for tensor in outputs))
        taken = add(*(crossing_bytes(before.element[name]) for name in self.named))
        several = times(self.most, one)
        room = several if self.cardinality == "one" else add(several, one)
        return add(before.bytes, taken, self.workspace, room, slot_bytes(self._made(before)))

    def _made(self, before: Stream) -> Stream:
        """Return the type of what one call makes: with `one` an element, else all elements packed."""
        if self.cardinality == "one":
            return before.with_element({**before.element, **self.outputs})
        return before.with_element({**before.element, **packed(self.outputs, self.most)})

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of the elements that the function makes, in order."""
        inner = replace(low, after=self._made(low.before))
        outputs, caller = inner.after.element, self._caller()
        names = [name for name in packed(self.outputs, 1) if name in outputs and name != COUNT]
        names += [] if self.cardinality == "one" else [COUNT]

        def called(values: Values) -> Values:
            call = lowering.Call(low.tf, SCALAR_INT64, SCALAR_INT64, 0, low.seed, values, low.origin)
            given = [
                call.where.text,
                *([seed_of(call)] if self.seed else []),
                *(values[n] for n in self.named),
            ]
            kinds = [outputs[name].dtype for name in names]
            made = low.tf.numpy_function(caller, given, kinds, stateful=True)
            shaped = (
                low.tf.ensure_shape(one, outputs[name].static_shape)
                for name, one in zip(names, made, strict=True)
            )
            return {**values, **dict(zip(names, shaped, strict=True))}

        if low.skipped is None and OK not in low.before.element:
            made = mapped(data, called, inner)
        else:
            from safedata.attempt import attempt

            made = attempt(data, called, inner)
        return made if self.cardinality == "one" else made.flat_map(as_written(low, self._apart(low)))

    def _caller(self) -> Any:
        """Return what calls the function."""
        from safedata.external.running import Caller

        callee = self.callee(len(self.named))
        if self.cardinality == "one":
            return Caller(callee, self.parallel)
        return SeveralCaller(callee, self.parallel, self.most if isinstance(self.cardinality, Many) else None)

    def _apart(self, low: Lowering) -> Any:
        """Return the function that makes a dataset of the elements that are packed in one."""
        from safedata.draws import parted

        tf, outputs = low.tf, self.outputs

        def row(values: Values, number: Any) -> Values:
            parts: Values = {}
            for name, tensor in outputs.items():
                # A slice may share the memory of the whole, and then one row in a buffer keeps all of them alive.
                part = tf.gather(values[name], number)
                if not tensor.static:
                    sizes = values[sizes_of(name)][number]
                    part = tf.slice(part, tf.zeros_like(sizes), sizes)
                parts[name] = tf.ensure_shape(part, tensor.static_shape)
            key = parted(tf, values.get(ROW, tf.constant(0, tf.int64)), number)
            whole = {**values, **parts, ROW: key}
            return {name: whole[name] for name in low.after.element}

        def apart(values: Values) -> Any:
            def numbered(number: Any) -> Values:
                return row(values, number)

            return tf.data.Dataset.range(values[COUNT]).map(as_written(low, numbered))

        return apart
