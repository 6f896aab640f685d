"""A dispatcher or a worker of tf.data service, as a process of its own that runs until it is told to end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, Final

from safedata.problem import DataError, Problem
from safedata.records import record
from safedata.stages._address import PROTOCOL, Address
from safedata.stages.distribute import STEADY

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_MMAP_THRESHOLD: Final = -3
"""`M_MMAP_THRESHOLD` of glibc's `mallopt`."""
_LOOK: Final = 0.5
"""Seconds between two looks at whether a signal has come, where the system does not wake a waiting thread."""


@record(frozen=True, slots=True)
class Dispatcher:
    """What a dispatcher is started with; every None is left to TensorFlow."""

    port: int = 0
    """0 takes one that is free."""
    journal: str | None = None
    """The folder of its journal, from which another one goes on where this one stopped."""
    workers: tuple[str, ...] = ()
    """The addresses of all workers, for `sharding: data` and `hint`."""
    worker_timeout: float | None = None
    """Seconds without a heartbeat after which a worker counts as missing."""
    job_timeout: float | None = None
    """Seconds without a reader after which a job is let go of."""


@record(frozen=True, slots=True)
class Worker:
    """What a worker is started with; every None is left to TensorFlow."""

    dispatcher: Address
    port: int = 0
    host: str | None = None
    """The name by which trainers reach it; by default the address from which it reaches the dispatcher."""
    heartbeat: float | None = None
    """Seconds between two heartbeats."""
    dispatcher_timeout: float | None = None
    """Seconds for which it goes on asking for a dispatcher that does not answer; TensorFlow's own is an hour."""


def dispatcher(tf: Any, config: Dispatcher) -> Any:
    """Return a running `DispatchServer`.

    Raises:
        DataError: SD551, it cannot listen there, or not write its journal.
    """
    if config.journal is not None:
        _writable(config.journal)
    service = tf.data.experimental.service
    made = service.DispatcherConfig(
        port=config.port,
        protocol=PROTOCOL,
        work_dir=config.journal,
        fault_tolerant_mode=config.journal is not None,
        worker_addresses=list(config.workers) or None,
        worker_timeout_ms=_milliseconds(config.worker_timeout),
        job_gc_timeout_ms=_milliseconds(config.job_timeout),
        job_gc_check_interval_ms=_milliseconds(config.job_timeout),
    )
    return _started(tf, "dispatcher", config.port, lambda: service.DispatchServer(made))


def worker(tf: Any, config: Worker) -> Any:
    """Return a running `WorkerServer`, which its dispatcher knows.

    Raises:
        DataError: SD551, it cannot listen there.
    """
    service = tf.data.experimental.service
    host = config.host or local_address(config.dispatcher)
    made = service.WorkerConfig(
        dispatcher_address=config.dispatcher.target,
        worker_address=f"{host}:%port%",
        port=config.port,
        protocol=PROTOCOL,
        heartbeat_interval_ms=_milliseconds(config.heartbeat),
        dispatcher_timeout_ms=_milliseconds(config.dispatcher_timeout),
    )
    return _started(tf, "worker", config.port, lambda: service.WorkerServer(made))


def _started(tf: Any, what: str, port: int, start: Callable[[], Any]) -> Any:
    if (
        port and (taken := _taken(port)) is not None
    ):  # TensorFlow writes it to stderr, and its error says nothing
        raise _not_started(what, port, taken)
    try:
        return start()
    except (tf.errors.OpError, RuntimeError) as error:
        raise _not_started(
            what, port, str(error).partition("\n")[0].strip() or type(error).__name__
        ) from None


def _not_started(what: str, port: int, why: str) -> DataError:
    where = f" on port {port}" if port else ""
    way_out = "name another port with `--port`, or none for one that is free"
    return DataError([Problem("SD551", f"the {what} cannot start{where}: {why}", help=way_out)])


def _taken(port: int) -> str | None:
    """Return why nothing can listen on a port, None where something can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return None


def _writable(folder: str) -> None:
    """Make the journal's folder where it is missing.

    Raises:
        DataError: SD551, it cannot be made or not be written to.
    """
    why = None
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    if why is None and not os.access(folder, os.W_OK | os.X_OK):
        why = "permission denied"
    if why is not None:
        message = f"the dispatcher cannot write its journal to {folder}: {why}"
        raise DataError(
            [Problem("SD551", message, help="name a folder that it may write to with `--journal`")]
        )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


def local_address(dispatcher: Address) -> str:
    """Return the number by which this machine reaches a dispatcher; nothing is sent.

    The system chooses it by its routes, as it would for a connection. Where it finds none it is `localhost`.
    """
    try:
        found = socket.getaddrinfo(dispatcher.host.strip("[]"), dispatcher.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(where)
            host: str = probe.getsockname()[0]
    except OSError:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def host_name() -> str:
    """Return the name of this machine where it can be looked up, else `localhost`."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return "localhost"
    return name


def without_gpus() -> None:
    """Keep TensorFlow from taking memory of GPUs, which no server uses; counts before it is imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def steady_heap() -> None:
    """Let glibc map each large block by itself from now on, so that what a message held goes back when it was sent.

    By itself glibc raises the limit with each such block that is freed, to 32 MiB, and the heaps of gRPC's threads then
    keep room for several messages each. Where the user has set the limit it is left alone.
    """
    said = "mmap_threshold" in os.environ.get("GLIBC_TUNABLES", "") or "MALLOC_MMAP_THRESHOLD_" in os.environ
    if sys.platform == "linux" and not said:
        with contextlib.suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, STEADY)


def bound_port(server: Any) -> int:
    """Return the port that a server listens on."""
    address: str = server._address  # a worker tells it nowhere else
    return int(address.rpartition(":")[2])


@contextlib.contextmanager
def ended_by_signals() -> Generator[None, None, None]:
    """Have SIGINT and SIGTERM end this process at once, by the system: Python hears none while TensorFlow waits."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def until_told(server: Any, listening: Callable[[], None]) -> None:
    """Say that a server listens, and stop it once this process gets SIGINT or SIGTERM.

    Args:
        server: a running one.
        listening: called once signals are heard.
    """
    told = threading.Event()

    def end(_number: int, _frame: object) -> None:
        told.set()

    before = {one: signal.signal(one, end) for one in _SIGNALS}
    try:
        listening()
        while not told.wait(_LOOK):
            pass
    finally:
        server.stop()
        for one, handler in before.items():
            signal.signal(one, handler)
