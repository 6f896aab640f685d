"""Image headers of the files of a source: measured, or read now, a sample of them where there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from safedata.headers import Header, Headers, inspect_images, joined, try_header
from safedata.records import record
from safedata.scope import MANY_FILES, Scope
from safedata.sources._fingerprint import Stamped
from safedata.sources._listing import reading, sampled_note
from safedata.strata import by_image, by_length, covered, rounded, rounded_pairs
from safedata.types import Encoded, Stratification, Tensor

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Bad, Work

_FORMATS: Final = ("jpeg", "png", "gif", "bmp", "webp")
_DAMAGED: Final = 1000
"""Bad files that a summary names; with more of them a check goes through all entries."""

_Value = tuple[str, int, int, bool, int | None]
"""What is kept of an image: format, height, width, whether it ends as it must, bytes of coefficients."""


@record(frozen=True, slots=True)
class Images:
    """The files of a source that may be images, as it lists them."""

    ask: Callable[[], Question]
    """Returns what is asked of them; only called where they are many."""
    files: Sequence[Stamped]
    fingerprint: str
    """A digest of the listing, or of more than it."""

    @property
    def many(self) -> bool:
        """Whether a check reads the headers of some of the files alone."""
        return len(self.files) > MANY_FILES

    def headers(self, scope: Scope) -> tuple[Headers, tuple[str, ...]]:
        """Return what the headers say, and notes on what that rests on.

        Raises:
            Fault: SD402, a file cannot be read.
        """
        if not self.many:
            return self._read([file.path for file in self.files])
        from safedata.measured import CorruptError
        from safedata.sources._shelf import Shelf

        question = self.ask()
        shelf = Shelf.of(question, scope, _check)
        stored = shelf.summary(self.fingerprint)
        if stored is not None:
            try:
                return self._summed(stored.summary, question), ()
            except CorruptError as error:
                shelf.drop(stored, error)
        return self._completed(shelf.values(self.files), scope)

    def _read(self, paths: Sequence[str]) -> tuple[Headers, tuple[str, ...]]:
        with reading():
            found = inspect_images(paths)
        return found, sampled_note(found)

    def _completed(self, values: Mapping[str, Any], scope: Scope) -> tuple[Headers, tuple[str, ...]]:
        """Return what is known already with what the other files' headers say, or a sample of them."""
        new = [file.path for file in self.files if file.path not in values]
        rest, notes = self._read(new)
        if not values:
            return rest, notes
        from safedata.sources._shelf import renewed

        renewed(scope, len(new), len(self.files))
        if notes:
            notes = (f"of {len(new)} new or changed files {notes[0].removeprefix('the ')}",)
        damaged = [*((path, one) for path, one in values.items() if isinstance(one, str)), *rest.damaged]
        known = Counter(one for one in values.values() if not isinstance(one, str))
        seen = Counter({_header(one): times for one, times in known.items()}) + rest.seen
        count = len(self.files)
        encoded = joined(seen, "sampled" if rest.sampled else "measured")
        read = count - len(new) + rest.read
        return Headers(encoded, count, read, tuple(damaged), seen, encoded.sizes), notes

    def _summed(self, summary: Any, question: Question) -> Headers:
        """Return the headers of a summary.

        Raises:
            CorruptError: it is none.
        """
        try:
            values = [tuple(one) for one in summary["seen"]]
            for value in values:
                _check(value)
            bad = dict(summary["damaged"])
            named = {question.name(file.path): file.path for file in self.files} if bad else {}
            damaged = tuple((named[name], str(reason)) for name, reason in bad.items())
            sizes = tuple(map(_counted, summary.get("sizes", ())))
        except (TypeError, KeyError, ValueError):
            raise _corrupt("its summary is damaged") from None
        seen = frozenset(map(_header, values))
        count = len(self.files)
        return Headers(joined(seen, "measured"), count, count, damaged, Counter(), sizes)

    def works(self, damaged: Callable[[Mapping[str, Any]], Bad]) -> tuple[Work, ...]:
        """Return what there is to measure: nothing where a check reads every header."""
        if not self.many:
            return ()
        from safedata.sources._shelf import Work

        return (Work(self.ask(), self.files, self.fingerprint, _read_one, _summary, damaged, _check),)


def strata_of(image: Tensor, sizes: Collection[int], headers: Headers | None) -> tuple[Stratification, ...]:
    """Return how many files there are of which size, and how many images of which height and width.

    Args:
        image: the type of all.
        sizes: bytes of the file of each element.
        headers: what the headers of these files said, where they are images.
    """
    found = [by_length(image, rounded(sizes))]
    counted = sum(count for *_, count in headers.sizes) if headers else 0
    if headers is not None and counted and (headers.sampled or counted + len(headers.damaged) == len(sizes)):
        found.append(by_image(image, headers.sizes, every=len(sizes) if headers.sampled else None))
    return tuple(found)


def max_size_for(encoded: Encoded | None) -> str:
    """Return what a spec may declare in place of sampled sizes; nothing where none is sampled."""
    if encoded is None or "sampled" not in (encoded.height.evidence, encoded.width.evidence):
        return ""
    return f"`max_size: [{encoded.height.most}, {encoded.width.most}]` in the decoder"


def bad_files(values: Mapping[str, Any]) -> Bad:
    """Return the files that are no images, with the reason."""
    found = [(path, value) for path, value in values.items() if isinstance(value, str)]
    return len(found), found


def _read_one(path: str, tick: Callable[[int], None]) -> Any:
    header = try_header(path)
    tick(0)
    if isinstance(header, str):
        return header
    return header.format, header.height, header.width, header.whole, header.coefficients


def _summary(values: Mapping[str, Any]) -> Any:
    """Return the headers that bound all others, and the bad files; None where these are too many."""
    damaged = [(name, value) for name, value in values.items() if isinstance(value, str)]
    headers = {value for value in values.values() if not isinstance(value, str)}
    if len(damaged) > _DAMAGED:
        return None
    counts = Counter(value[1:3] for value in values.values() if not isinstance(value, str))
    sizes = sorted(covered(rounded_pairs(counts)))
    return {"seen": sorted(_extremes(headers), key=_order), "damaged": damaged, "sizes": sizes}


def _counted(kept: Any) -> tuple[int, int, int]:
    height, width, count = kept
    if not all(type(one) is int and one > 0 for one in (height, width, count)):
        raise ValueError("not so many images of a size")
    return height, width, count


def _extremes(headers: Collection[_Value]) -> set[_Value]:
    """Return one header of each format, whole and cut off, and those with extreme sizes: these bound all."""
    kept = {(one[0], one[3]): one for one in sorted(headers, key=_order)}
    if not headers:
        return set()
    heights = {pick(headers, key=lambda one: one[1]) for pick in (min, max)}
    widths = {pick(headers, key=lambda one: one[2]) for pick in (min, max)}
    return {*kept.values(), *heights, *widths, max(headers, key=lambda one: _rank(one[4]))}


def _order(one: _Value) -> tuple[Any, ...]:
    return (*one[:4], _rank(one[4]))


def _rank(coefficients: int | None) -> float:
    """Return where a number of bytes stands among others: behind all of them where it is not known."""
    return inf if coefficients is None else coefficients


def _check(found: Any) -> None:
    """Raise CorruptError for what cannot have been kept of a file."""
    if isinstance(found, str):
        return
    one = cast("tuple[Any, ...]", found)
    named = isinstance(found, tuple) and len(one) == 5 and one[0] in _FORMATS and type(one[3]) is bool
    sized = named and all(type(size) is int and size > 0 for size in one[1:3])
    if not sized or not (one[4] is None or (type(one[4]) is int and one[4] >= 0)):
        raise _corrupt("an entry is no image's")


def _corrupt(why: str) -> ValueError:
    from safedata.measured import CorruptError

    return CorruptError(why)


def _header(value: Any) -> Header:
    return Header(*value)
