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
from safedata.phases.key import source_before, steps_before
from safedata.plan import Plan
from safedata.problem import DataError, Fault, Problem
from safedata.records import record, replace
from safedata.scope import unheard
from safedata.store.entry import MADE_ANEW, MANIFEST, Damage, Entry
from safedata.store.keep import kept
from safedata.store.lock import Holder
from safedata.store.stock import remove, share, stock
from safedata.store.writer import Writer
from safedata.told import Alone as Alone
from safedata.told import Kept as Kept
from safedata.told import Telling as Telling
from safedata.told import Told as Told
from safedata.told import Waiting as Waiting
from safedata.told import Writing as Writing
from safedata.types import format_element

_EVERY: Final = 0.1
"""Seconds between two reports of progress."""
_UNSEEDED: Final = 87654321
"""What TensorFlow mixes into seeds where the program has set none (`DEFAULT_GRAPH_SEED` of `random_seed.py`)."""
_SHOWN: Final = 20
"""Elements left out that a manifest names."""
_LONGEST: Final = 16_000
"""Characters of steps that a manifest repeats."""


Spread = Callable[[Phase, Shelf, Writer, "Making"], bool]
"""Appends all rows of a part that are not written, made by several processes; returns False where one has to."""


@record(frozen=True, slots=True)
class Making:
    """How a part of a plan is run; the module that imports TensorFlow says so."""

    tf: Any
    compiled: Callable[[Plan], Any]
    """Returns the dataset of a part, with `described`, which says what it left out."""
    failed: Callable[[Exception, Plan], DataError]
    """Returns what TensorFlow said at run time as a problem."""
    told: Told | None = None
    spread: Spread | None = None

    def tell(self, what: Telling) -> None:
        """Pass it on where somebody wants to know."""
        if self.told is not None:
            self.told(what)


def ready(plan: Plan, making: Making) -> Plan:
    """Write the entries that a plan's last part needs and that are not there; return that part.

    Raises:
        DataError: the data is bad or changed meanwhile, an entry cannot be written, or is damaged.
    """
    parts = phases(plan)
    made = {part.writes.folder for part in parts if part.writes is not None}
    for shelf in (one for part in parts for one in part.reads if one.folder not in made):
        making.tell(_found(shelf))
    for part in parts:
        if part.writes is not None:
            _write(part, part.writes, making)
    for shelf in (one for part in parts for one in part.reads):
        _used(shelf)
    return parts[-1].plan


def _used(shelf: Shelf) -> None:
    """Note that an entry is read now, and that it is a snapshot where it is one."""
    with contextlib.suppress(OSError):  # somebody else's, or on a disk that cannot be written to
        if shelf.shared:
            share(shelf.folder)
        os.utime(os.path.join(shelf.folder, MANIFEST))


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
        entry = kept(shelf.root, shelf.key, shelf.columns, run.make, made, waiting, shelf.frames)
    making.tell(_kept(shelf, entry, run.written, time.perf_counter() - began))
    release()


def append(chunks: Any, plan: Plan, shelf: Shelf, writer: Writer, making: Making) -> None:
    """Append all rows of a cache from the first on that is not written, and tell how far that is.

    Args:
        chunks: a dataset of them, or what else has `skip` and gives elements of `chunks` in their order.
        plan: the steps that make them; the last one gathers the rows of a chunk.
        shelf: says which columns the cache has.
        writer: what they are appended to.
        making: is told.
    """
    names = [column.name for column in shelf.columns]
    chunk: int = getattr(plan.steps[-1].node, "rows")  # noqa: B009  # of `Write`, the last step
    began, start = writer.rows, time.perf_counter()
    told, drop = start, began % chunk
    before = plan.steps[-1].before
    rows = None if before is None else before.cardinality.most
    for values in chunks.skip(began // chunk):
        writer.append([values[name].numpy()[drop:] for name in names])
        drop, now = 0, time.perf_counter()
        if now - told >= _EVERY:
            told = now
            each = writer.bytes // max(1, writer.rows)
            making.tell(Writing(writer.rows, rows, each, began, now - start))


class _Run:
    """One part of a plan on its way to disk."""

    def __init__(self, part: Phase, shelf: Shelf, making: Making, made: dict[str, Any]) -> None:
        self.part = part
        self.plan = part.plan
        self.shelf = shelf
        self.making = making
        self.made = made
        self.written = 0

    def make(self, writer: Writer) -> None:
        """Append all rows from the first on that is not written."""
        tf, began = self.making.tf, writer.rows
        spread = self.making.spread
        if spread is not None and spread(self.part, self.shelf, writer, self.making):
            self.written = writer.rows - began
            self.made |= {"skipped": 0, "first_skipped": []}
            self._refuse_changed()
            return
        with unseeded(tf):
            compiled = self.making.compiled(self.plan)
        try:
            append(compiled.dataset, self.plan, self.shelf, writer, self.making)
        # TensorFlow quotes the bytes of a bad record, and then its own message cannot be read as text.
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise self.making.failed(error, self.plan) from error
        self.written = writer.rows - began
        skipped = compiled.skips.described()
        self.made |= {"skipped": len(skipped), "first_skipped": [one[:200] for one in skipped[:_SHOWN]]}
        if skipped and compiled.skips.report is not None:
            self.made["quarantine"] = compiled.skips.report.path
        self._refuse_changed()

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
    what = "snapshot" if shelf.shared else "cache"
    try:
        yield
    except DataError:
        raise
    except Damage as damage:
        message = f"the {what} {shelf.folder} is damaged: {damage}"
        raise DataError([Problem("SD404", message, help=MADE_ANEW)]) from None
    except OSError as error:
        message = f"cannot write the {what} {shelf.folder}: {(error.strerror or str(error)).lower()}"
        way_out = f"make room, or name another folder in `{what}: {{path: ...}}`"
        raise DataError([Problem("SD408", message, help=way_out)]) from None


def _made(plan: Plan, shelf: Shelf) -> dict[str, Any]:
    """Return what the manifest says of where the rows are from, for people."""
    program = plan.program
    last = len(plan.steps) - 1
    source, steps = source_before(plan, last), steps_before(plan, last)
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
