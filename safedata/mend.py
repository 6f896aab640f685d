"""Writes a fix into a spec's file: only once the changed text was checked, and in one step."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from safedata.budget import Verdict
from safedata.change import Fix
from safedata.edit import Edited, EditError, edited
from safedata.fitting import Fit
from safedata.memory import Place
from safedata.problem import DataError, Problem, SpecError
from safedata.records import record
from safedata.request import Request, check_request
from safedata.spec.document import decode
from safedata.spec.node import DocumentError

_BOM = b"\xef\xbb\xbf"


@record(frozen=True, slots=True)
class Mended:
    """What was written into a spec."""

    verdict: Verdict
    """On the spec as it is now."""
    diff: str
    """The change of its text, as `diff -u` shows it."""
    notes: tuple[str, ...] = ()
    """What its reader should know of how it was changed."""


def fixes_of(verdict: Verdict) -> tuple[Fix, ...]:
    """Return the fixes that a verdict's over-budget problems offer; each makes everything fit."""
    return next((problem.fixes for problem in verdict.problems if problem.fixes), ())


def write_fix(verdict: Verdict, request: Request, fix: Fix) -> Mended:
    """Write a fix into the file of the spec that `verdict` is about.

    Everything that the fix does not change stays as it is, byte by byte. The changed text is checked against the
    same machine first: unless it fits, with the peaks that were worked out for the fix, the file is not touched.
    Once written it is checked again, and should it not fit, the old file is put back.

    Raises:
        SpecError: SD330, the fix cannot be written in place, or the changed spec does not fit.
        DataError: SD408, the file cannot be written.
    """

    def change(text: str) -> Edited:
        return edited(text, verdict.spec, os.path.dirname(verdict.spec), fix.changes, request.overrides)

    return write_change(verdict, request, change, fix.peaks)


def write_numbers(verdict: Verdict, request: Request, fit: Fit) -> Mended:
    """Write the largest numbers that fit into the file of the spec that `verdict` is about; see `write_fix`.

    Raises:
        SpecError: SD330, as for `write_fix`.
        DataError: SD408, as for `write_fix`.
    """

    def change(text: str) -> Edited:
        return edited(text, verdict.spec, os.path.dirname(verdict.spec), fit.changes, request.overrides)

    peaks = {place: one.bytes for place, one in fit.verdict.places.items() if one.bytes is not None}
    return write_change(verdict, request, change, peaks)


def write_change(
    verdict: Verdict, request: Request, change: Callable[[str], Edited], peaks: Mapping[Place, int]
) -> Mended:
    """Write a change of a spec's text into its file, once the changed text was found to fit.

    Args:
        verdict: on the spec as it is.
        request: what the check was asked for.
        change: makes the change; an `EditError` of it says why it cannot.
        peaks: the bytes in each place that the change was found to lead to.

    Raises:
        SpecError: SD330, as for `write_fix`.
        DataError: SD408, as for `write_fix`.
    """
    text, data = _read(verdict)
    changed = _changed(verdict, lambda: change(text))
    after = checked_text(verdict, request, changed.text)
    found = {place: one.bytes for place, one in after.places.items()}
    if not after.fits or found != dict(peaks):
        raise _refused(verdict, EditError("the changed text does not mean what was tried"), after)
    mark = _BOM if data.startswith(_BOM) else b""
    _replaced(verdict.spec, data, mark + changed.text.encode())
    try:
        after = check_request(Path(verdict.spec), _settled(request, verdict))
    except BaseException:
        _replaced(verdict.spec, mark + changed.text.encode(), data)
        raise
    if not after.fits:
        _replaced(verdict.spec, mark + changed.text.encode(), data)
        raise _refused(verdict, EditError("once written it did not fit, and the old file is back"), after)
    return Mended(after, diff_of(text, changed.text, verdict.spec), changed.notes)


def checked_text(verdict: Verdict, request: Request, text: str) -> Verdict:
    """Return the verdict on another text in a spec's place, on the machine that `verdict` is about."""
    folder = request.folder or os.path.dirname(verdict.spec) or "."
    whole = text if "\n" in text or "\r" in text else text + "\n"  # text with a line break is a spec's own
    return check_request(whole, replace(_settled(request, verdict), folder=folder))


def _settled(request: Request, verdict: Verdict) -> Request:
    """Return the request with the machine's memory as it was found: what is free changes from moment to moment."""
    machine = verdict.machine
    if machine is None or request.target is not None:
        return request
    gpus = [free for gpu in machine.gpus if (free := machine.free(f"gpu:{gpu.index}").bytes) is not None]
    return replace(
        request,
        host=machine.host.bytes if request.host is None else request.host,
        disk=machine.disk.bytes if request.disk is None else request.disk,
        gpu=gpus or None if request.gpu is None else request.gpu,
    )


def _replaced(file: str, before: bytes, after: bytes) -> None:
    """Put bytes in the place of a file's own.

    Raises:
        DataError: SD408, the file cannot be written, or has changed since it was read.
    """
    try:
        _replace(Path(file), before, after)
    except OSError as error:
        message = f"the fix cannot be written into `{file}`: {error.strerror or error}"
        way_out = "make the change by hand, or the file and its folder ones that you may write to"
        raise DataError([Problem("SD408", message, help=way_out)]) from error


def diff_of(text: str, changed: str, file: str) -> str:
    """Return the change of a text as `diff -u` shows it."""
    ending = "\n\\ No newline at end of file\n"
    lines = difflib.unified_diff(_lines(text), _lines(changed), file, file)
    return "".join(line if line.endswith("\n") else line + ending for line in lines).rstrip("\n")


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True) if "\r" not in text else text.replace("\r\n", "\n").splitlines(True)


def _read(verdict: Verdict) -> tuple[str, bytes]:
    """Return the text of the spec's file and its bytes.

    Raises:
        SpecError: SD330, it is no longer what was checked.
    """
    try:
        with open(verdict.spec, "rb") as stream:
            data = stream.read()
        text = decode(data, verdict.spec)
    except (OSError, DocumentError) as error:
        raise _refused(verdict, EditError("the spec is no file that can be read again")) from error
    if verdict.texts.get(verdict.spec) != text:
        raise _refused(verdict, EditError("the file has changed since it was checked"))
    return text, data


def _changed(verdict: Verdict, change: Callable[[], Edited]) -> Edited:
    try:
        return change()
    except EditError as error:
        raise _refused(verdict, error) from error
    except DocumentError as error:
        raise _refused(
            verdict, EditError(f"the changed text cannot be read: {error.problems[0].message}")
        ) from error


def _refused(verdict: Verdict, error: EditError, after: Verdict | None = None) -> SpecError:
    notes = tuple(one.message for one in after.problems if one.severity == "error") if after else ()
    message = f"the fix cannot be written into the spec: {error}"
    way_out = error.help or "make the change by hand; the file is as it was"
    made = SpecError([Problem("SD330", message, error.span, notes=notes, help=way_out)])
    made.texts = verdict.texts
    return made


def _replace(path: Path, before: bytes, after: bytes) -> None:
    """Put bytes in the place of a file's in one step; links are followed, and mode and owner are kept.

    Raises:
        OSError: the file cannot be written, or holds something else by now.
    """
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with open(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            found = target.stat()
            os.chmod(name, found.st_mode & 0o7777)
            _own(name, found)
            os.fsync(stream.fileno())
        if target.read_bytes() != before:
            raise OSError("it has changed since it was read")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _own(name: str, like: os.stat_result) -> None:
    if hasattr(os, "chown") and (os.stat(name).st_uid, os.stat(name).st_gid) != (like.st_uid, like.st_gid):
        try:
            os.chown(name, like.st_uid, like.st_gid)
        except PermissionError:  # only root gives files away; the mode is what others may do
            return
