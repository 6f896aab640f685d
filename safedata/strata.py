"""How many elements of an epoch are of which size, where that was seen: files of 2 kB to 2 MB, photos of many shapes.

A type bounds the largest element, and a thousand of them are seldom all as large. Of a component whose sizes were seen
its elements are known in strata: a narrower type, and how many elements are of it. Any n elements then take no more
than the n largest, which holds for as long as each of them comes once in an epoch: whatever leaves an element out
keeps it true, and whatever repeats one ends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import ge
from typing import Final, NamedTuple

from safedata.memory import Evidence, weakest
from safedata.records import replace
from safedata.types import Dim, Strata, Stratification, Stream, Tensor

_FINE: Final = 6
"""Significant bits that lengths are rounded up to: by 1.1 % on average, 32 strata from one power of two to the next."""
_FEW: Final = 256
"""So many strata of images, or fewer, are looked at one by one: a map is typed for each of them."""


def rounded(lengths: Iterable[int]) -> Counter[int]:
    """Return how many of these lengths there are, each rounded up to few significant bits."""
    found = Counter[int]()
    for length, count in Counter(lengths).items():
        found[_up(length, _FINE)] += count
    return found


def rounded_pairs(sizes: Mapping[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    """Return how many images there are of which height and width, rounded up likewise, one below the other."""
    found = Counter[tuple[int, int]]()
    for (height, width), count in sizes.items():
        found[_up(height, _FINE), _up(width, _FINE)] += count
    return sorted((*pair, count) for pair, count in found.items())


def by_length(
    tensor: Tensor,
    lengths: Mapping[int, int],
    *,
    every: int | None = None,
    evidence: Evidence = "measured",
) -> Stratification:
    """Return the strata of strings, the longest first.

    Args:
        tensor: the type of all of them.
        lengths: how many are of which length at most, in bytes: `rounded`.
        every: how many there are in all, where these are a sample of them.
        evidence: what the lengths rest on, where they are no sample.
    """
    if every is not None:
        evidence = "sampled"
    ordered = sorted(lengths, reverse=True)
    return _scaled(tuple((_no_longer(tensor, most, evidence), lengths[most]) for most in ordered), every)


def by_rows(
    tensor: Tensor, sizes: Mapping[int, int], *, every: int | None = None, evidence: Evidence = "measured"
) -> Stratification:
    """Return the strata of lists, the longest first: of those whose first dimension varies.

    Args:
        tensor: the type of all of them.
        sizes: how many have so many entries at most: `rounded`.
        every: how many there are in all, where these are a sample of them.
        evidence: what the sizes rest on, where they are no sample.
    """
    evidence = evidence if every is None else "sampled"
    found = ((_fewer(tensor, most, evidence), sizes[most]) for most in sorted(sizes, reverse=True))
    return _scaled(tuple(found), every)


def by_sample(tensor: Tensor, lengths: Mapping[int, int], size: int, *, beside: int) -> Stratification:
    """Return the strata of the records of files, where only some were read and the others are like them.

    Args:
        tensor: the type of all of them.
        lengths: how many of those that were read are of which length at most, in bytes.
        size: bytes of the files, not compressed.
        beside: bytes that a file has beside each record.
    """
    read = sum(count * (length + beside) for length, count in lengths.items())
    every = -(-size * sum(lengths.values()) // read) if read else None
    return by_length(tensor, lengths, every=every)


def texts_in(text: Tensor, records: Stratification, *, least: int = 0) -> Stratification:
    """Return the strata of texts, each of which is in a record, and no longer than that.

    Args:
        text: the type of all of them.
        records: the strata of the records.
        least: bytes of a text that a record without one gets.
    """
    lengths = ((record.length, count) for record, count in records)
    return tuple(
        (_no_longer(text, max(length.most or 0, least), length.evidence), count) for length, count in lengths
    )


def by_image(
    tensor: Tensor, sizes: Iterable[tuple[int, int, int]], *, every: int | None = None
) -> Stratification:
    """Return the strata of encoded images, the largest first.

    Args:
        tensor: the type of all of them.
        sizes: heights and widths, and how many images have them.
        every: how many there are in all, where these are a sample of them.
    """
    encoded = tensor.encoded
    if encoded is None:
        return ()
    evidence: Evidence = "measured" if every is None else "sampled"
    found: list[tuple[Tensor, int]] = []
    for height, width, count in sorted(covered(sizes), key=lambda one: one[0] * one[1], reverse=True):
        high, wide = (
            _shorter(side, most, evidence)
            for side, most in ((encoded.height, height), (encoded.width, width))
        )
        found.append((replace(tensor, encoded=replace(encoded, height=high, width=wide, sizes=())), count))
    return _scaled(tuple(found), every)


def covered(sizes: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield few heights and widths, and how many images are neither higher nor wider.

    One of all images is parted in two where that takes most pixels off, and so on. Of 4,096 images of 40 to 1,200
    pixels a side, in no proportion, 256 have 9 % more pixels than there are, 64 have 21 % more.
    """
    parts = [_parted(listed)] if (listed := list(sizes)) else []
    while len(parts) < _FEW:
        widest = max(parts, key=lambda part: part.spared, default=None)
        if widest is None or not widest.spared:
            break
        parts.remove(widest)
        parts += map(_parted, widest.parts)
    for part in parts:
        heights, widths, counts = zip(*part.whole, strict=True)
        yield max(heights), max(widths), sum(counts)


_Sizes = list[tuple[int, int, int]]


class _Part(NamedTuple):
    """Some images, by their sizes."""

    whole: _Sizes
    spared: int = 0
    """Pixels that two parts of it need less; 0 where no two do."""
    parts: tuple[_Sizes, ...] = ()
    """These two."""


def _parted(sizes: _Sizes) -> _Part:
    """Return images with the two parts of them that need the fewest pixels."""
    best, whole = _Part(sizes), _pixels(sizes)
    for side in (0, 1):
        ordered = sorted(sizes, key=lambda one: one[side])
        fronts, backs = list(_pixels_up_to(ordered)), list(_pixels_up_to(ordered[::-1]))[::-1]
        for at in range(1, len(ordered)):
            spared = whole - fronts[at - 1] - backs[at]
            if spared > best.spared:
                best = _Part(sizes, spared, (ordered[:at], ordered[at:]))
    return best


def _pixels(sizes: _Sizes) -> int:
    return list(_pixels_up_to(sizes))[-1]


def _pixels_up_to(sizes: _Sizes) -> Iterator[int]:
    """Yield for each of these sizes the pixels of so many images as large as the largest of it and those before."""
    height = width = count = 0
    for one in sizes:
        height, width, count = max(height, one[0]), max(width, one[1]), count + one[2]
        yield height * width * count


def together(strata: Stratification, count: int, size: Callable[[Tensor], int | None]) -> int | None:
    """Return the bytes that `count` elements take at most, None where one has no bound.

    Args:
        strata: of one component.
        count: of elements; those of which no stratum is known are as large as the largest.
        size: the bytes of one element of a type.
    """
    sizes: list[tuple[int, int]] = []
    for tensor, number in strata:
        one = size(tensor)
        if one is None:
            return None
        sizes.append((one, number))
    total, left = 0, count
    for one, number in sorted(sizes, reverse=True):
        total += min(number, left) * one
        left -= min(number, left)
        if not left:
            break
    return total + left * max((one for one, _ in sizes), default=0)


def typed_by(
    names: Iterable[str], strata: Stratification, after: Callable[[Tensor], Mapping[str, Tensor] | None]
) -> Strata:
    """Return the strata of components that a step makes of another one.

    Args:
        names: the components.
        strata: those of the component that they are made of.
        after: what leaves the step where an element of this type enters; None where it does not fit.
    """
    made: list[tuple[Mapping[str, Tensor], int]] = []
    for tensor, number in strata:
        element = after(tensor)
        if element is None:
            return {}
        made.append((element, number))
    found = dict[str, tuple[Stratification, ...]]()
    for name in names:
        parts = [(element[name], number) for element, number in made if name in element]
        sizes = {part.bytes for part, _ in parts}
        if len(parts) == len(made) and None not in sizes and len(sizes) > 1:
            found[name] = (tuple(sorted(parts, key=_size, reverse=True)),)
    return found


def merged(streams: Sequence[Stream], names: Iterable[str]) -> Strata:
    """Return the strata of elements that come from one of these or another, each of theirs once."""
    found = dict[str, tuple[Stratification, ...]]()
    for name in names:
        every = [_ways(stream, name) for stream in streams]
        if not any(name in stream.strata for stream in streams) or not all(every):
            continue
        count = max(map(len, every))
        found[name] = tuple(_in_one([ways[min(at, len(ways) - 1)] for ways in every]) for at in range(count))
    return found


def _ways(stream: Stream, name: str) -> tuple[Stratification, ...]:
    """Return a component's strata, all of its elements in one where no more is known; none where they have no bound."""
    most, tensor = stream.cardinality.most, stream.element[name]
    if name in stream.strata:
        return stream.strata[name]
    return () if most is None or tensor.broken or tensor.bytes is None else (((tensor, most),),)


def _in_one(parts: Iterable[Stratification]) -> Stratification:
    return tuple(sorted((one for part in parts for one in part), key=_size, reverse=True))


def _size(stratum: tuple[Tensor, int]) -> int:
    return stratum[0].bytes or 0


def foremost(strata: Stratification) -> list[Tensor]:
    """Return few types of which each element is of one, or smaller: of images none that is both higher and wider."""
    found: list[tuple[Tensor, tuple[int, ...]]] = []
    for tensor, _ in strata:
        sides = _sides(tensor)
        if any(all(map(ge, other, sides)) for _, other in found):
            continue
        found = [(one, other) for one, other in found if not all(map(ge, sides, other))]
        found.append((tensor, sides))
    return [tensor for tensor, _ in found]


def _sides(tensor: Tensor) -> tuple[int, ...]:
    """Return all that bounds a tensor of a type, and what is in it; -1 stands for what is not bounded or not there."""
    encoded = (tensor.encoded.height, tensor.encoded.width) if tensor.encoded else ()
    sides = (one.most for one in (*tensor.shape, tensor.length, *encoded))
    text = tensor.text if tensor.dtype == "string" else None
    return tuple(-1 if one is None else one for one in (*sides, text))


def passing(before: Stream, after: Stream) -> Strata:
    """Return the strata of the components that leave as they came."""
    kept = {name: one for name, one in before.strata.items() if _same(name, before, after)}
    return before.strata if len(kept) == len(before.strata) else kept


def with_strata(stream: Stream, strata: Strata) -> Stream:
    """Return the stream with these strata and no others; itself where it has them.

    Those of a sample are left out where the bound of all elements rests on more: beside a declared one it is none.
    """
    if stream.strata is strata:
        return stream
    found: dict[str, tuple[Stratification, ...]] = {}
    for name, ways in strata.items():
        if stream.element[name].evidence != "sampled":
            ways = tuple(way for way in ways if all(one.evidence != "sampled" for one, _ in way))
        if ways:
            found[name] = ways
    return stream if found == stream.strata else replace(stream, strata=found)


def _same(name: str, before: Stream, after: Stream) -> bool:
    return name in before.element and after.element.get(name) is before.element[name]


def _up(size: int, bits: int) -> int:
    """Return the next number with so many significant bits."""
    step = 1 << max(0, size.bit_length() - bits)
    return -(-size // step) * step


def _no_longer(tensor: Tensor, most: int, evidence: Evidence) -> Tensor:
    return replace(tensor, length=_shorter(tensor.length, most, evidence))


def _fewer(tensor: Tensor, most: int, evidence: Evidence) -> Tensor:
    shape = (_shorter(tensor.shape[0], most, evidence), *tensor.shape[1:])
    return replace(tensor, shape=shape).of_one(tensor.text)


def _shorter(dim: Dim, size: int, evidence: Evidence) -> Dim:
    """Return a dimension cut off at `size`, which rests on this too; itself where it is no longer."""
    if dim.most is not None and dim.most <= size:
        return dim
    return Dim.at_most(size, weakest(dim.evidence, evidence))


def _scaled(strata: Stratification, every: int | None) -> Stratification:
    """Return the strata of all elements, where those of a sample were counted."""
    seen = sum(number for _, number in strata)
    if every is None or not seen or seen >= every:
        return strata
    return tuple((tensor, -(-number * every // seen)) for tensor, number in strata)
