"""TensorFlow started without the lines that its libraries write on stderr when all is well."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safedata.plan import Plan

_LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
"""Set by somebody who wants to choose what TensorFlow says; then nothing is held back."""


def start_tensorflow(plan: Plan | None) -> None:
    """Import TensorFlow and create its context; what it writes meanwhile is shown only if that fails.

    Its libraries look for GPUs and speak of it before any log level counts, on the file descriptor itself.

    Args:
        plan: what will run: the allocator that it was bounded for and the limits of its GPUs count only if they
            are set before TensorFlow starts.

    Raises:
        SafedataError: TensorFlow is not installed.
    """
    from safedata import allocator
    from safedata.compile import tensorflow
    from safedata.device import configure

    if plan is not None:
        allocator.choose(plan.scope.pooled)
    if os.environ.get(_LEVEL) is not None or "tensorflow" in sys.modules:
        return
    with held_back():
        tf = tensorflow()
        if plan is not None:
            configure(tf, plan)
        with tf.device("/CPU:0"):
            tf.constant(0)


@contextmanager
def held_back() -> Generator[None, None, None]:
    """Keep what is written to file descriptor 2 in a file; write it out when an exception passes."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            _show(file)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _show(file: IO[bytes]) -> None:
    file.seek(0)
    sys.stderr.write(file.read().decode("utf-8", "replace"))
