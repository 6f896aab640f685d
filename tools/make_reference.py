"""Write docs/reference from the code: sources, stages, operations, errors, the command line.

python tools/make_reference.py            write the pages
python tools/make_reference.py --check    say which pages are stale; exit 1 if there are any
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from safedata import registry
from safedata.docstrings import FieldText, fields_of
from safedata.problem import CODES

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "<!-- Made by tools/make_reference.py from the code; change it there. -->"
TYPES = {
    "PositiveInt": "a number from 1",
    "NonNegativeInt": "a number from 0",
    "Count": "a number from 1",
    "Natural": "a number from 0",
    "Buffer": "a size",
    "Size": "a size",
    "SizeOrShare": "a size or a share",
    "Int": "a whole number",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "`true` or `false`",
    "None": "nothing",
    "Names": "a list of components",
}


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page's file name and text."""
    for package, title, words in (
        ("sources", "Sources", "What a spec's `source` can name."),
        ("stages", "Stages", "What a spec's `steps` can name, one each."),
        ("ops", "Operations", "What `map` applies to a component, in chains."),
    ):
        name = "operations" if package == "ops" else package
        yield f"{name}.md", _classes(package, title, words)
    yield "errors.md", _errors()
    yield "command-line.md", _command_line()


def _classes(package: str, title: str, words: str) -> str:
    found = registry.names(package)
    load = {"sources": registry.source, "stages": registry.stage, "ops": registry.op}[package]
    parts = [f"# {title}", NOTE, words, ", ".join(f"[`{name}`](#{name})" for name in found)]
    parts += [_class(name, load(name)) for name in found]
    return "\n\n".join(parts) + "\n"


def _class(name: str, cls: Any) -> str:
    example = str(cls.example).strip("\n")
    parts = [f"## {name}", inspect.cleandoc(cls.__doc__ or ""), f"```yaml\n{example}\n```"]
    fields = fields_of(cls)
    if fields:
        rows = [_row(field, text, main=cls.main == field) for field, text in fields.items()]
        parts.append("\n".join(["| field | takes | default | |", "|--|--|--|--|", *rows]))
    facts = [text for flag, text in _FACTS if getattr(cls, flag, None) is True]
    if facts:
        parts.append(" ".join(facts))
    return "\n\n".join(parts)


_FACTS = (
    ("random", "Draws from (`runtime.seed`, epoch, index of the element)."),
    ("fallible", "May find an element's data bad: `runtime.on_error` says what happens then."),
)


def _row(name: str, field: FieldText, *, main: bool) -> str:
    default = "required" if field.default is None else f"`{_default(field.default)}`"
    short = " The short form fills it." if main else ""
    text = " ".join(field.text.split()) + short
    return f"| `{name}` | {_type(field.type)} | {default} | {text.replace('|', chr(92) + '|')} |"


def _default(text: str) -> str:
    found = re.match(r"Field\(default=([^,)]+)", text)
    text = found[1] if found else text
    return {"True": "true", "False": "false", "None": "none", "()": "[]"}.get(text, text.strip("'\""))


def _type(text: str) -> str:
    text = re.sub(r"Annotated\[(.+?), .*\]$", r"\1", text)
    literals = re.findall(r"Literal\[([^\]]+)\]", text)
    rest = re.sub(r"Literal\[[^\]]+\]", "", text)
    parts = [part.strip() for part in re.split(r"\s*\|\s*", rest) if part.strip()]
    worded = [TYPES.get(part, f"`{part}`") for part in parts if part != "None"]
    worded += [", ".join(f"`{one.strip().strip(chr(39))}`" for one in group.split(",")) for group in literals]
    return " or ".join(worded).replace("|", "\\|")


def _errors() -> str:
    folder = Path(__file__).parent.parent / "safedata" / "report" / "pages"
    parts = ["# Errors", NOTE, "`safedata explain CODE` prints the same pages."]
    for code in CODES:
        text = (folder / f"{code}.md").read_text(encoding="utf-8").strip()
        parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    return "\n\n".join(parts) + "\n"


def _command_line() -> str:
    from safedata.cli.parser import make_parser

    parser = make_parser()
    parts = ["# Command line", NOTE, _help(parser)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parts += [f"## safedata {name}\n\n{_help(sub)}" for name, sub in action.choices.items()]
    return "\n\n".join(parts) + "\n"


def _help(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
    return f"```\n{parser.format_help().rstrip()}\n```"


def main() -> int:
    """Write or check the pages."""
    check = "--check" in sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, text in pages():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run `just docs`", file=sys.stderr)  # noqa: T201
        return 1
    return 0


__all__ = ["BaseModel", "pages"]

if __name__ == "__main__":
    sys.exit(main())
