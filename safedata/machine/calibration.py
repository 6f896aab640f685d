"""What TensorFlow itself takes on this machine: measured once, kept in the user's cache folder.

A check reads one small file and imports nothing. The file names what it was measured with; where any of that has
changed, or the file is damaged or somebody else's, it counts as none. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import os
import platform
import sys
import zlib
from typing import Any, Final

from safedata.machine.footprint import installed, resident
from safedata.memory import GIB, MIB

_HEADER: Final = "safedata-tensorflow 1"
_LONGEST: Final = 1 << 16
"""Bytes of such a file that are read at most."""
_PLAUSIBLE: Final = (128 * MIB, 64 * GIB)
"""No process with TensorFlow loaded peaks outside."""
_FRESH: Final = 72 * MIB
"""A process that held more than this before it imported TensorFlow says nothing of TensorFlow alone."""
_SETTINGS: Final = ("CUDA_VISIBLE_DEVICES", "TF_ENABLE_ONEDNN_OPTS", "LD_PRELOAD", "MALLOC_ARENA_MAX")
"""Variables that change what TensorFlow takes by itself."""
_SCRIPT: Final = """
import sys
import safedata
from safedata.machine import calibration, footprint
for _ in safedata.load(calibration.TINY, host="1TiB"):
    pass
sys.stdout.write(str(footprint.resident().peak))
sys.stdout.flush()
import os
os._exit(0)
"""
TINY: Final = """safedata: 1
source: {range: 64}
steps: [{shuffle: 8}, {map: {value: [{cast: float32}]}}, {batch: 4}, {prefetch: 2}]
"""
"""The smallest pipeline with a thread of every kind in it."""


def known() -> int | None:
    """Return the peak in bytes that a process with TensorFlow and a tiny pipeline had here; None if not measured."""
    key = _key()
    if key is None:
        return None
    try:
        with open(_path(key), "rb") as file:
            if not _own(os.fstat(file.fileno())):
                return None
            text = file.read(_LONGEST).decode()
    except (OSError, UnicodeDecodeError):
        return None
    return _parse(text, key)


def calibrate(timeout: float = 120.0) -> int:
    """Measure what TensorFlow takes here, in a fresh process, keep it for later checks, and return the bytes.

    Raises:
        OSError: the process failed, or took longer than `timeout` seconds; the message has its last words.
    """
    import subprocess

    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, (package, environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", _SCRIPT]
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"TensorFlow did not start within {timeout:.0f} seconds") from None
    last = done.stdout.split("\n")[-1]
    if done.returncode or not last.isdecimal():
        raise OSError(f"TensorFlow could not be measured: {done.stderr.strip()[-500:] or 'it said nothing'}")
    keep(int(last))
    return int(last)


def wanted() -> bool:
    """Return whether this process could measure TensorFlow in passing: not loaded, little else, not yet known."""
    if "tensorflow" in sys.modules or known() is not None:
        return False
    before = resident().peak
    return before is not None and before <= _FRESH


def observe(tf: Any) -> None:
    """Run the smallest pipeline in a process where TensorFlow has just started, and keep the peak.

    Whatever goes wrong with keeping the figure is no concern of the caller's.
    """
    _exercise(tf)
    peak = resident().peak
    if peak is not None:
        keep(peak)


def _exercise(tf: Any) -> None:
    """Run a pipeline with a thread of every kind in it, as `TINY` has."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.threading.private_threadpool_size = len(os.sched_getaffinity(0))

    def cast(value: Any) -> Any:
        return tf.cast(value, tf.float32)

    with tf.device("/CPU:0"):
        data = (
            tf.data.Dataset.range(64).shuffle(8, seed=1).map(cast, num_parallel_calls=2).batch(4).prefetch(2)
        )
        for _ in data.with_options(options):
            pass


def keep(peak: int) -> bool:
    """Keep a peak in bytes for later checks; return whether it could be written, whole or not at all."""
    import contextlib
    import tempfile

    key = _key()
    if key is None or not _PLAUSIBLE[0] <= peak <= _PLAUSIBLE[1]:
        return False
    path = _path(key)
    partial = None
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".tensorflow-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_text(key, peak))
        os.replace(partial, path)
    except OSError:
        return False
    finally:
        if partial is not None:
            with contextlib.suppress(OSError):
                os.unlink(partial)
    return True


def _key() -> str | None:
    """Return all that the figure depends on, in one line; None where no TensorFlow is installed."""
    found = installed()
    if found is None or not hasattr(os, "sched_getaffinity"):
        return None
    version, folder = found
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return None
    cpus = len(os.sched_getaffinity(0))
    python = ".".join(map(str, sys.version_info[:3]))
    settings = (f"{name}={os.environ[name]}" for name in _SETTINGS if name in os.environ)
    kernel = os.uname()
    parts = (version, folder, changed, cpus, python, kernel.release, kernel.machine, _libc(), *settings)
    return repr(parts).replace("\n", " ")


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return platform.system()


def _path(key: str) -> str:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the specification has relative ones ignored
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "safedata", f"tensorflow-{zlib.crc32(key.encode('utf-8', 'replace')):08x}")


def _own(stat: os.stat_result) -> bool:
    """Return whether nobody but this user could have written the file."""
    return stat.st_uid == os.geteuid() and not stat.st_mode & 0o022


def _text(key: str, peak: int) -> str:
    body = f"{_HEADER}\n{key}\n{peak}\n"
    return f"{body}{zlib.crc32(body.encode('utf-8', 'replace')):08x}\n"


def _parse(text: str, key: str) -> int | None:
    """Return the peak that a file tells, None where it is not whole, or not about this installation."""
    lines = text.split("\n")
    if len(lines) != 5 or not lines[2].isdecimal() or len(lines[2]) > 15:
        return None
    peak = int(lines[2])
    whole = text == _text(key, peak)
    return peak if whole and _PLAUSIBLE[0] <= peak <= _PLAUSIBLE[1] else None
