"""What a case is given while it runs: functions that it may call, an empty folder, a service.

A spec says that it wants one of the last two by a parameter of its name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from tests.serving import Cluster

ALLOW: Final = ("tests.memory.functions",)
"""The modules whose functions a case may call."""


@contextmanager
def given(spec: dict[str, Any], workers: int = 2) -> Iterator[dict[str, str]]:
    """Give a spec's parameters values for one run: what is named `scratch` and `service` is there until it ends.

    Args:
        spec: a case's. `scratch` is a folder that nothing was written to, so that no run reads what another has kept;
            `service` the address of a dispatcher.
        workers: how many it knows.
    """
    wanted = spec.get("params", {})
    with ExitStack() as stack:
        found: dict[str, str] = {}
        if "scratch" in wanted:
            found["scratch"] = stack.enter_context(tempfile.TemporaryDirectory())
        if "service" in wanted:
            cluster = Cluster(workers)
            stack.callback(cluster.end)
            found["service"] = cluster.address
        yield found
