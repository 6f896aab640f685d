"""What a stage must tell about itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from safedata.lowering import EPOCH, INDEX, OK, ROW, Lowering, Values, mapped
from safedata.memory import HOST, Evidence, Hold, add, largest, times, weakest
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope, unheard
from safedata.stages._elements import many_bytes
from safedata.stages._gpu import working_bytes
from safedata.stages._parsing import Parsing as Parsing
from safedata.strata import foremost, passing, typed_by
from safedata.types import Element, Strata, Stream, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Node:
    """One step of a plan: its static rule, its memory rule, its graph.

    Stages that a spec names and those that the planner puts in are both nodes.
    """

    commutes: ClassVar[bool] = False
    """Whether it only reorders, repeats or leaves out elements without looking at them."""
    ahead: ClassVar[bool] = False
    """Whether a thread of its own works ahead of the consumer."""
    fills: ClassVar[bool] = False
    """Whether its holds have the element in them that it is making, the last of them."""
    takes: ClassVar[bool] = False
    """Whether the first of its holds has a free place for the element that is being made for it."""
    aligned: ClassVar[bool] = False
    """Whether its n-th element is made of the n-th that comes, if there is one, so those left out need not be made."""
    unstacks: ClassVar[bool] = False
    """Whether it takes an element apart in one thread, and lets go of it before the next one is made."""
    freezes: ClassVar[bool] = False
    """Whether it replays the elements of its first epoch in every later one."""
    counts: ClassVar[bool] = False
    """Whether an element's place among those that come decides what it does."""
    once: ClassVar[bool] = False
    """Whether each element that comes leaves once at most in an epoch, as it came or with components of its own."""
    shelves: ClassVar[bool] = False
    """Whether it ends what runs before it: its elements are on disk when the steps behind it start."""
    revision: ClassVar[int] = 1
    """A number that is part of the key of caches on disk: another one once the same step makes other elements."""

    remote: ClassVar[bool] = False
    """Whether the steps before it run on the workers of a service."""

    @property
    def on_disk(self) -> bool:
        """Whether, as a stage of a spec, it becomes a step that `shelves`."""
        return False

    @property
    def unseeing(self) -> bool:
        """Whether elements may be finished behind it: as it is set up, it does not look at them."""
        return self.commutes

    @property
    def follows(self) -> bool:
        """Whether it runs wherever its elements lie, on a GPU too."""
        return False

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that the spec puts it on, None for the CPU."""
        return None

    @property
    def random(self) -> bool:
        """Whether it draws, so that its elements need an index and an epoch."""
        return False

    @property
    def fallible(self) -> bool:
        """Whether it may find the data itself bad, so that `runtime.on_error` speaks of it."""
        return False

    @abstractmethod
    def title(self) -> str:
        """Return the name that reports give this step."""

    @abstractmethod
    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the type of what leaves this step; reads no file.

        Raises:
            Fault: what comes in does not fit; `at` is relative to the step's value in the spec.
        """

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return how many elements of an epoch leave of which size, as far as that is known."""
        return passing(before, after) if self.once and before.strata else {}

    @abstractmethod
    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what this step keeps alive at its peak, place by place, in bytes."""

    def hollow(self, before: Stream, scope: Scope) -> int | None:
        """Return how many bytes of the first of its holds are room that elements left behind, and no element's."""
        return 0

    def orderly(self, before: Stream) -> bool:
        """Whether one thread makes its elements and all but one of them are let go of before the next is made.

        What it takes goes in the order in which it came.
        """
        return False

    def scratch(self, before: Stream, scope: Scope) -> int | None:
        """Return a bound on the bytes of `malloc`'s blocks that a call leaves behind in its thread's arena."""
        return 0

    def emptied(self, before: Stream) -> int | None:
        """Return what is left of the first of its holds, in bytes, once the last element has left; None for all."""
        return None

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return how many elements to leave out before it, and how many behind it, so that its first `count` are.

        `low.first` tells `lower` of those before it. None where that is not known without making them: then all of them
        are made, and left out behind it.
        """
        return (count, 0) if self.aligned else None

    @abstractmethod
    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the `tf.data.Dataset` that applies this step to `data`."""

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components that must come in for those in `after` to leave."""
        return after

    @property
    def adds(self) -> frozenset[str]:
        """The components that it makes and that must be new: it does not replace what there is unsaid."""
        return frozenset()

    def requires(self, after: frozenset[str]) -> frozenset[str]:
        """Return what must come in for `after` to leave, the index and epoch that this step uses included."""
        keys = {INDEX, EPOCH, ROW} if self.random else {INDEX} if self.fallible else set[str]()
        return self.needs(after) | keys

    @property
    def patterned(self) -> bool:
        """Whether it names components by a pattern, so that `spelled` is another step."""
        return False

    def spelled(self, before: Stream) -> Self:
        """Return the step with the components written out that its patterns stand for, where `before` enters."""
        return self

    def told(self, after: frozenset[str]) -> Node:
        """Return the step that runs in this one's place where these components are needed behind it."""
        return self

    def calls(self, scope: Scope) -> int:
        """Return how many calls run at once: 1 unless this step is a parallel map."""
        return 1


class Stage(Node, BaseModel):
    """A step that a spec can name: its fields are the language, its docstring the reference page."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    example: ClassVar[str]
    """A step as YAML, in its shortest form."""
    main: ClassVar[str | None] = None
    """The field that the short form fills: `batch: 64` is `batch: {size: 64}`."""
    knobs: ClassVar[tuple[str, ...]] = ()
    """Fields whose number can be made smaller so that the pipeline fits."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported.

        Args:
            value: what stands behind the stage's key, as plain data.
            beside: `device` and `parallel`, where the step has them.
            parsing: where the value stands.
        """
        fields: dict[str, object]
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
        elif value is None:
            fields = {}
        elif cls.main is None:
            parsing.fault(
                Fault(
                    "SD105",
                    f"`{cls.key()}` takes a mapping of its fields, not `{value}`",
                    help=f"write it as `{cls.example}`",
                )
            )
            return None
        else:
            fields = {cls.main: value}
        try:
            return cls.model_validate({**fields, **beside})
        except ValidationError as error:
            parsing.invalid(error, parsing.path)
            return None

    @classmethod
    def key(cls) -> str:
        """Return the name that specs use, the module's own."""
        return cls.__module__.rpartition(".")[2]

    def title(self) -> str:
        """Return the stage's name."""
        return self.key()

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield nothing: elements pass through, held by the step that made them."""
        yield from ()


def replaced(before: Stream, made: Collection[str], after: Stream) -> Iterator[Tensor]:
    """Yield the components of one stream that are not in another: made anew in between, or dropped."""
    return (one for name, one in before.element.items() if name in made or name not in after.element)


class ElementNode(Node):
    """A step that makes one element of each element, on its own: a parallel map in the graph."""

    once: ClassVar[bool] = True

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of what passes by, and of what is made of elements of each stratum, typed one by one."""
        if not before.strata or before.batch_dims:
            return {}
        made, silent = self.makes(before, after), replace(scope, report=unheard)
        found = {name: one for name, one in passing(before, after).items() if name not in made}
        uneven = [name for name in made if not (after.element[name].broken or after.element[name].constant)]
        for name, ways in before.strata.items() if uneven else ():
            for strata in ways:

                def typed(tensor: Tensor, name: str = name) -> Element | None:
                    return self._typed(before.with_element({**before.element, name: tensor}), silent)

                for one, way in typed_by(uneven, strata, typed).items():
                    found[one] = (*found.get(one, ()), *way)
        return found

    def _typed(self, before: Stream, scope: Scope) -> Element | None:
        """Return what leaves where these elements enter, None where they do not fit."""
        faults: list[Fault] = []
        try:
            after = self.infer(before, replace(scope, report=faults.append))
        except Fault:
            return None
        return None if faults else after.element

    @abstractmethod
    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return an upper bound in bytes of one running call: what came in, intermediates, result."""

    def largest_call(
        self,
        before: Stream,
        after: Stream,
        scope: Scope,
        size: Callable[[Stream, Stream, Scope], int | None],
    ) -> int | None:
        """Return what a call takes at most: no image is as high as the highest and as wide as the widest of all.

        Args:
            before: what enters.
            after: what leaves.
            scope: the settled numbers.
            size: returns the bytes of a call that elements of a type enter.
        """
        most = size(before, after, scope)
        for name, ways in before.strata.items() if not before.batch_dims else ():
            for strata in ways:
                narrower = foremost(strata)
                found = [self._sized(before, name, tensor, scope, size) for tensor in narrower]
                if len(found) > 1 and None not in found:
                    most = min(largest(*found) or 0, most) if most is not None else most
        return most

    def largest_inside(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the same of the largest tensor that a call makes and does not hand on."""

        def size(before: Stream, after: Stream, scope: Scope) -> int | None:
            return self.inside(before, scope)

        return self.largest_call(before, after, scope, size)

    def _sized(
        self,
        before: Stream,
        name: str,
        tensor: Tensor,
        scope: Scope,
        size: Callable[[Stream, Stream, Scope], int | None],
    ) -> int | None:
        """Return the bytes of a call that elements enter whose component is of a narrower type."""
        entering = before.with_element({**before.element, name: tensor})
        element = self._typed(entering, scope)
        return None if element is None else size(entering, entering.with_element(element), scope)

    def turns(self) -> int | None:
        """Return how many of its calls may be in functions that take turns, None where there are none."""
        return None

    def aside_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return an upper bound in bytes of a running call that is in none of these functions."""
        return self.call_bytes(before, after, scope)

    def inside(self, before: Stream, scope: Scope) -> int | None:
        """Return the bytes of the largest tensor that a call makes and does not hand on; None without a bound."""
        return 0

    def makes(self, before: Stream, after: Stream) -> frozenset[str]:
        """Return the names of the components that a call makes, as against those that pass by."""
        return frozenset(name for name, one in after.element.items() if before.element.get(name) != one)

    def freed(self, before: Stream, scope: Scope) -> Sequence[int]:
        """Return the bytes of numeric tensors that a call makes and does not hand on, where they are known."""
        return ()

    def timed(self) -> int:
        """Return how many calls at once may be in functions that may take only so long."""
        return 0

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence that `call_bytes` rests on, that of intermediates included."""
        return weakest(before.weakest, after.weakest)

    def resident(self) -> Iterator[Hold]:
        """Yield what it keeps for all calls together; nothing unless said."""
        yield from ()

    @property
    def raises(self) -> bool:
        """Whether a call may fail on bad data: one that `gathered` has left in."""
        return self.fallible

    def handed(self, before: Stream) -> Stream:
        """Return the type of what a call is handed: what enters, unless `gathered` makes something else of it."""
        return before

    def gathered(self, data: Any, low: Lowering) -> Any:
        """Return the dataset that calls are handed elements of: for what is cheaper for many elements at once.

        It has the same elements in the same order; what it keeps is in `resident`.
        """
        return data

    @abstractmethod
    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element, inside the graph, that this step makes of `values`."""

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield P calls, as many of them running as there are threads, the others waiting with input or result.

        Source: `P max(e_in + tmp + e_out, e_out + O) + e_out` (memory facts, 3.1, map), where the last `e_out` is
        counted by the step that takes it. On a GPU there is one call, and what came in is held by the step that
        carried it there.
        """
        yield from self.resident()
        calls = self.calls(scope)
        running = self.largest_call(before, after, scope, self.call_bytes)
        evidence = self.evidence(before, after, scope)
        if before.place != HOST:
            yield Hold(before.place, working_bytes(before, running), "1 call's intermediates", evidence)
            return
        handed, made = (many_bytes(one, 1, scope)[0] for one in (self.handed(before), after))
        waiting = largest(handed, made)
        at_once = min(calls, max(1, scope.cpus))
        inside = min(at_once, turns) if (turns := self.turns()) is not None else at_once
        what = "1 call" if calls == 1 else f"{calls} calls at once"
        if calls > at_once:
            what += f", {at_once} of them running"
        if inside < at_once:
            what += f", {inside} of them in a function"
        aside = running
        if inside < at_once:
            aside = self.largest_call(before, after, scope, self.aside_bytes)
        places = (
            (inside, largest(running, waiting)),
            (at_once - inside, largest(aside, waiting)),
            (calls - at_once, waiting),
        )
        taken = add(*(times(count, size) for count, size in places))
        slots = tuple((count, size) for count, size in places if count and size is not None)
        yield Hold(HOST, taken, what, evidence, slots=slots)
        if (left := self.scratch(before, scope)) != 0:
            from safedata.stages._scratch import left_behind

            yield from left_behind(left, inside, scope, evidence)
        if (timed := self.timed()) > 0:
            from safedata.external.timed import left_alone

            yield from left_alone(timed, running, scope.on_error == "skip", evidence)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many before it: it makes one element of each, by itself."""
        return (count, 0) if type(self).lower is ElementNode.lower else None

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the map, with its number of calls written out."""

        def apply(values: Values) -> Values:
            return self.apply(values, low)

        data = self.gathered(data, low)
        if not ((self.raises and low.skipped) or OK in low.before.element):
            return mapped(data, apply, low)
        from safedata.attempt import attempt

        return attempt(data, apply, low)
