"""`safedata cache`: what caches on disk have, and how it is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_parameters, size
from safedata.cli.status import FINE, USAGE

if TYPE_CHECKING:
    import argparse

    from safedata.caches import Listed


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "cache",
        run,
        "list caches on disk, or remove some of them",
        "List what lies in the folders that `cache: {path: ...}` and `snapshot` name (ls), remove caches by their keys "
        "(rm), or remove the longest unused ones until the rest has at most the size given with `--keep` (gc). "
        "What a process reads or writes now is never removed, and a snapshot only by its key.",
    )
    parser.add_argument("action", choices=("ls", "rm", "gc"), metavar="ACTION", help="`ls`, `rm` or `gc`")
    parser.add_argument(
        "place",
        metavar="STORE",
        help="the folder that caches are kept in, or a spec, for those that it names",
    )
    parser.add_argument("keys", metavar="KEY", nargs="*", help="for `rm`: keys, or how they begin")
    parser.add_argument("--keep", metavar="SIZE", type=size, help="for `gc`: what may stay, such as 20GiB")
    parser.add_argument("--dry-run", action="store_true", help="for `gc`: list what would be removed")
    add_parameters(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """List or remove caches; return the exit status."""
    console = Console.of(args)
    wrong = _wrong(args)
    if wrong:
        console.error(f"safedata cache {args.action}: {wrong}")
        return USAGE
    from safedata.caches import freed, listed, removed, would_free
    from safedata.request import Request

    request = Request(dict(args.set), allow_env=tuple(args.allow_env), allow=tuple(args.allow))
    found = listed([args.place], request)
    if args.action == "ls":
        _show(found, args, console)
        return FINE
    if args.action == "rm":
        gone = removed(found, args.keys)
    elif args.dry_run:
        gone = would_free(found, args.keep)
    else:
        gone = freed(found, args.keep)
    _show(gone, args, console, verb="would remove" if args.dry_run else "removed")
    return FINE


def _wrong(args: argparse.Namespace) -> str:
    """Return what is wrong with the flags together; nothing where they fit."""
    if args.action == "rm" and not args.keys:
        return "name the keys of what is to be removed; `safedata cache ls` lists them"
    if args.action != "rm" and args.keys:
        return f"takes one store and no keys, and got `{args.keys[0]}`"
    if args.action == "gc" and args.keep is None:
        return "say what may stay: `--keep 20GiB`; `--keep 0B` removes all that is not in use"
    if args.action != "gc" and (args.keep is not None or args.dry_run):
        return "`--keep` and `--dry-run` are for `gc`"
    return ""


def _show(found: list[Listed], args: argparse.Namespace, console: Console, verb: str = "") -> None:
    from safedata.report.cache import render, report_object

    if args.format == "json":
        from safedata.report.json import dump

        console.data(dump(report_object(found)))
    else:
        console.data(render(found, verb))
