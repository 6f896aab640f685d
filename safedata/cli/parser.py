"""The parser of the command line: every command declares itself, only the one that is named does work."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

import safedata
from safedata.cli.options import Formatter
from safedata.cli.status import FINE, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = (
    "check",
    "analyze",
    "build",
    "cache",
    "doctor",
    "explain",
    "fit",
    "head",
    "measure",
    "profile",
    "schema",
    "serve",
)
"""The commands, each with a module of that name, in the order of the help."""

_EPILOG: Final = """\
exit status:
  0    fine
  1    the spec has problems or does not fit
  2    the command line is wrong
  3    a bug in safedata
  4    the data is bad or unreadable
  130  interrupted
"""


def make_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands, or of the one that `only` names, which takes a fifth of the time."""
    parser = argparse.ArgumentParser(
        "safedata",
        description="Check input pipelines written as YAML specs, and build them.",
        epilog=_EPILOG,
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"safedata {safedata.__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", prog="safedata")
    for name in [only] if only in COMMANDS else COMMANDS:
        import_module(f"safedata.cli.{name}").register(commands)
    return parser


def run(argv: Sequence[str] | None) -> int:
    """Run the command that `argv` names and return its exit status."""
    given = sys.argv[1:] if argv is None else argv
    parser = make_parser(given[0] if given else None)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return FINE if stop.code in (None, 0) else USAGE
    if args.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    status: int = args.run(args)
    return status
