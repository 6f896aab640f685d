"""Read a YAML text into a document with positions, or say everything that is wrong with it."""

from __future__ import annotations

import codecs
import os
import re
import stat
from typing import Final

from safedata.problem import Problem, Span
from safedata.spec.node import Document, DocumentError, Node, Scalar
from safedata.spec.yaml_events import build

__all__ = ["MAX_BYTES", "Document", "DocumentError", "Node", "Scalar", "decode", "parse", "read"]

MAX_BYTES: Final = 1 << 20
"""Bytes of the largest spec that is read: 1 MiB."""

_CONTROL = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_BOMS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read(path: str | os.PathLike[str]) -> Document:
    """Return the document in a file; spans name the file as `path` does.

    Raises:
        DocumentError: the file is not there (SD401), cannot be read (SD402), is over 1 MiB (SD109),
            or holds no document (SD101, SD102, SD109, SD111).
    """
    file = os.fspath(path)
    size, data = 0, b""
    try:
        found = os.stat(file)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        size = found.st_size
        if size <= MAX_BYTES:
            with open(file, "rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise _fail("SD401", f"the spec `{file}` does not exist", file) from None
    except (OSError, ValueError) as error:
        reason = "it is a folder" if isinstance(error, IsADirectoryError) else str(error).split("] ")[-1]
        raise _fail("SD402", f"the spec `{file}` cannot be read: {reason}", file) from error
    if max(size, len(data)) > MAX_BYTES:  # a pipe or a file that grew says its size only by what was read
        count = f"{size}" if size > MAX_BYTES else f"more than {MAX_BYTES}"
        raise _fail("SD109", f"`{file}` has {count} bytes, a spec has {MAX_BYTES} at most", file)
    return parse(decode(data, file), file)


def parse(text: str, file: str) -> Document:
    """Return the document in `text`; spans name it as `file`.

    Raises:
        DocumentError: with every problem that could be found.
    """
    text = text.removeprefix("\ufeff")
    texts = {file: text}
    if len(text) > MAX_BYTES:
        raise _fail("SD109", f"the text has {len(text)} characters, a spec has {MAX_BYTES} at most", file)
    control = _CONTROL.search(text)
    if control:
        raise DocumentError([_control_character(control, text, file)], texts)
    root, problems = build(text, file)
    nothing = root is not None and root.value is None and not root.raw
    if nothing or (root is None and not problems):
        span = Span(file, 1, 1, 1, 1)
        problems = [
            Problem("SD101", "the document is empty", span, help="begin it with the line `safedata: 1`")
        ]
    if problems or root is None:
        raise DocumentError(problems, texts)
    return Document(root, texts)


def decode(data: bytes, file: str) -> str:
    """Return the text of a file's bytes, a byte order mark taken away.

    Raises:
        DocumentError: SD101, the bytes are not UTF-8; the message names the first wrong one.
    """
    for mark, name in _WIDE_BOMS.items():
        if data.startswith(mark):
            raise _encoding(name, file)
    if b"\0" in data[:4]:
        raise _encoding("UTF-16", file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With "utf-8-sig" the offset counts from behind the mark.
        offset = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
    text = data.decode("utf-8-sig", errors="replace")
    line, column = place(data[:offset].decode("utf-8-sig"))
    problem = Problem(
        "SD101",
        f"the text is not UTF-8: byte 0x{data[offset]:02x} at offset {offset}, in line {line}",
        Span(file, line, column, line, column + 1),
        help=f"save the file as UTF-8, for instance `iconv -f LATIN1 -t UTF-8 {file}`",
    )
    raise DocumentError([problem], {file: text})


def place(before: str) -> tuple[int, int]:
    """Return the line and column, from 1, of what follows the text `before`."""
    from safedata.spec.yaml_errors import LINE_BREAK  # only for a message

    lines = LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1


def _encoding(name: str, file: str) -> DocumentError:
    problem = Problem(
        "SD101",
        f"the text is {name}, not UTF-8",
        Span(file, 1, 1, 1, 1),
        help=f"save the file as UTF-8, for instance `iconv -f {name} -t UTF-8 {file}`",
    )
    return DocumentError([problem], {})


def _control_character(found: re.Match[str], text: str, file: str) -> Problem:
    line, column = place(text[: found.start()])
    number = ord(found[0])
    escape = f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
    return Problem(
        "SD101",
        f"the text holds the control character U+{number:04X}",
        Span(file, line, column, line, column + 1),
        help=f"remove it; where it is meant, write `{escape}` inside double quotes",
    )


def _fail(code: str, message: str, file: str) -> DocumentError:
    helps = {
        "SD109": "keep data in files of its own, which the spec names",
        "SD401": "check the path; it is relative to the current directory",
        "SD402": "name a file that you may read",
    }
    return DocumentError([Problem(code, message, Span(file, 1, 1, 1, 1), help=helps[code])], {})
