"""`safedata head`: a few elements, as text and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request, count
from safedata.cli.status import FINE, USAGE

if TYPE_CHECKING:
    import argparse

    from safedata.budget import Verdict
    from safedata.head import Drawn
    from safedata.plan import Plan


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "head",
        run,
        "show a few elements, as text and as a picture",
        "Show the first elements of a pipeline; of one with batches, their first rows. Only what these need "
        "is read, so endless specs are fine.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec's file")
    parser.add_argument(
        "-n", "--count", metavar="N", type=count, default=5, help="how many elements or rows (default: 5)"
    )
    parser.add_argument(
        "--image", metavar="PATH", help="write the images among them as one picture: .png, .jpg or .webp"
    )
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Show the first elements of one spec; return the exit status."""
    from safedata.cli.checked import verdict_of, when_it_fits

    console = Console.of(args)
    if args.image is not None and not _can_write(args.image, console):
        return USAGE
    verdict = verdict_of(args.spec, args)
    return when_it_fits(verdict, console, lambda: _head(verdict, args, console))


def _can_write(path: str, console: Console) -> bool:
    import os

    from safedata.report.sheet import FORMATS

    if os.path.splitext(path)[1].lower() in FORMATS:
        return True
    console.error(
        f"safedata head: --image: `{path}` is no name for a picture; end it in {', '.join(FORMATS)}"
    )
    return False


def _head(verdict: Verdict, args: argparse.Namespace, console: Console) -> int:
    from safedata.cli.hush import start_tensorflow
    from safedata.head import draw, row_types
    from safedata.report.sheet import image_component
    from safedata.types import format_element

    plan = verdict.plan
    assert plan is not None
    types = row_types(plan)
    path: str | None = args.image
    picture = image_component(types) if path is not None else None
    if path is not None and picture is None:
        message = "no component is a picture, [height, width, 1, 3 or 4]"
        console.error(f"safedata head: --image: {message}; there are {format_element(types)}")
        return USAGE
    start_tensorflow(plan)
    drawn = draw(plan, args.count)
    _print(drawn, console, as_text=args.format == "text")
    if drawn.skipped:
        console.note(f"left out on the way: {', '.join(drawn.skipped[:5])}")
    if path is not None and picture is not None:
        _save(drawn, picture, plan, path, console)
    return FINE


def _print(drawn: Drawn, console: Console, *, as_text: bool) -> None:
    from safedata.report.head import render, row_object

    if as_text:
        console.data(render(drawn.rows) if drawn.rows else "no elements")
    else:
        from safedata.report.json import dump

        console.data(dump([row_object(row) for row in drawn.rows]))


def _save(drawn: Drawn, picture: str, plan: Plan, path: str, console: Console) -> None:
    from safedata.head import row_types
    from safedata.report.sheet import contact_sheet, save, scale_of

    scale = scale_of(row_types(plan)[picture], [row.values[picture] for row in drawn.rows])
    save(contact_sheet(drawn.rows, picture, scale), path)
    told = (
        f"; values {scale.low:g}..{scale.high:g}, as found in them, are black to white"
        if scale.measured
        else ""
    )
    console.note(f"wrote {len(drawn.rows)} images of `{picture}` to {path}{told}")
