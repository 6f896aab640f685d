"""Servers of tf.data service on the loopback interface, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from safedata.service.servers import Dispatcher, Worker, bound_port, dispatcher, worker
from safedata.stages._address import parse_address

ROOT = Path(__file__).parent.parent.parent
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


Serve = Callable[..., Server]


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, and kill at the end those that still run."""
    started: list[Server] = []

    def start(*argv: str) -> Server:
        started.append(Server(*argv))
        return started[-1]

    yield start
    for one in started:
        one.end(signal.SIGKILL)


class Cluster:
    """A dispatcher with two workers that it knows from the start."""

    def __init__(self) -> None:
        ports = [free_port(), free_port()]
        known = [flag for port in ports for flag in ("--worker", f"127.0.0.1:{port}")]
        self.dispatcher = Server("dispatcher", "--host", "127.0.0.1", *known, "--worker-timeout", "2")
        self.address = self.dispatcher.address
        self.workers = [
            Server("worker", "--dispatcher", self.address, "--port", str(port), "--heartbeat", "0.2")
            for port in ports
        ]

    def end(self) -> None:
        """Kill all of them."""
        for one in (*self.workers, self.dispatcher):
            one.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests that kill nothing."""
    made = Cluster()
    yield made
    made.end()


@pytest.fixture
def mortal() -> Iterator[Cluster]:
    """A cluster of its own, for a test that kills some of it."""
    made = Cluster()
    yield made
    made.end()


class Near:
    """A dispatcher and two workers that it knows from the start, in this process."""

    def __init__(self) -> None:
        import tensorflow as tf

        ports = [free_port(), free_port()]
        known = tuple(f"127.0.0.1:{port}" for port in ports)
        self.dispatcher = dispatcher(tf, Dispatcher(workers=known, worker_timeout=2.0))
        self.address = f"grpc://127.0.0.1:{bound_port(self.dispatcher)}"
        at = parse_address(self.address)
        self.workers = [worker(tf, Worker(at, port, heartbeat=0.2)) for port in ports]

    def end(self) -> None:
        """Stop all of them."""
        for one in (*self.workers, self.dispatcher):
            one.stop()


@pytest.fixture(scope="session")
def near() -> Iterator[Near]:
    """One service in this process for all tests that stop none of it."""
    made = Near()
    yield made
    made.end()


@pytest.fixture
def frail() -> Iterator[Near]:
    """A service in this process, for a test that stops some of it."""
    made = Near()
    yield made
    made.end()
