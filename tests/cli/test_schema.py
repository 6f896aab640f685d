from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safedata import registry
from safedata.spec.document import parse

if TYPE_CHECKING:
    from tests.cli.conftest import Command

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parent.parent.parent
SPECS = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "tests" / "pipelines").glob("?/*.yaml")])

PLACES = {
    "sources": "safedata: 1\nsource:\n  {}\n",
    "stages": "safedata: 1\nsource: {{range: 1}}\nsteps:\n  - {}\n",
    "ops": "safedata: 1\nsource: {{range: 1}}\nsteps:\n  - map: {{image: [{}]}}\n",
}
EXAMPLES = [
    pytest.param(
        PLACES[package].format(getattr(registry, package[:-1])(name).example), id=f"{package}-{name}"
    )
    for package in PLACES
    for name in registry.names(package)
]


@pytest.fixture(scope="module")
def validator() -> Any:
    """A validator of the whole language; the schema itself is held against its own standard."""
    from safedata.schema import schema

    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def _errors(validator: Any, text: str) -> list[str]:
    document = parse(text, "spec.yaml").root.plain
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_shipped_spec_is_taken(validator: Any, path: Path) -> None:
    """An editor underlines nothing in a spec that is right."""
    assert _errors(validator, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_taken(validator: Any, text: str) -> None:
    """The example of every source, stage and operation is within the schema."""
    assert _errors(validator, text) == []


WIDE = """\
safedata: 1
params: {size: 4, names: [a, b]}
extends: base.yaml
source: {range: {count: "${size}"}}
steps:
  - unbatch
  - {name: augment, map: [{value: "= value + 1"}, {other: [{from: value}, {cast: float32}]}], parallel: auto}
  - {name: old, remove: true}
  - {after: augment, batch: "${size}"}
  - shuffle: {buffer: 2GiB, seed: null}
output: {x: value}
budget: {host: 50%, gpu: 4GiB, reserve: {gpu: "12 GiB"}}
targets: {a: {host: 4GiB, cpus: 2, gpu: 24GiB}, b: {host: 4GiB, cpus: 2, gpu: [24GiB, 24GiB]}}
runtime: {on_error: {skip: {max: 3}}, threads: auto}
"""


def test_the_forms_of_the_language_are_taken(validator: Any) -> None:
    """Short forms, parameters, expressions, changes of an extended spec, sizes and shares."""
    assert _errors(validator, WIDE) == []
    assert _errors(validator, "safedata: 1\nruntime: {on_error: skip}\nsteps:\nbudget:\n") == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("source: {range: 1}", "safedata"),
        ("safedata: 2", "$.safedata"),
        ("safedata: 1\nbudgets: {}", "budgets"),
        ("safedata: 1\nsource: {range: -1}", "$.source.range"),
        ("safedata: 1\nsource: {range: 1, synthetic: {}}", "$.source"),
        ("safedata: 1\nsource: {rnge: 1}", "rnge"),
        ("safedata: 1\nsteps: [{batch: 0}]", "$.steps[0]"),
        ("safedata: 1\nsteps: [{batch: 4, shuffle: 4}]", "$.steps[0]"),
        ("safedata: 1\nsteps: [batch]", "$.steps[0]"),
        ("safedata: 1\nsteps: [{batch: {size: 4, sise: 4}}]", "$.steps[0]"),
        ("safedata: 1\nsteps: [{map: {image: [no_such_operation]}}]", "$.steps[0]"),
        ("safedata: 1\nbudget: {host: 4}", "$.budget"),
        ("safedata: 1\nbudget: {host: 4 parsecs}", "$.budget"),
        ("safedata: 1\ntargets: {a: {host: 4GiB}}", "cpus"),
        ("safedata: 1\nruntime: {on_error: {mode: skip}}", "$.runtime"),
        ("safedata: 1\nruntime: {threads: 0}", "$.runtime"),
        ("safedata: 1\noutput: []", "$.output"),
        ("safedata: 1\nparams: {a-b: 1}", "$.params"),
    ],
)
def test_broken_specs_are_refused(validator: Any, text: str, where: str) -> None:
    """What the language does not have is underlined."""
    errors = _errors(validator, text + "\n")
    assert errors
    assert where in errors[0]


def test_everything_is_described(validator: Any) -> None:
    """Every source, stage and operation says what it does, and every field what it is for."""
    defs = validator.schema["$defs"]
    for package in PLACES:
        for name in set(registry.names(package)) - {"map"}:
            found = defs[f"{package[:-1]}.{name}"]
            found = found["anyOf"][0] if "anyOf" in found else found
            assert found["description"], name
            for field, one in found["properties"].items():
                assert one.get("description") or "$ref" in one, f"{name}.{field}"


def test_the_command_prints_the_schema(run: Command, validator: Any) -> None:
    """stdout is the schema as JSON."""
    ran = run("schema")
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == validator.schema
