"""What operations share of which an element takes one of several ways: the type that holds for all, bytes, choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, Final

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add, largest, times
from safedata.ops import _walk
from safedata.ops._links import Link, Links
from safedata.ops._walk import Bundle
from safedata.ops.combinators._nested import Nested, walked
from safedata.problem import Fault
from safedata.types import Tensor

_DRAW: Final = 32
"""Bytes: the draw of an element of a batch, the number of its way, and whether that is the one at hand."""

Way = Callable[[], tuple[Any, ...]]
"""Makes the components that an element, or all of a batch, would have on one way."""


class Chosen(Nested):
    """Hands on what one of several ways makes, drawn for each element; linked components go the same way."""

    def check_all(self, xs: Bundle, batch_dims: int) -> None:
        """Raise SD207 where an operation does not take them, or the ways make different shapes in a batch."""
        super().check_all(xs, batch_dims)
        if not batch_dims:
            return
        ys = self.infer_all(xs)
        for links in self.chains:
            for one, y in zip(walked(links, xs)[-1], ys, strict=True):
                if one.shape != y.shape:
                    problem = (
                        f"`{self.key()}` makes elements of {one} and of other shapes, which no batch can hold"
                    )
                    raise Fault("SD207", problem, help="put this map before `batch`, and `resize` behind it")

    def workspace_all(self, xs: Bundle, ys: Bundle) -> int | None:
        """Return what the one chain that is taken holds at most beside `xs` and the results."""
        most, results = largest(*self.peaks(xs)), add(*(y.bytes for y in ys))
        return None if most is None or results is None else max(0, most - results) + 4096

    def batch_workspace_all(self, xs: Bundle, ys: Bundle, count: int) -> int | None:
        """Return what the chain that holds most does beside what was chosen before it, or a choice beside two others.

        A batch takes every chain, one after the other.
        """
        first, *others = self.peaks(xs, count)
        results = times(count, add(*(y.bytes for y in ys)))
        if results is None:
            return None
        chosen = (2 + bool(others)) * results
        most = largest(first, chosen, *(add(peak, results) for peak in others))
        return None if most is None else most - results + 4096 + _DRAW * count

    def joined(self, xs: Bundle, ways: Sequence[Bundle], other: str) -> Bundle:
        """Return the tightest types for what every chain makes, and for other `ways`.

        Args:
            xs: what comes in.
            ways: the types at the end of ways that are no chains.
            other: what the other ways are, for the message.

        Raises:
            Fault: SD215, two ways differ in dtype or rank, at the operation that makes them differ; SD216, in number.
        """
        found = list(ways)
        for links in self.chains:
            made = walked(links, xs)
            if found:
                self._require_alike(made, found[0], links, other)
            found.append(made[-1])
        return reduce(lambda ys, zs: tuple(y.join(z) for y, z in zip(ys, zs, strict=True)), found)

    def _require_alike(self, made: Sequence[Bundle], ys: Bundle, links: Links, other: str) -> None:
        last = made[-1]
        changed = [link for link, one, two in zip(links, made, made[1:], strict=False) if _differ(one, two)]
        at = changed[-1].path if changed else ()
        if len(last) != len(ys):
            problem = f"`{self.key()}` makes {_listed(last)} here and {_listed(ys)} {other}"
            raise Fault("SD216", problem, at, help="let every way end in as many components")
        for x, y in zip(last, ys, strict=True):
            if _differ((x,), (y,)):
                problem = (
                    f"`{self.key()}` makes {x} here and {y} {other}: both ways must have one dtype and rank"
                )
                raise Fault("SD215", problem, at, help=_way_out(x, y, changed, alone=len(ys) == 1))

    def choose(
        self, which: Any, ways: Sequence[Way], call: Call, xs: Bundle, leading: Any
    ) -> tuple[Any, ...]:
        """Return what each element has on its way.

        Args:
            which: the number of the way, int32 [batch...].
            ways: what makes the results of each; a batch takes all of them, an element only its own.
            call: the operation's surroundings.
            xs: the types of what comes in.
            leading: the static batch dimensions.
        """
        tf, ys = call.tf, self.infer_all(xs)
        if call.batch_dims:
            made = self._chosen(which, ways, call, ys)
        else:
            made = tf.switch_case(which, [partial(_kept, tf, way) for way in ways])
        return tuple(
            tf.ensure_shape(one, (*leading, *y.static_shape)) for one, y in zip(made, ys, strict=True)
        )

    def _chosen(self, which: Any, ways: Sequence[Way], call: Call, ys: Bundle) -> list[Any]:
        """Return for each element of a batch what its way makes, the ways taken one after the other."""
        tf, made = call.tf, list(ways[0]())
        for number, way in enumerate(ways[1:], 1):
            with tf.control_dependencies(made):  # so that only one way's intermediates are there at a time
                made = [
                    self._either(call.typed(y, y), which == number, one, other)
                    for y, one, other in zip(ys, way(), made, strict=True)
                ]
        return made

    def _either(self, call: Call, taken: Any, one: Any, other: Any) -> Any:
        """Return `one` where it is taken and `other` elsewhere, once these are found to have one shape."""
        tf = call.tf
        if not call.y.static:
            shapes = [tf.shape(other), tf.shape(one)]
            message = f"SD207: {self.key()} makes batches of differing shapes; got"
            fine = tf.reduce_all(shapes[0] == shapes[1])
            one = insist(tf, one, [Check(fine, message, _walk.listed(tf, shapes))], call.where)
        return tf.where(call.per_element(taken), one, other)


def _kept(tf: Any, way: Way) -> list[Any]:
    return [tf.identity(one) for one in way()]


def _way_out(x: Tensor, y: Tensor, changed: list[Link], *, alone: bool) -> str:
    """Return what makes a chain that ends in `x` end in `y`."""
    if x.rank != y.rank or x.ragged_rank != y.ragged_rank:
        return "move what changes it behind"
    if changed and "keep_dtype" in type(changed[-1].op).model_fields:
        return f"write `keep_dtype: true` in `{changed[-1].op.key()}`"
    if alone:
        return f"end the chain with `{{cast: {y.dtype}}}`"
    return (
        f"bring the component to {x.dtype} before both ways, with `{{cast: {x.dtype}}}` in a group of its own"
    )


def _differ(xs: Bundle, ys: Bundle) -> bool:
    """Return whether two bundles differ in more than sizes."""
    return [(x.dtype, x.rank, x.ragged_rank) for x in xs] != [(y.dtype, y.rank, y.ragged_rank) for y in ys]


def _listed(xs: Bundle) -> str:
    return " and ".join(str(x) for x in xs)
