"""The address of a tf.data service: `grpc://host:port`."""

from __future__ import annotations

import re
import socket
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, WithJsonSchema

PROTOCOL: Final = "grpc"
"""The one protocol that TensorFlow's servers have."""
_FORM: Final = r"(?:(?P<protocol>[a-z+]+)://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    """A name or a number; one of IPv6 in brackets."""
    port: int

    @property
    def target(self) -> str:
        """`host:port`, as TensorFlow's own configurations have it."""
        return f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{PROTOCOL}://{self.target}"


def parse_address(text: str) -> Address:
    """Return the address that a text such as `grpc://host:5050` or `host:5050` says.

    Raises:
        ValueError: it says none; the message says what one looks like.
    """
    found = re.fullmatch(_FORM, text.strip(), re.ASCII)
    if found is None:
        raise ValueError(f"`{text}` is not the address of a service; write `{PROTOCOL}://host:5050`")
    if found["protocol"] not in (None, PROTOCOL):
        raise ValueError(f"`{found['protocol']}` is not a protocol of tf.data service; write `{PROTOCOL}://`")
    port = int(found["port"])
    if not 0 < port < 1 << 16:
        raise ValueError(f"`{found['port']}` is not a port, which is a number from 1 to 65535")
    try:
        found["host"].encode("idna")
    except UnicodeError:  # which looking it up would raise as well
        raise ValueError(f"`{found['host']}` is not the name of a machine") from None
    return Address(found["host"], port)


def _valid(text: str) -> str:
    return str(parse_address(text))


ServiceAddress = Annotated[
    str,
    AfterValidator(_valid),
    WithJsonSchema({"type": "string", "examples": [f"{PROTOCOL}://dispatcher:5050"]}),
]
"""The address of a dispatcher, as a spec or a flag says it."""

_PATIENCE: Final = 5.0
"""Seconds that a server has to take a connection."""


def answers(address: Address, patience: float = _PATIENCE) -> str | None:
    """Return why nothing at an address takes a connection, None where something does."""
    try:
        with socket.create_connection((address.host.strip("[]"), address.port), timeout=patience):
            return None
    except OSError as error:
        return (error.strerror or str(error)).lower()
