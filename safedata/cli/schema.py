"""`safedata schema`: the JSON Schema of the language, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command
from safedata.cli.status import FINE

if TYPE_CHECKING:
    import argparse


def register(commands: Commands) -> None:
    """Declare the command."""
    add_command(
        commands,
        "schema",
        run,
        "print the JSON Schema of specs, for editors",
        "Print the JSON Schema (draft 2020-12) of specs, with which editors complete, explain and underline.",
    )


def run(args: argparse.Namespace) -> int:
    """Print the schema; return the exit status."""
    import json

    from safedata.schema import schema

    Console().data(json.dumps(schema(), indent=2, ensure_ascii=False))
    return FINE
