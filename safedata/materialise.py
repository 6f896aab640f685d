"""Writes what a plan keeps on disk, before what stands behind it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from safedata._version import __version__
from safedata.machine.footprint import installed_version
from safedata.machine.release import release
from safedata.phases import Phase, Shelf, phases
from safedata.phases.key import steps_before
from safedata.plan import Plan
from safedata.problem import DataError, Fault, Problem
from safedata.records import record, replace
from safedata.scope import unheard
from safedata.store.entry import MANIFEST, Damage, Entry
from safedata.store.keep import kept
from safedata.store.lock import Holder
from safedata.store.stock import remove, stock
from safedata.store.writer import Writer
from safedata.types import format_element

_EVERY: Final = 0.1
"""Seconds between two reports of progress."""
_UNSEEDED: Final = 87654321
"""What TensorFlow mixes into seeds where the program has set none (`DEFAULT_GRAPH_SEED` of `random_seed.py`)."""
_SHOWN: Final = 20
"""Elements left out that a manifest names."""
_LONGEST: Final = 16_000
"""Characters of steps that a manifest repeats."""


@record(frozen=True, slots=True)
class Writing:
    """How far the writing of an entry has come."""

    rows: int
    of: int | None
    """Rows in all, at most; None when unknown."""
    row_bytes: int
    """Bytes of one, on average."""
    began: int
    """Rows that an earlier run had written."""
    seconds: float

    @property
    def done(self) -> None:
        """Return nothing: it is not there yet."""


@record(frozen=True, slots=True)
class Waiting:
    """Another process writes the entry; this one waits for it."""

    holder: Holder
    folder: str

    @property
    def done(self) -> None:
        """Return nothing: it is not there yet."""


@record(frozen=True, slots=True)
class Kept:
    """One entry that a pipeline uses."""

    folder: str
    rows: int
    bytes: int
    written: int
    """Rows that were written now: 0 where all of them were there."""
    seconds: float
    skipped: int = 0
    """Bad elements that were left out when it was written."""
    report: str | None = None
    """Where `on_error: quarantine` wrote them down then."""

    @property
    def done(self) -> Kept:
        """Return this."""
        return self


Told = Callable[["Writing | Waiting | Kept"], None]
"""Is told a few times a second how far the writing is, once for each process waited for, and of each entry used."""


@record(frozen=True, slots=True)
class Making:
    """How a part of a plan is run; the module that imports TensorFlow says so."""

    tf: Any
    compiled: Callable[[Plan], Any]
    """Returns the dataset of a part, with `described`, which says what it left out."""
    failed: Callable[[Exception, Plan], DataError]
    """Returns what TensorFlow said at run time as a problem."""
    told: Told | None = None

    def tell(self, what: Writing | Waiting | Kept) -> None:
        """Pass it on where somebody wants to know."""
        if self.told is not None:
            self.told(what)


def ready(plan: Plan, making: Making) -> Plan:
    """Write the entries that a plan's last part needs and that are not there; return that part.

    Raises:
        DataError: the data is bad or changed meanwhile, an entry cannot be written, or is damaged.
    """
    parts = phases(plan)
    if parts[0].reads is not None:
        making.tell(_found(parts[0].reads))
    for part in parts:
        if part.writes is not None:
            _write(part, part.writes, making)
    last = parts[-1]
    assert last.reads is not None
    with contextlib.suppress(OSError):  # somebody else's, or on a disk that cannot be written to
        os.utime(os.path.join(last.reads.folder, MANIFEST))
    return last.plan


def forget(plan: Plan) -> None:
    """Remove the entries that a plan would use, so that they are written again.

    Raises:
        DataError: SD408, one of them cannot be removed.
    """
    for part in phases(plan, here=False):
        shelf = part.writes
        for one in stock(shelf.root) if shelf is not None else ():
            if shelf is not None and one.key == shelf.key:
                with _problems(shelf):
                    remove(one)


def _found(shelf: Shelf) -> Kept:
    from safedata.store.entry import read_entry

    with _problems(shelf):
        entry = read_entry(shelf.folder)
    assert entry is not None
    return _kept(shelf, entry, 0, 0.0)


def _kept(shelf: Shelf, entry: Entry, written: int, seconds: float) -> Kept:
    skipped = entry.made.get("skipped", 0)
    return Kept(
        shelf.folder, entry.rows, entry.bytes, written, seconds, skipped, entry.made.get("quarantine")
    )


def _write(part: Phase, shelf: Shelf, making: Making) -> None:
    """Write an entry, or wait for the process that does."""
    made = _made(part.plan, shelf)
    run = _Run(part, shelf, making, made)
    began = time.perf_counter()

    def waiting(holder: Holder) -> None:
        making.tell(Waiting(holder, shelf.folder))

    with _problems(shelf):
        entry = kept(shelf.root, shelf.key, shelf.columns, run.make, made, waiting)
    making.tell(_kept(shelf, entry, run.written, time.perf_counter() - began))
    release()


class _Run:
    """One part of a plan on its way to disk."""

    def __init__(self, part: Phase, shelf: Shelf, making: Making, made: dict[str, Any]) -> None:
        self.plan = part.plan
        self.shelf = shelf
        self.making = making
        self.made = made
        self.written = 0

    def make(self, writer: Writer) -> None:
        """Append all rows from the first on that is not written."""
        tf, began = self.making.tf, writer.rows
        with unseeded(tf):
            compiled = self.making.compiled(self.plan)
        try:
            self._append(compiled.dataset, writer)
        # TensorFlow quotes the bytes of a bad record, and then its own message cannot be read as text.
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise self.making.failed(error, self.plan) from error
        self.written = writer.rows - began
        skipped = compiled.skips.described()
        self.made |= {"skipped": len(skipped), "first_skipped": [one[:200] for one in skipped[:_SHOWN]]}
        if skipped and compiled.skips.report is not None:
            self.made["quarantine"] = compiled.skips.report.path
        self._refuse_changed()

    def _append(self, dataset: Any, writer: Writer) -> None:
        chunk, names = self._chunk(), [column.name for column in self.shelf.columns]
        began, start = writer.rows, time.perf_counter()
        told, drop = start, began % chunk
        before = self.plan.steps[-1].before
        rows = None if before is None else before.cardinality.most
        for values in dataset.skip(began // chunk):
            writer.append([values[name].numpy()[drop:] for name in names])
            drop, now = 0, time.perf_counter()
            if now - told >= _EVERY:
                told = now
                each = writer.bytes // max(1, writer.rows)
                self.making.tell(Writing(writer.rows, rows, each, began, now - start))

    def _chunk(self) -> int:
        rows: int = getattr(self.plan.steps[-1].node, "rows")  # noqa: B009  # of `Write`, the last step
        return rows

    def _refuse_changed(self) -> None:
        """Refuse what was read while the files changed: nobody can tell which of them it was made of.

        Raises:
            DataError: SD404, the files are others than when the plan was made.
        """
        plan = self.plan
        try:
            again = plan.program.source.inspect(replace(plan.scope, report=unheard)).fingerprint
        except Fault:  # it is not even data any more
            again = None
        if again == plan.inspected.fingerprint:
            return
        with contextlib.suppress(OSError):
            shutil.rmtree(f"{self.shelf.folder}.part")
        span = plan.program.document.span(plan.program.source_path, key=True)
        message = "the data changed while it was written to a cache on disk"
        raise DataError(
            [Problem("SD404", message, span, help="run it again once nothing writes to the data")]
        )


@contextlib.contextmanager
def unseeded(tf: Any) -> Generator[None, None, None]:
    """Build what is kept without the program's `tf.random.set_seed`, which would change it and no key.

    Setting it again starts the seeds anew that TensorFlow counts out to operations without one.
    """
    seed = tf.compat.v1.get_seed(0)[0]
    if seed == _UNSEEDED:
        yield
        return
    tf.random.set_seed(_UNSEEDED)
    try:
        yield
    finally:
        tf.random.set_seed(seed)


@contextlib.contextmanager
def _problems(shelf: Shelf) -> Generator[None, None, None]:
    """Turn what the store says into problems.

    Raises:
        DataError: SD404, the entry is damaged; SD408, it cannot be written.
    """
    try:
        yield
    except DataError:
        raise
    except Damage as damage:
        message = f"the cache {shelf.folder} is damaged: {damage}"
        way_out = "remove that folder; the next run writes it again"
        raise DataError([Problem("SD404", message, help=way_out)]) from None
    except OSError as error:
        message = f"cannot write the cache {shelf.folder}: {(error.strerror or str(error)).lower()}"
        way_out = "make room, or name another folder in `cache: {path: ...}`"
        raise DataError([Problem("SD408", message, help=way_out)]) from None


def _made(plan: Plan, shelf: Shelf) -> dict[str, Any]:
    """Return what the manifest says of where the rows are from, for people."""
    program = plan.program
    steps = steps_before(plan, len(plan.steps) - 1)
    source = program.document.plain(("source",))
    said: Mapping[str, Any] = {"source": source, "steps": steps}
    return {
        "spec": os.path.abspath(program.files[0]) if program.files else None,
        "name": program.name,
        "element": format_element(plan.steps[-1].after.element)[:_LONGEST],
        "from": said if len(str(said)) <= _LONGEST else "too long to be repeated here",
        "safedata": __version__,
        "tensorflow": installed_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
