"""Servers of tf.data service on the loopback interface, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
_START = 120.0
"""Seconds that a server may take to listen: importing TensorFlow on a busy machine."""


class Server:
    """A running `safedata serve`."""

    def __init__(self, *argv: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "safedata", "serve", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.address = self._line()

    def _line(self) -> str:
        found: list[str] = []
        assert self.process.stdout is not None
        reader = threading.Thread(target=lambda: found.append(self.process.stdout.readline()), daemon=True)  # type: ignore[union-attr]  # it is a pipe
        reader.start()
        reader.join(_START)
        return found[0].strip() if found else ""

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Return the exit status and what was written on stderr, after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            _, errors = self.process.communicate(timeout=_START)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
        return self.process.returncode, errors


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


class Cluster:
    """A dispatcher with workers that it knows from the start."""

    def __init__(self, count: int = 2) -> None:
        ports = [free_port() for _ in range(count)]
        known = [flag for port in ports for flag in ("--worker", f"127.0.0.1:{port}")]
        self.dispatcher = Server("dispatcher", "--host", "127.0.0.1", *known, "--worker-timeout", "2")
        self.address = self.dispatcher.address
        with ThreadPoolExecutor(count) as starting:
            self.workers = list(starting.map(self._worker, ports))

    def _worker(self, port: int) -> Server:
        return Server("worker", "--dispatcher", self.address, "--port", str(port), "--heartbeat", "0.2")

    def end(self) -> None:
        """Kill all of them."""
        for one in (*self.workers, self.dispatcher):
            one.end(signal.SIGKILL)
