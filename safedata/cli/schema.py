"""`safedata schema`: the JSON Schema of the language, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_allow, add_command
from safedata.cli.status import FINE, PROBLEMS

if TYPE_CHECKING:
    import argparse


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "schema",
        run,
        "print the JSON Schema of specs, for editors",
        "Print the JSON Schema (draft 2020-12) of specs, with which editors complete, explain and underline.",
    )
    add_allow(parser.add_argument)


def run(args: argparse.Namespace) -> int:
    """Print the schema; return the exit status."""
    import json

    from safedata.schema import schema

    names = operations_of(args)
    if names is None:
        return PROBLEMS
    Console().data(json.dumps(schema(names), indent=2, ensure_ascii=False))
    return FINE


def operations_of(args: argparse.Namespace) -> list[str] | None:
    """Return the operations of the packages that `--allow` names; None after what is wrong with one was told."""
    if not args.allow:
        return []
    from safedata.external.allowing import allowing
    from safedata.ops._registered import load
    from safedata.problem import Fault

    try:
        with allowing(args.allow):
            return load(args.allow)
    except Fault as fault:
        Console().error(f"safedata: {fault.message}; {fault.help}")
        return None
