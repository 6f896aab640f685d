"""Makes threads of this process stand still now and then, each at its own time, as they do on a crowded machine."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Final

SHARES: Final = (0.1, 0.3, 0.5, 0.8)
"""Which part of the threads gets next to nothing of a CPU at a time,"""
LASTS: Final = (0.01, 0.03, 0.1, 0.3)
"""and for so many seconds."""
NORMAL: Final = os.sched_param(0)


def start(pace: random.Random) -> None:
    """Jostle this process's threads until it ends, in the order that `pace` draws; needs busy processes beside it.

    Which blocks are alive at once, and which room the next one finds, depends on the threads' order: peaks show
    that no even machine does.
    """
    threading.Thread(target=_jostle, args=(pace,), daemon=True).start()


def _jostle(pace: random.Random) -> None:
    while True:
        share = pace.choice(SHARES)
        for one in Path("/proc/self/task").iterdir():
            if int(one.name) == threading.get_native_id():
                continue
            policy = os.SCHED_IDLE if pace.random() < share else os.SCHED_OTHER
            with contextlib.suppress(
                OSError
            ):  # it has ended; or may not go back, and stays idle beside the others
                os.sched_setscheduler(int(one.name), policy, NORMAL)
        time.sleep(pace.choice(LASTS))
