"""The root over inputs that give elements of one type: `mix` and `concatenate`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from safedata.cardinality import Cardinality
from safedata.memory import Hold, weakest
from safedata.problem import Fault
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._inputs import Joint, keys_of
from safedata.strata import merged
from safedata.types import BROKEN, Stream, Tensor


@record(frozen=True)
class Alike(Joint):
    """One stream out of several; its elements are numbered `index of its input * inputs + input`."""

    @abstractmethod
    def count(self, counts: tuple[Cardinality, ...]) -> Cardinality:
        """Return how many elements there are, of inputs that have so many."""

    def joined(self, streams: tuple[Stream, ...], scope: Scope) -> Stream:
        """Return the tightest type that holds for all inputs; reports where they have none in common."""
        for fault in self._faults(streams):
            scope.fault(fault)
        common = [name for name in streams[0].visible if all(name in one.element for one in streams)]
        element = {name: _joined([one.element[name] for one in streams]) for name in common}
        element |= {key: streams[number].element[key] for key, number in keys_of(streams)}
        shared = streams[0].shared if all(one.shared for one in streams) else None
        return Stream(
            element,
            self.count(tuple(one.cardinality for one in streams)),
            streams[0].batch_dims,
            shared,
            weakest(*(one.evidence for one in streams)),
            strata=merged(streams, common),
        )

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield nothing: elements pass through, held by the step that made them."""
        yield from ()

    def _faults(self, streams: tuple[Stream, ...]) -> Iterator[Fault]:
        """Yield what keeps the inputs from having one type, each at the input that differs from the first."""
        first, name = streams[0], self.inputs[0].name
        for number, stream in enumerate(streams[1:], 1):
            one = self.inputs[number].input
            if stream.batch_dims != first.batch_dims:
                yield batched(one.name, stream, name, first, self.title()).under(*one.at)
                continue
            missing = [found for found in first.visible if found not in stream.visible]
            more = [found for found in stream.visible if found not in first.visible]
            if missing or more:
                yield _other_names(one.name, stream, name, first, missing, more).under(*one.at)
            for component, tensor in stream.visible.items():
                if component in first.visible:
                    fault = _unlike(component, tensor, one.name, first.visible[component], name)
                    if fault is not None:
                        yield fault.under(*one.at)


def _joined(tensors: list[Tensor]) -> Tensor:
    found = tensors[0]
    for one in tensors[1:]:
        if found.broken or one.broken or not _same(found, one):
            return BROKEN
        found = found.join(one)
    return found


def _same(one: Tensor, two: Tensor) -> bool:
    return (one.dtype, one.rank, one.ragged_rank) == (two.dtype, two.rank, two.ragged_rank)


def batched(name: str, stream: Stream, first: str, other: Stream, title: str) -> Fault:
    """Return the fault of an input that gives batches where the first gives elements, or the other way round."""

    def gives(one: Stream) -> str:
        return "single elements" if not one.batch_dims else "batches" + " of batches" * (one.batch_dims - 1)

    message = f"`{name}` gives {gives(stream)}, and `{first}` {gives(other)}"
    return Fault("SD222", message, help=f"batch behind `{title}`, in no input")


def _other_names(
    name: str, stream: Stream, first: str, other: Stream, missing: list[str], more: list[str]
) -> Fault:
    """Return the fault of an input that has not the components of the first."""
    if missing and more:
        said = f"has {_listed(more)} where `{first}` has {_listed(missing)}"
    elif missing:
        said = f"has no {_listed(missing)}, which `{first}` has"
    else:
        said = f"has {_listed(more)}, which `{first}` has not"
    notes = (f"`{first}` gives {other}", f"`{name}` gives {stream}")
    if len(missing) == len(more) == 1 and _same(stream.element[more[0]], other.element[missing[0]]):
        way_out = f"in `{name}`, write `steps: [{{rename: {{{more[0]}: {missing[0]}}}}}]`"
    elif more:
        way_out = f"in `{name}`, write `steps: [{{drop: [{', '.join(more)}]}}]`"
    else:
        way_out = f"in `{first}`, write `steps: [{{drop: [{', '.join(missing)}]}}]`"
    return Fault("SD221", f"the input `{name}` {said}", notes=notes, help=way_out)


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _unlike(component: str, tensor: Tensor, name: str, other: Tensor, first: str) -> Fault | None:
    """Return the fault of a component whose two types no type holds for; None where one does."""
    if tensor.broken or other.broken or _same(tensor, other):
        return None
    message = f"`{component}` is {tensor} in `{name}` and {other} in `{first}`"
    if tensor.dtype != other.dtype:
        decoded = "string" in (tensor.dtype, other.dtype)
        way_out = f"cast it in `{name}`: `- map: {{{component}: [{{cast: {other.dtype}}}]}}`"
        way_out = "give both one dtype: decode it in both inputs, or in neither" if decoded else way_out
    elif tensor.ragged_rank != other.ragged_rank:
        way_out = f"make it dense in both: `- map: {{{component}: [to_dense]}}`"
    else:
        way_out = "give both one rank: `reshape`, `expand_dims` or `squeeze`"
    return Fault("SD222", message, help=way_out)
