"""What the sources over record files share: finding files, and saying where a record comes from."""

from __future__ import annotations

import glob
import os
import stat
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from safedata.problem import Fault, Path
from safedata.scope import Scope
from safedata.sources._listing import AT, missing, refuse_remote, unordinary, unreadable
from safedata.types import Stream

if TYPE_CHECKING:
    from safedata.sources._stream import Compression

READ_BUFFER: Final = 256 * 1024
"""Bytes that one reader of the graph reads ahead: TensorFlow's default, written out."""
RECORD: Final = "#record"
"""The internal component of a record that is not parsed yet."""

_MAGIC: Final = "*?["


def buffers(compression: Compression) -> int:
    """Return the bytes of a reader's buffers: a compressed file has one more for what it becomes, twice as large."""
    return READ_BUFFER * (1 if compression == "none" else 3)


def text_lines(tf: Any, file: Any, compression: Compression) -> Any:
    """Return the dataset of a file's lines."""
    return tf.data.TextLineDataset(file, "" if compression == "none" else compression.upper(), READ_BUFFER)


def find_files(paths: str | Sequence[str], scope: Scope, at: Path = ("path",)) -> tuple[str, ...]:
    """Return the files that a path, a pattern or a list of them names, each pattern's in sorted order.

    Raises:
        Fault: a path is missing or no file, a pattern matches nothing, or the file system is remote.
    """
    written = (paths,) if isinstance(paths, str) else tuple(paths)
    found: list[str] = []
    for number, one in enumerate(written):
        here = at if isinstance(paths, str) else (*at, number)
        found += _expand(one, scope, here)
    if not found:
        raise Fault("SD403", "the list of paths is empty", at, help="name at least one file")
    return tuple(found)


def _expand(written: str, scope: Scope, at: Path) -> list[str]:
    refuse_remote(written, at=at)
    if "\0" in written:
        raise Fault("SD401", "a path has no NUL character in it", at, help="write the path without it")
    path = scope.path(written)
    if any(sign in written for sign in _MAGIC) and not os.path.exists(path):
        matches = [one for one in sorted(glob.glob(path, recursive=True)) if os.path.isfile(one)]
        if not matches:
            way_out = "name a pattern that files match; `**` stands for any folders"
            notes = (f"looked for {path}",)
            raise Fault("SD401", f"no file matches `{written}`", at, notes=notes, help=way_out)
        return matches
    if not os.path.lexists(path):
        raise missing(written, scope, at=at)
    file_size(path, at)
    return [path]


def file_size(path: str, at: Path = ()) -> int:
    """Return a file's size in bytes.

    Raises:
        Fault: it does not exist, cannot be looked at, or is not a file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise Fault(
            "SD401", f"`{path}` does not exist", at, help="it was there a moment ago; check what removes it"
        ) from None
    except OSError as error:
        raise unreadable(path, error, at=at or AT) from None
    if not stat.S_ISREG(found.st_mode):
        raise unordinary(path, at=at)
    return found.st_size


def damaged(
    path: str, what: str, *, at: Path = (), notes: tuple[str, ...] = (), way_out: str | None = None
) -> Fault:
    """Return the fault for a file that is not what it is said to be."""
    return Fault("SD404", f"`{path}` {what}", at, notes=notes, help=way_out)


def lengths_of(kept: Any, count: int) -> Counter[int] | None:
    """Return what a measurement has kept of the lengths of a file's records: how many are of which length at most.

    None where an earlier version measured the file.

    Raises:
        TypeError, ValueError: it cannot have been kept of so many records.
    """
    if kept is None:
        return None
    found = Counter[int](dict(kept))
    sound = all(type(one) is int and one >= 0 for pair in found.items() for one in pair)
    if not sound or found.total() != count:
        raise ValueError("not the lengths of all records")
    return found


def counts_of(kept: Any) -> Counter[int] | None:
    """Return the same of whatever was kept, where nothing says how many there are.

    Raises:
        TypeError, ValueError: it cannot have been kept of anything.
    """
    return None if kept is None else lengths_of(kept, sum(count for _, count in kept))


@dataclass(slots=True)
class Places:
    """Where each record comes from: runs of records that are numbered one after the other in one file."""

    unit: str
    """`record` or `line`."""
    starts: array[int] = field(default_factory=lambda: array("q"))
    """The index of each run's first record."""
    files: array[int] = field(default_factory=lambda: array("q"))
    """The place of each run's file in `paths`."""
    numbers: array[int] = field(default_factory=lambda: array("q"))
    """The number, in its file, of each run's first record."""
    paths: tuple[str, ...] = ()
    count: int = 0

    def add(self, file: int, number: int) -> None:
        """Add the next record."""
        run = len(self.starts) - 1
        if run < 0 or self.files[run] != file or self.numbers[run] + self.count - self.starts[run] != number:
            self.add_run(file, number, 0)
        self.count += 1

    def add_run(self, file: int, number: int, count: int) -> None:
        """Add the next `count` records, numbered from `number` on in one file."""
        self.starts.append(self.count)
        self.files.append(file)
        self.numbers.append(number)
        self.count += count

    def find(self, index: int) -> tuple[str, int] | None:
        """Return the file of the record with this index and its number there, None for no such record."""
        if not 0 <= index < self.count:
            return None
        run = bisect_right(self.starts, index) - 1
        return self.paths[self.files[run]], self.numbers[run] + index - self.starts[run]

    def located(self, index: int) -> dict[str, Any]:
        """Return the same by name: `file`, and the number under the records' unit; nothing for no such record."""
        found = self.find(index)
        return {"file": found[0], self.unit: found[1]} if found else {}

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside a graph, as a scalar string: `a.csv line 12`."""
        starts = tf.constant(self.starts.tolist(), tf.int64)
        run = tf.searchsorted(starts, index[tf.newaxis], side="right")[0] - 1
        number = tf.gather(tf.constant(self.numbers.tolist(), tf.int64), run) + index - tf.gather(starts, run)
        file = tf.gather(tf.constant(self.paths), tf.gather(tf.constant(self.files.tolist(), tf.int64), run))
        return tf.strings.join([file, f" {self.unit} ", tf.strings.as_string(number)])


def skipping(stream: Stream, scope: Scope) -> Stream:
    """Return the stream as it leaves a step that may leave elements out under `on_error: skip`."""
    if scope.on_error != "skip":
        return stream
    return Stream(
        stream.element, stream.cardinality.weakened(), stream.batch_dims, stream.shared, stream.evidence
    )
