"""Services for tests: servers in processes of their own, and some in this one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from safedata.service.servers import Dispatcher, Worker, bound_port, dispatcher, worker
from safedata.stages._address import parse_address
from tests.serving import Cluster, Server, free_port

Serve = Callable[..., Server]


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
