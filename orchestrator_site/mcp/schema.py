"""Compact JSON schemas of tool arguments: every assistant reads every byte of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# `Field(json_schema_extra={HIDDEN: True})`: accepted, but not listed.
HIDDEN = "hidden"
# Keywords whose values map arbitrary names to schemas: a property may well be called "title".
_NAMED = frozenset({"properties", "patternProperties"})
_LISTED = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NOISE = frozenset({"title", "discriminator", "additionalProperties", "maxLength"})
_SINGLE = frozenset({"items", "additionalProperties", "contains", "not"})
# Replaces a type that contains itself; clients fail on `$ref`.
_RECURSION: Schema = {"type": "object"}


def input_schema(arguments: type[BaseModel]) -> Schema:
    """Return the schema without titles, null alternatives, empty defaults and references.

    It does not forbid additional properties, since a client that enforced that would not let known aliases through.
    """
    full = arguments.model_json_schema()
    definitions = full.pop("$defs", {})
    full.pop("description", None)  # the tool has its own
    schema = _compact(full, definitions, ())
    schema.setdefault("properties", {})
    return schema


def _compact(schema: Schema, definitions: Schema, within: tuple[str, ...]) -> Schema:
    if reference := schema.get("$ref"):  # keywords beside it win over its target
        name = reference.removeprefix("#/$defs/")
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = (_RECURSION if name in within else definitions[name]) | beside
        within = (*within, name)
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword in _NAMED:
            shown = {name: inner for name, inner in value.items() if not inner.get(HIDDEN)}
            result[keyword] = {name: _compact(inner, definitions, within) for name, inner in shown.items()}
        elif keyword in _LISTED:
            alternatives = [_compact(inner, definitions, within) for inner in value]
            left = [each for each in alternatives if each != {"type": "null"}]
            # A single one is merged into the result, whose own keywords win.
            result |= {**left[0], **result} if len(left) == 1 else {keyword: left}
        elif keyword in _SINGLE and isinstance(value, dict):
            result[keyword] = _compact(value, definitions, within)
        elif keyword == "const":  # which some clients do not know
            result["enum"] = [value]
        elif keyword not in _NOISE and (keyword != "default" or value):  # a falsy default is what everyone assumes
            result[keyword] = value
    return result
