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
    schema, within = _inlined(schema, definitions, within)
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword in _NAMED:
            shown = {name: inner for name, inner in value.items() if not inner.get(HIDDEN)}
            result[keyword] = {name: _compact(inner, definitions, within) for name, inner in shown.items()}
        elif keyword in _LISTED:
            _put_alternatives(result, keyword, [_compact(inner, definitions, within) for inner in value])
        elif keyword in _SINGLE and isinstance(value, dict):
            result[keyword] = _compact(value, definitions, within)
        elif not _is_noise(keyword, value):
            result[keyword] = value
    return result


def _inlined(schema: Schema, definitions: Schema, within: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
    """Replace a reference by its target; keywords beside the reference win."""
    reference = schema.get("$ref")
    if reference is None:
        return schema, within
    name = reference.removeprefix("#/$defs/")
    target = _RECURSION if name in within else definitions[name]
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    return {**target, **beside}, (*within, name)


def _put_alternatives(result: Schema, keyword: str, alternatives: list[Schema]) -> None:
    """Add the alternatives except null; a single one is merged into the result, whose own keywords win."""
    left = [alternative for alternative in alternatives if alternative != {"type": "null"}]
    if len(left) == 1:
        for inner, value in left[0].items():
            result.setdefault(inner, value)
    else:
        result[keyword] = left


def _is_noise(keyword: str, value: Any) -> bool:
    if keyword in {"title", "discriminator"}:
        return True
    if keyword == "default":
        return not value  # a falsy default is what everyone assumes
    return keyword == "additionalProperties" and isinstance(value, bool)
