"""Reading the kernel's small files, whose absence or garbage is an ordinary answer."""

from __future__ import annotations

import os


def under(root: str, path: str) -> str:
    """Return an absolute `path` as it lies under `root` (`/` but for tests)."""
    return os.path.join(root, path.lstrip("/"))


def read_text(root: str, path: str) -> str | None:
    """Return the text of a file, None when it cannot be read."""
    try:
        with open(under(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):  # ValueError: a NUL in a garbled path
        return None


def read_int(root: str, path: str) -> int | None:
    """Return the number that a file holds, None when it holds none (`max` among others)."""
    return parse_int(read_text(root, path))


def parse_int(text: str | None) -> int | None:
    """Return the number that the whole text is, None for anything else."""
    word = (text or "").strip()
    return int(word) if word.isascii() and word.isdecimal() and len(word) < 30 else None


def read_table(root: str, path: str) -> dict[str, int] | None:
    """Return the lines `name number ...` or `name: number kB` of a file; kB become bytes.

    Lines that are neither are left out; None when the file cannot be read.
    """
    text = read_text(root, path)
    if text is None:
        return None
    table: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        number = parse_int(words[1]) if len(words) >= 2 else None
        if number is not None:
            table[words[0].rstrip(":")] = number * 1024 if words[2:3] == ["kB"] else number
    return table
