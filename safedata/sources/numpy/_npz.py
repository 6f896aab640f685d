"""The members of a `.npz` archive: where their rows lie in it, or their bytes where they are compressed."""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, Final

from safedata.npy import Header, read_header
from safedata.problem import Fault
from safedata.sources._listing import unreadable
from safedata.sources._records import damaged

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_LOCAL: Final = struct.Struct("<4s22xHH")
"""A member's header in front of its data: signature, ..., length of the name, length of the extra field."""
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One array of an archive."""

    name: str
    header: Header
    start: int | None
    """Where its first row lies in the archive; None where the member is compressed."""


@contextmanager
def _opened(path: str) -> Generator[ZipFile, None, None]:
    """Open an archive; whatever is wrong with it becomes a fault."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            yield archive
    except Fault:
        raise
    except BadZipFile as error:
        raise damaged(path, "is not a .npz archive that can be read", notes=(str(error),)) from None
    except OSError as error:
        # an offset that no file can have is the archive's fault, not the file system's
        if error.errno in (None, errno.EINVAL, errno.EOVERFLOW) or error.strerror is None:
            raise damaged(path, "is not a .npz archive that can be read", notes=(str(error),)) from None
        raise unreadable(path, error) from None
    except (
        ArithmeticError,
        EOFError,
        LookupError,
        RuntimeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise damaged(path, "is not a .npz archive that can be read", notes=(str(error),)) from None
    except Exception as error:
        # lzma.LZMAError, without importing lzma; anything else is a bug and goes on as it is
        if type(error).__name__ != "LZMAError":
            raise
        raise damaged(path, "is not a .npz archive that can be read", notes=(str(error),)) from None


def read_members(path: str, size: int) -> list[Member]:
    """Return the arrays of an archive, in its order, from the headers alone.

    Args:
        path: the archive.
        size: its bytes.

    Raises:
        Fault: it is no archive, or a member is encrypted, cut off, or no array that can be streamed.
    """
    with _opened(path) as archive:
        return [_member(archive, info, path, size) for info in archive.infolist() if not info.is_dir()]


def _member(archive: ZipFile, info: ZipInfo, path: str, size: int) -> Member:
    name = f"{path}/{info.filename}"
    if info.flag_bits & 1:
        raise damaged(name, "is encrypted", way_out="save the arrays again with `numpy.savez`")
    with archive.open(info) as file:
        header = read_header(file.read, name)
    if info.file_size != header.offset + header.data_bytes:
        expected = f"{header.offset + header.data_bytes} bytes expected, {info.file_size} found"
        raise damaged(name, f"is not as long as its header says: {expected}")
    return Member(info.filename.removesuffix(".npy"), header, _start(archive, info, header, path, size))


def _start(archive: ZipFile, info: ZipInfo, header: Header, path: str, size: int) -> int | None:
    if info.compress_type != 0:
        return None
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        signature, name_bytes, extra_bytes = _LOCAL.unpack(file.read(_LOCAL.size))
    start = info.header_offset + _LOCAL.size + name_bytes + extra_bytes
    if signature != b"PK\3\4" or start + info.file_size > size:
        raise damaged(f"{path}/{info.filename}", "lies outside of its archive: the archive is cut off")
    return int(start) + header.offset


def load_rows(path: str, name: str, header: Header) -> mmap:
    """Return all rows of a compressed member, in memory that starts on a page.

    Raises:
        Fault: the archive is no longer what `read_members` found.
    """
    rows = mmap(-1, header.data_bytes)
    with _opened(path) as archive:
        names = archive.namelist()
        inside = f"{name}.npy" if f"{name}.npy" in names else name
        with archive.open(inside) as file:
            file.read(header.offset)
            while rows.tell() < header.data_bytes:
                chunk = file.read(min(_CHUNK, header.data_bytes - rows.tell()))
                if not chunk:
                    raise damaged(f"{path}/{name}", f"ends {header.data_bytes - rows.tell()} bytes too early")
                rows.write(chunk)
    return rows
