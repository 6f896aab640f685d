"""The JSON Schema of one model, as a spec writes it: with parameters and the fields' own texts."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from safedata.docstrings import fields_of

Schema = dict[str, Any]

PARAMETER: Final[Schema] = {"$ref": "#/$defs/parameter"}
"""What stands for `${name}`."""
NUMBER: Final[Schema] = {"$ref": "#/$defs/number"}
"""What stands for a number that a reader of YAML took for text."""
_LIMITS: Final[dict[str, str]] = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}
"""What pydantic calls limits behind a validator of one's own, and what JSON Schema calls them."""


class _Generator(GenerateJsonSchema):
    """Makes pydantic's schemas, with the fields' own texts.

    A model that reads a short form of its own may also be what is no mapping.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model."""
        made = super().model_schema(schema)
        for name, field in fields_of(schema["cls"]).items():
            key = written(schema["cls"], name)
            if field.text and key in made.get("properties", {}):
                made["properties"][key]["description"] = paragraphs(field.text)
        if schema["schema"]["type"] != "function-before":
            return made
        return {"anyOf": [made, {"not": {"type": "object"}}]}


def written(model: type[BaseModel], field: str) -> str:
    """Return what a spec calls a field: `as` is a word of Python's."""
    return model.model_fields[field].alias or field


def fields_schema(model: type[BaseModel], place: str, defs: dict[str, Schema]) -> Schema:
    """Return the schema of a model; those that it refers to go to `defs`, below `place`."""
    template = f"#/$defs/{place}.{{model}}"
    made = model.model_json_schema(ref_template=template, schema_generator=_Generator)
    for name, inner in made.pop("$defs", {}).items():
        defs[f"{place}.{name}"] = _mapping(inner)
    return _mapping(made)


def _mapping(found: Schema) -> Schema:
    """Return a model's schema with every field taking parameters as well."""
    if "anyOf" in found:
        return {"anyOf": [_mapping(part) for part in found["anyOf"]]}
    properties = {name: _loose(field) for name, field in found.get("properties", {}).items()}
    kept = {key: value for key, value in found.items() if key != "title"}
    if "description" in kept:
        kept["description"] = paragraphs(kept["description"])
    return {**kept, "properties": properties} if "properties" in found else kept


def _loose(found: Any) -> Any:
    """Return the schema that takes what `found` takes, or a parameter in its place.

    Numbers may also be text such as `10_000`, as which some readers of YAML see them.
    """
    if isinstance(found, bool):
        return found
    fields: Schema = found
    if "x-definition" in fields:  # pydantic follows every `$ref` itself
        return {"$ref": f"#/$defs/{fields['x-definition']}"}
    made = {_LIMITS.get(key, key): value for key, value in fields.items() if key != "title"}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _loose(made[key])
    for key in ("prefixItems", "anyOf", "oneOf"):
        if key in made:
            made[key] = [_loose(one) for one in made[key]]
    if made.get("type") not in ("integer", "number", "boolean", "array") and not _closed(made):
        return made
    about = {key: made.pop(key) for key in ("description", "default") if key in made}
    number = [NUMBER] if made.get("type") in ("integer", "number") else []
    return {"anyOf": [made, *number, PARAMETER], **about}


def paragraphs(text: str) -> str:
    """Return text with the line breaks inside its paragraphs taken out."""
    return re.sub(r"(?<!\n)\n(?!\n)\s*", " ", text.strip())


def _closed(found: Schema) -> bool:
    """Return whether a schema takes only some texts."""
    return any(key in found for key in ("enum", "const", "pattern"))
