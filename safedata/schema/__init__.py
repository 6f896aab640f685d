"""The JSON Schema of specs, for editors: made from the models that read them.

It is wider than the language where JSON Schema cannot follow: types, components and what fits a stage are the
business of `safedata check`. What it refuses, `check` refuses too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel

from safedata import registry
from safedata.schema.model import PARAMETER, Schema, fields_schema, written
from safedata.spec.artifacts import Artifact
from safedata.spec.load import TOP_LEVEL, VERSION
from safedata.spec.on_error import Quarantine
from safedata.spec.sections import Budget, Runtime
from safedata.spec.targets import Target

_NAME: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
_BESIDE: Final[Schema] = {
    "name": {"type": "string", "description": "What a spec that extends this one calls the step."},
    "device": {
        "type": "string",
        "description": "Where the step runs: `cpu`, `gpu`, or `gpu:1` for the second GPU.",
    },
    "parallel": {
        "anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}, PARAMETER],
        "description": "Calls at once; `auto` is one for each CPU.",
    },
}
_CHANGES: Final[Schema] = {
    "remove": {"const": True, "description": "Drop the step of this name from the spec that is extended."},
    "after": {"type": "string", "description": "Put this step behind the one of that name."},
    "before": {"type": "string", "description": "Put this step before the one of that name."},
}
_TOP: Final = {
    "safedata": "Version of the language.",
    "name": "What reports call the spec.",
    "description": "What the spec is for.",
    "extends": "Another spec, relative to this file, merged below this one.",
    "params": "Parameters with defaults, which type them; used as `${name}`, set by `--set name=value`.",
    "artifacts": "Files that were worked out once from data: vocabularies, class lists, statistics.",
    "source": "Where elements come from.",
    "steps": "What is done with them, in order.",
    "output": "What the training loop receives: a tuple of components or a dict; by default a dict of all.",
    "budget": "What the pipeline may hold.",
    "targets": "Machines to check against, by name.",
    "runtime": "How the pipeline runs.",
}


def schema(more: Iterable[str] = ()) -> Schema:
    """Return the JSON Schema, draft 2020-12, of a whole spec.

    Args:
        more: the names of registered operations of others that it takes too.
    """
    defs: dict[str, Schema] = {
        "parameter": {"type": "string", "pattern": r"\$\{[^{}]+\}", "description": "A parameter: `${name}`."},
        "number": {"type": "string", "pattern": r"^[-+]?[0-9][0-9_]*(\.[0-9_]+)?([eE][-+]?[0-9]+)?$"},
        "expression": {"type": "string", "pattern": "^ *=", "description": "An expression: `= label - 1`."},
        "structure": _structure(),
    }
    properties = {
        **_plain_sections(),
        **_model_sections(defs),
        "source": _sources(defs),
        "steps": _steps(defs, tuple(more)),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "safedata spec",
        "description": "An input pipeline: a source, the steps behind it, and what they may hold.",
        "type": "object",
        "properties": {
            key: {**properties[key], "description": _TOP[key]} for key in TOP_LEVEL if key in properties
        },
        "required": ["safedata"],
        "additionalProperties": False,
        "$defs": defs,
    }


def _structure() -> Schema:
    """Return the schema of a part of `output`."""
    one: Schema = {"$ref": "#/$defs/structure"}
    return {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": one, "minItems": 1},
            {"type": "object", "additionalProperties": one, "minProperties": 1},
        ],
        "description": "A component, or a tuple or a dict of such parts.",
    }


def _plain_sections() -> dict[str, Schema]:
    scalar: Schema = {"type": ["string", "number", "boolean", "null"]}
    text: Schema = {"type": "string"}
    return {
        "safedata": {"const": VERSION},
        "name": {"type": ["string", "null"]},
        "description": {"type": ["string", "null"]},
        "extends": text,
        "params": {
            "type": ["object", "null"],
            "propertyNames": {"pattern": _NAME},
            "additionalProperties": {"anyOf": [scalar, {"type": "array", "items": scalar}]},
        },
        "output": {
            "anyOf": [
                {"type": "array", "items": {"$ref": "#/$defs/structure"}, "minItems": 1},
                {
                    "type": "object",
                    "additionalProperties": {"$ref": "#/$defs/structure"},
                    "minProperties": 1,
                },
                {"type": "null"},
            ]
        },
    }


def _model_sections(defs: dict[str, Schema]) -> dict[str, Schema]:
    runtime = fields_schema(Runtime, "runtime", defs)
    said = fields_schema(Quarantine, "quarantine", defs)["properties"]
    limit = said["max"]
    runtime["properties"]["on_error"] = {
        "description": runtime["properties"]["on_error"]["description"],
        "anyOf": [
            {"enum": ["fail", "skip", "quarantine"]},
            PARAMETER,
            _only({"skip": _only({"max": limit}, required=())}),
            _only({"quarantine": _only(said, required=())}),
        ],
    }
    target = fields_schema(Target, "target", defs)
    gpu = target["properties"]["gpu"]
    one = next(part for part in gpu["anyOf"] if "items" in part)["items"]
    gpu["anyOf"] = [one, *gpu["anyOf"]]
    return {
        "budget": _or_nothing(fields_schema(Budget, "budget", defs)),
        "runtime": _or_nothing(runtime),
        "targets": {"type": ["object", "null"], "additionalProperties": target},
        "artifacts": {
            "type": ["object", "null"],
            "additionalProperties": {
                "anyOf": [{"type": "string"}, fields_schema(Artifact, "artifact", defs)]
            },
        },
    }


def _or_nothing(found: Schema) -> Schema:
    """Return the schema that takes an empty section as well."""
    return {"anyOf": [found, {"type": "null"}]}


def _only(properties: Schema, *, required: Iterable[str] | None = None) -> Schema:
    """Return the schema of a mapping with these keys; all of them required unless said."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _one_of(entries: dict[str, Schema], **beside: Any) -> Schema:
    """Return the schema of a mapping with exactly one of these keys."""
    return {
        "type": "object",
        "properties": {**entries, **beside},
        "minProperties": 1,
        "maxProperties": 1 + len(beside),
        "additionalProperties": False,
    }


def _sources(defs: dict[str, Schema]) -> Schema:
    sources = {name: registry.source(name) for name in registry.names("sources")}
    entries = {name: _entry(source, "source", name, defs) for name, source in sources.items()}
    for name in [name for name, source in sources.items() if source.combines]:
        fields = defs[f"source.{name}"]["properties"]
        fields["inputs"] = {**_named_inputs(), "description": fields["inputs"]["description"]}
        entries[name]["anyOf"].append(_named_inputs())
    defs["source"] = _one_of(entries)
    whole = _only({"source": {"$ref": "#/$defs/source"}, "steps": _step_list()}, required=["source"])
    defs["input"] = {
        "anyOf": [whole, {"$ref": "#/$defs/source"}],
        "description": "A source with the steps behind it, or a source alone.",
    }
    return {"$ref": "#/$defs/source"}


def _named_inputs() -> Schema:
    """Return the schema of a combinator's inputs: by name, or in a list."""
    one: Schema = {"$ref": "#/$defs/input"}
    named = {
        "type": "object",
        "additionalProperties": one,
        "minProperties": 1,
        "not": {"required": ["inputs"]},
    }
    return {"anyOf": [named, {"type": "array", "items": one, "minItems": 1}]}


def _steps(defs: dict[str, Schema], more: Iterable[str]) -> Schema:
    stages = {name: registry.stage(name) for name in registry.names("stages")}
    entries = {name: _entry(stage, "stage", name, defs) for name, stage in stages.items()}
    del defs["stage.map"]  # its value is no mapping of fields, but of components
    entries["map"] = {**_group_list(defs, more), "description": entries["map"]["description"]}
    rename = entries["rename"]
    entries["rename"] = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "minProperties": 1,
        "description": rename["description"],
    }
    kinds = [{"required": [name]} for name in entries]
    step = {
        "type": "object",
        "properties": {**entries, **_BESIDE, **_CHANGES},
        "oneOf": [*kinds, {"required": ["name", "remove"]}],
        "additionalProperties": False,
    }
    bare = [name for name, stage in stages.items() if _is_bare(stage) and name != "map"]
    defs["step"] = {"anyOf": [step, {"enum": bare, "description": "A stage that needs no fields."}]}
    return _step_list()


def _step_list() -> Schema:
    return {"type": ["array", "null"], "items": {"$ref": "#/$defs/step"}}


def _group_list(defs: dict[str, Schema], more: Iterable[str]) -> Schema:
    """Return the schema of a map's value: components with a chain each, or a list of such groups."""
    ops = {name: registry.op(name) for name in (*registry.names("ops"), *more)}
    entries = {name: _entry(op, "op", name, defs) for name, op in ops.items()}
    text: Schema = {"type": "string"}
    start: Schema = {
        "anyOf": [text, {"type": "array", "items": text, "minItems": 1}],
        "description": "The component that the chain starts from, or several.",
    }
    bare = [name for name, op in ops.items() if _is_bare(op)]
    defs["call"] = fields_schema(registry.op("call"), "call", defs)
    calls: Schema = {"$ref": "#/$defs/call"}
    defs["operation"] = {"anyOf": [{"enum": bare}, _one_of({**entries, "from": start}), calls]}
    operation: Schema = {"$ref": "#/$defs/operation"}
    defs["chain"] = {
        "anyOf": [{"$ref": "#/$defs/expression"}, {"type": "array", "items": operation}, operation],
        "description": "Operations that follow one another on one component, or an expression.",
    }
    defs["group"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/chain"},
        "minProperties": 1,
        "description": "Components, each with the chain that makes it.",
    }
    group: Schema = {"$ref": "#/$defs/group"}
    return {"anyOf": [group, {"type": "array", "items": group, "minItems": 1}]}


def _is_bare(model: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def _entry(model: Any, kind: str, name: str, defs: dict[str, Schema]) -> Schema:
    """Return the schema of what stands behind a name: its fields, the short form, or nothing."""
    place = f"{kind}.{name}"
    defs[place] = fields_schema(model, place, defs)
    fields = defs[place]["anyOf"][0] if "anyOf" in defs[place] else defs[place]
    forms: list[Schema] = [{"$ref": f"#/$defs/{place}"}]
    if model.main is not None:
        short = fields["properties"][written(model, model.main)]
        forms.append({key: value for key, value in short.items() if key != "description"})
    if _is_bare(model):
        forms.append({"type": "null"})
    return {"anyOf": forms, "description": f"{fields['description']}\n\nExample: `{model.example}`"}
