"""`bucket_batch`: batches of elements that are about equally long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, largest
from safedata.problem import Fault, did_you_mean
from safedata.records import replace
from safedata.scope import Scope, unheard
from safedata.stages._buckets import (
    Boundaries,
    Bucket,
    batches,
    filling,
    fullest,
    increasing,
    limits,
    most_long,
)
from safedata.stages._elements import slot_bytes
from safedata.stages._fields import Count, Names
from safedata.stages._filling import Scalar, stand_in_bytes, with_mask
from safedata.stages._stacking import Stacking, check_single
from safedata.stages.padded_batch import PaddedBatch
from safedata.types import Dim, Stream, Tensor

_SLOT = 24
"""Bytes of an element's place in a bucket."""
_SIZES = ("size", "sizes", "tokens")


class BucketBatch(Stacking):
    """Put elements into buckets by their length, and pad and batch each bucket by itself.

    With boundaries 10 and 20 there are three buckets: lengths below 10, from 10 to 19, and from 20 on. A batch
    leaves as soon as its bucket is full; at the end what is left does, from the bucket of the shortest on,
    unless `drop_remainder` is true. Elements are padded to the longest in
    their batch, or to the last length of their bucket with `pad_to_boundary`, as by `padded_batch`.

    With `pad_last: valid` every batch has exactly as many rows as its bucket says and no element is left out, as for
    `padded_batch`. With `same_bucket_groups: 8` batches leave eight at a time, all of one bucket, so that each of eight
    replicas that take one works on the same lengths; up to eight batches of each bucket wait. What is left of a bucket
    at the end leaves in fewer; `drop_remainder` leaves groups out that are not whole, and `pad_last` fills them up.

    The length is the largest first dimension of the components that `length` names; a single one may also be a
    scalar integer, which is the length itself. It stands before `batch`.
    """

    example: ClassVar[str] = "bucket_batch: {length: tokens, boundaries: [64, 128, 256], tokens: 4096}"
    knobs: ClassVar[tuple[str, ...]] = ("size", "tokens")
    fills: ClassVar[bool] = True

    length: str | Names
    """The component whose length counts, or several of which the longest counts."""
    boundaries: (
        Annotated[tuple[Count, ...], Field(strict=False, min_length=1), AfterValidator(increasing)]
        | Boundaries
    )
    """The first length of each bucket but the first, in increasing order; or `{min: 8, max: 256, factor: 1.1}`."""
    size: Count | None = None
    """Elements in one batch, the same in every bucket."""
    sizes: Annotated[tuple[Count, ...], Field(strict=False)] | None = None
    """Elements in one batch of each bucket: one number more than there are boundaries."""
    tokens: Count | None = None
    """The largest length of a bucket times the elements in its batch stays within this; one element is always taken."""
    pad_to_boundary: bool = False
    """Pad to the last length of the bucket, so that there is one shape for each bucket."""
    values: dict[str, Scalar] = Field(default_factory=dict)
    """Component: the value that fills it up."""
    same_bucket_groups: Count = 1
    """How many batches leave one behind the other, all of the same bucket."""

    @model_validator(mode="after")
    def _one_size(self) -> BucketBatch:
        given = [name for name in _SIZES if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(f"`{name}`" for name in given) or "none of them"
            raise ValueError(f"one of `size`, `sizes` and `tokens` says how large batches are, not {said}")
        if self.sizes is not None and len(self.sizes) != len(self.starts) + 1:
            buckets = len(self.starts) + 1
            raise ValueError(
                f"{len(self.starts)} boundaries make {buckets} buckets, and `sizes` has {len(self.sizes)}"
            )
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The components whose length counts."""
        return (self.length,) if isinstance(self.length, str) else self.length

    @property
    def starts(self) -> tuple[int, ...]:
        """The first length of each bucket but the first."""
        return self.boundaries.numbers() if isinstance(self.boundaries, Boundaries) else self.boundaries

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components of `after`, those whose length counts, and those that `values` names."""
        return super().needs(after) | frozenset(self.named) | frozenset(self.values)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of padded batches.

        Raises:
            Fault: the length cannot be told, or nothing bounds it where it must be.
        """
        check_single("bucket_batch", before)
        for name in self.named:
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                raise Fault("SD201", f"there is no component `{name}` here", ("length",), help=known)
        if any(before.element[name].broken for name in self.named):
            silent = Scope("", report=unheard)
            return self._padding(1).infer(self._marked(before, silent), silent)
        buckets = self.buckets(before)
        sizes = {bucket.size for bucket in buckets}
        count = before.cardinality.most
        rows = max(sizes) if count is None or self._whole else max(1, min(max(sizes), count))
        exact = self._whole and len(sizes) == 1
        after = self._padding(max(sizes)).infer(self._marked(before, scope), _speaking(scope))
        element = {
            name: tensor
            if tensor.broken
            else replace(tensor, shape=(Dim(rows, exact, tensor.shape[0].evidence), *tensor.shape[1:]))
            for name, tensor in after.element.items()
        }
        if self.pad_to_boundary:
            self._check_boundary(before)
            element = {name: self._wider(name, tensor, buckets) for name, tensor in element.items()}
        cardinality = batches(
            before.cardinality,
            buckets,
            drop_remainder=self.drop_remainder,
            together=self.same_bucket_groups if self._whole else 1,
        )
        made = replace(after, element=element, cardinality=cardinality)
        each = (self._batch(before, made, one) for one in buckets)
        # Rows and lengths are not at their largest together: no batch is as large as the type alone would allow.
        return made.narrowed(
            largest(*(slot_bytes(one, Scope("", pooled=way)) for one in each for way in (False, True)))
        )

    @property
    def _whole(self) -> bool:
        """Whether every batch, and every group of batches, is a whole one."""
        return self.drop_remainder or self.pad_last is not None

    def _marked(self, before: Stream, scope: Scope) -> Stream:
        """Return the elements as they are when some only fill up, with their mark; as they enter where none do."""
        return before if self.pad_last is None else with_mask(before, self.pad_last, scope, self.values)

    def _padding(self, size: int) -> PaddedBatch:
        return PaddedBatch(size=size, drop_remainder=self.drop_remainder, values=self.values)

    def buckets(self, before: Stream) -> list[Bucket]:
        """Return the buckets that elements can be in.

        Raises:
            Fault: nothing bounds the last one, and `tokens` needs that; or a component has no length.
        """
        longest = self._longest(before)
        found = limits(self.starts, longest)
        sizes = self.sizes or tuple(self._size(high) for _, high in found)
        made = [Bucket(low, high, size) for (low, high), size in zip(found, sizes, strict=True)]
        return [one for one in made if one.most is None or one.least <= one.most] or made[:1]

    def _size(self, longest: int | None) -> int:
        if self.size is not None:
            return self.size
        if longest is None:
            last = f"those of {self.starts[-1]} or more"
            problem = f"`tokens` needs to know how long elements are, and nothing bounds {last}"
            names = " and ".join(f"`{name}`" for name in self.named)
            way_out = f"bound {names} before, with `truncate` say; or give `sizes`"
            raise Fault("SD204", problem, ("tokens",), help=way_out)
        return max(1, (self.tokens or 1) // max(1, longest))

    def _longest(self, before: Stream) -> int | None:
        most = [most_long(name, before.element[name], alone=len(self.named) == 1) for name in self.named]
        known = [one for one in most if one is not None]
        return max(known) if len(known) == len(most) else None

    def _check_boundary(self, before: Stream) -> None:
        longest = self._longest(before)
        last = self.starts[-1] - 1
        if any(not before.element[name].rank for name in self.named):
            problem = f"`pad_to_boundary` pads `{self.named[0]}`, which is a scalar"
            raise Fault("SD203", problem, ("pad_to_boundary",), help="name the components to pad in `length`")
        if longest is None or longest > last:
            at_most = "no bound" if longest is None else f"up to {longest}"
            problem = f"`pad_to_boundary` has no boundary behind {last + 1}, and lengths have {at_most}"
            way_out = "cut them before: `truncate`" if longest is None else f"add the boundary {longest + 1}"
            raise Fault("SD203", problem, ("boundaries",), help=way_out)

    def _wider(self, name: str, tensor: Tensor, buckets: list[Bucket]) -> Tensor:
        if name not in self.named or tensor.broken:
            return tensor
        most = self._padded_to(buckets[-1])
        evidence = tensor.shape[1].evidence
        return replace(tensor, shape=(tensor.shape[0], Dim.at_most(most, evidence), *tensor.shape[2:]))

    def _padded_to(self, bucket: Bucket) -> int:
        """Return what a bucket's elements are padded to with `pad_to_boundary`."""
        return next(start - 1 for start in self.starts if start > bucket.least)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements in the buckets, all but full, and the batch of the bucket that needs most.

        Source: `Σ w (e + O)` over the open groups (memory facts, 3.1, group_by_window), each one element
        short of full but the one that just became so; its batch is a padded copy. Elements of a bucket are
        no longer than its last length, in the components that `length` names.
        """
        found = self.buckets(before)
        marked = self._marked(before, scope)
        slots = [add(slot_bytes(self._within(marked, one), scope), _SLOT) for one in found]
        places = [
            (one.size * self.same_bucket_groups - 1, slot) for one, slot in zip(found, slots, strict=True)
        ]
        waiting = fullest(places, before.cardinality)
        if self.pad_last is not None:
            reference = slot_bytes(replace(marked, shared="bucket"), scope)
            waiting = add(filling(places, waiting, reference), stand_in_bytes(before, marked, scope))
        why = f"{len(found)} buckets, each one element short of {self._full}"
        yield Hold(HOST, waiting, why, before.weakest)
        made = [slot_bytes(self._batch(before, after, one), scope) for one in found]
        most = [add(slot, batch) for slot, batch in zip(slots, made, strict=True)]
        known = [one for one in most if one is not None]
        peak = max(known) if len(known) == len(most) else None
        worst = found[most.index(peak)]
        why = f"one batch of {worst.size}, of length {worst}, and its last element"
        yield Hold(HOST, peak, why, after.weakest)

    @property
    def _full(self) -> str:
        return "full" if self.same_bucket_groups == 1 else f"{self.same_bucket_groups} batches"

    def _within(self, stream: Stream, bucket: Bucket) -> Stream:
        """Return the stream of one bucket's elements."""
        if bucket.most is None:
            return stream
        most = bucket.most
        element = dict(stream.element)
        for name in self.named:
            tensor = element[name]
            if tensor.rank and not tensor.broken:
                element[name] = replace(tensor, shape=(tensor.shape[0].capped(most), *tensor.shape[1:]))
        return stream.with_element(element)

    def _batch(self, before: Stream, after: Stream, bucket: Bucket) -> Stream:
        """Return the stream of one bucket's batches."""
        padded = self._within(before, bucket).element
        element = dict(after.element)
        for name, tensor in after.element.items():
            if tensor.broken:
                continue
            dims = list(tensor.shape[1:])
            if name in self.named and dims:
                dims[0] = (
                    Dim.exactly(self._padded_to(bucket)) if self.pad_to_boundary else padded[name].shape[0]
                )
            rows = Dim.at_most(min(bucket.size, tensor.shape[0].most or bucket.size))
            element[name] = replace(tensor, shape=(rows, *dims))
        return after.with_element(element)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of padded batches, every boundary and size written out."""
        from safedata.stages._bucket_graph import bucketed

        return bucketed(self, data, low)

    def all_sizes(self, before: Stream) -> list[int]:
        """Return the size of every bucket, those that no element can be in included: with the largest size."""
        found = {bucket.least: bucket.size for bucket in self.buckets(before)}
        return [found.get(least, max(found.values())) for least in (0, *self.starts)]


def _speaking(scope: Scope) -> Scope:
    """Return the scope in which what padding finds is said of `bucket_batch`."""
    report: Callable[[Fault], None] = scope.fault

    def own(fault: Fault) -> None:
        fault.message = fault.message.replace("`padded_batch`", "`bucket_batch`")
        report(fault)

    return replace(scope, report=own)
