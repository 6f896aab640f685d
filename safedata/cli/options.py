"""Flags that several commands share, and what they say as a `safedata.request.Request`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from safedata.request import Request
    from safedata.stages._address import Address


class Commands(Protocol):
    """What a command registers itself with."""

    def add_parser(self, name: str, **kwargs: Any) -> argparse.ArgumentParser:
        """Return the parser of a new command."""
        ...


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, at most 100 columns.

    argparse asks `shutil` for the width, for every flag, and with it imports what unpacks archives.
    """

    def __init__(self, prog: str, **kwargs: Any) -> None:
        super().__init__(prog, **{"width": min(_columns(), 100), "max_help_position": 28, **kwargs})

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Return a description with its lines filled; text that has line breaks keeps them."""
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def _columns() -> int:
    text = os.environ.get("COLUMNS", "")
    if text.isascii() and text.isdecimal() and int(text):
        return int(text)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or 80
    except (OSError, ValueError):
        return 80


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, description: str
) -> argparse.ArgumentParser:
    """Return the parser of a command that `run` carries out.

    Args:
        commands: what to register it with.
        name: the command.
        run: does the work and returns the exit status.
        summary: one line for the list of commands.
        description: what its own help says first.
    """
    parser = commands.add_parser(
        name, help=summary, description=description, allow_abbrev=False, formatter_class=Formatter
    )
    parser.set_defaults(run=run)
    return parser


def size(text: str) -> int:
    """Return the bytes of a flag such as `24GiB`.

    Raises:
        argparse.ArgumentTypeError: it is not a size; the message says what one looks like.
    """
    from safedata.memory import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def sizes(text: str) -> list[int]:
    """Return the bytes of each GPU in `24GiB,24GiB`.

    Raises:
        argparse.ArgumentTypeError: one of them is not a size.
    """
    return [size(part) for part in text.split(",")]


def assignment(text: str) -> tuple[str, str]:
    """Return the parameter and the text of its value in `batch=128`.

    Raises:
        argparse.ArgumentTypeError: there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"`{text}` sets nothing; write a parameter and its value: batch=128")
    return name.strip(), value


def count(text: str) -> int:
    """Return a whole number of 1 or more.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits) < 10**9):
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number of 1 or more")
    return int(digits)


def address(text: str) -> Address:
    """Return the address of a server that `grpc://host:port` says.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    from safedata.stages._address import parse_address

    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def module(text: str) -> str:
    """Return the name of a module, such as `package.module`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    from safedata.external.allowing import modules

    try:
        return modules([text])[0]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a command speaks."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format", choices=("text", "json"), default="text", help="how stdout is written (default: text)"
    )
    group.add_argument("--quiet", action="store_true", help="only what was asked for, and errors")
    group.add_argument("--no-color", action="store_true", help="no colour on a terminal (as NO_COLOR does)")


def add_request(parser: argparse.ArgumentParser) -> None:
    """Add the flags that set parameters and describe the machine to check against."""
    group = parser.add_argument_group("the spec and the machine")
    _add_set(group.add_argument)
    group.add_argument(
        "--target", metavar="NAME", help="check against a machine that the spec's `targets` names"
    )
    group.add_argument(
        "--gpu", metavar="SIZE", type=sizes, action="append", default=[],
        help="memory of a GPU, such as 24GiB; several with commas, or by giving the flag again",
    )  # fmt: skip
    group.add_argument("--host", metavar="SIZE", type=size, help="free host memory, such as 64GiB")
    group.add_argument("--disk", metavar="SIZE", type=size, help="free disk, such as 1TiB")
    _add_allowances(group.add_argument)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add the flags that set parameters, for commands to which the machine is all one."""
    group = parser.add_argument_group("the spec")
    _add_set(group.add_argument)
    _add_allowances(group.add_argument)


def _add_set(add: Callable[..., object]) -> None:
    add(
        "--set", metavar="NAME=VALUE", type=assignment, action="append", default=[],
        help="a value for one of the spec's parameters; may be given several times",
    )  # fmt: skip


def _add_allowances(add: Callable[..., object]) -> None:
    add_allow(add)
    add(
        "--allow-env", metavar="NAME", action="append", default=[],
        help="let the spec read this environment variable; may be given several times",
    )  # fmt: skip


def add_allow(add: Callable[..., object]) -> None:
    """Add the flag that lets a spec name a module."""
    add(
        "--allow", metavar="MODULE", type=module, action="append", default=[],
        help="let the spec use functions and operations of this module, or package; may be given several times",
    )  # fmt: skip


def request_of(args: argparse.Namespace) -> Request:
    """Return what the flags of `add_request` say."""
    from safedata.request import Request

    overrides: list[tuple[str, str]] = args.set
    gpus: list[list[int]] = args.gpu
    return Request(
        dict(overrides),
        target=args.target,
        host=args.host,
        gpu=[one for several in gpus for one in several] or None,
        disk=args.disk,
        allow_env=tuple(args.allow_env),
        allow=tuple(args.allow),
    )
