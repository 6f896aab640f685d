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

from safedata import registry
from safedata.docstrings import FieldText, fields_of
from safedata.problem import CODES

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "<!-- Made by tools/make_reference.py from the code; change it there. -->"


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
        schema = cls.model_json_schema()
        rows = [
            _row(
                cls.model_fields[field].alias or field,
                text,
                schema,
                cls.model_fields[field],
                main=cls.main == field,
            )
            for field, text in fields.items()
        ]
        parts.append("\n".join(["| field | takes | default | |", "|--|--|--|--|", *rows]))
    facts = [text for flag, text in _FACTS if getattr(cls, flag, None) is True]
    if facts:
        parts.append(" ".join(facts))
    return "\n\n".join(parts)


_FACTS = (
    ("random", "Draws from (`runtime.seed`, epoch, index of the element)."),
    ("fallible", "May find an element's data bad: `runtime.on_error` says what happens then."),
)


def _row(name: str, field: FieldText, schema: dict[str, Any], info: Any, *, main: bool) -> str:
    short = " The short form fills it." if main else ""
    text = " ".join(field.text.split()) + short
    takes = _takes(schema["properties"].get(name, {}), schema.get("$defs", {}))
    cells = (f"`{name}`", takes, _default(info), text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (tuple, list, dict)):
        return f"`{', '.join(map(str, value))}`" if value else ""
    return f"`{value}`"


def _takes(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return in words what a field's JSON Schema allows."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        parts = [_takes(one, definitions) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return _list(schema, definitions)
    if schema.get("type") == "string" and schema.get("examples"):
        return "text such as " + ", ".join(f"`{one}`" for one in schema["examples"])
    return _PLAIN.get(schema.get("type", ""), "any value") + _limits(schema)


_PLAIN = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "`true` or `false`",
    "object": "a mapping",
}


def _list(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    items = schema.get("prefixItems") or schema.get("items") or {}
    if isinstance(items, list):
        return f"a list of {len(items)}: {_takes(items[0], definitions)} each"
    return f"a list, {_takes(items, definitions)} each"


def _limits(schema: dict[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {schema[key]:g}" for key, word in words.items() if key in schema)


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
        # Python's versions wrap the help of commands differently: only its words count.
        if not path.exists() or path.read_text(encoding="utf-8").split() != text.split():
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run `just docs`", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
