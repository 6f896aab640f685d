"""TensorFlow started without the lines that its libraries write on stderr when all is well."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from safedata.machine.hush import held_back as held_back

if TYPE_CHECKING:
    from safedata.plan import Plan

_LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
"""Set by somebody who wants to choose what TensorFlow says; then nothing is held back, but at the level of silence."""
_SILENCE: Final = "3"
"""The level at which TensorFlow shall say nothing at all, and still does before any level counts."""


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
    if os.environ.get(_LEVEL, _SILENCE) != _SILENCE or "tensorflow" in sys.modules:
        return
    with held_back():
        tf = tensorflow()
        if plan is not None:
            configure(tf, plan)
        with tf.device("/CPU:0"):
            tf.constant(0)
