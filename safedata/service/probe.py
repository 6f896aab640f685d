"""Which servers of a tf.data service answer."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

from safedata.problem import DataError, Problem
from safedata.sources._varint import varint
from safedata.stages._address import Address, answers, parse_address

_METHOD: Final = "/tensorflow.data.DispatcherService/GetWorkers"
_PATIENCE: Final = 10.0
"""Seconds that a dispatcher has to tell its workers."""
_WORKER: Final = 2.0
"""Seconds that a worker has to take a connection."""


def workers(service: Address) -> list[str]:
    """Return the addresses of those workers of a dispatcher that take a connection from here.

    A dispatcher goes on naming workers that are gone. What it is asked, and what it answers, are the messages of
    TensorFlow's `dispatcher.proto`, which its Python package does not have; gRPC's own is one of its dependencies.

    Raises:
        DataError: SD550, no dispatcher answers.
    """
    grpc: Any = importlib.import_module("grpc")
    try:
        with grpc.insecure_channel(service.target) as channel:
            reply: bytes = channel.unary_unary(_METHOD)(b"", timeout=_PATIENCE, wait_for_ready=True)
    except grpc.RpcError as error:
        said = error.code().name.lower().replace("_", " ") if hasattr(error, "code") else str(error)
        message = f"no dispatcher of a tf.data service answers at {service}: {said}"
        way_out = "see that it runs, and that this machine reaches it"
        raise DataError([Problem("SD550", message, help=way_out)]) from None
    named = {found.decode() for info in _fields(reply, 1) for found in _fields(info, 1)}
    return sorted(one for one in named if _alive(one))


def _alive(target: str) -> bool:
    try:
        return answers(parse_address(target), _WORKER) is None
    except ValueError:  # a worker without a port has not said yet where it listens
        return False


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the fields of this number, of bytes or of a message, in the wire format of protocol buffers."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, at = varint(message, at)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = varint(message, at)
        if number == wanted and kind == 2:
            yield message[at : at + size]
        at += size
