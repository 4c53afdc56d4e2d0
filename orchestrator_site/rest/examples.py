"""Examples for every operation: from what the document says of each field, and examples.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
_DEEPEST = 6

WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
EMPTY = ("subtasks", "waits_for", "needed_by", "problems", "needs_revision", "waits_for_a_person", "still_waiting")
"""Lists that say nothing more by holding something, below the outermost."""
_BY_TYPE: dict[str, Any] = {"string": "…", "integer": 1, "number": 1, "boolean": False, "null": None}


def add_examples(document: Schema) -> None:
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            answers = [response for status, response in operation["responses"].items() if status[0] == "2"]
            for holder in (operation.get("requestBody", {}), *answers):
                if (content := holder.get("content", {}).get("application/json")) is not None:
                    content["example"] = example_of(content["schema"], schemas)


def example_of(schema: Schema, schemas: dict[str, Schema], name: str = "", depth: int = 0) -> Any:
    """Return a value that fits a schema: the word for the name where it fits, else the plainest that does."""
    owner = schema.get("$ref", "").rpartition("/")[2]
    schema = _resolved(schema, schemas)
    for word in (name, name.rpartition(".")[2]):
        if word in WORDS and _fits(WORDS[word], schema):
            return WORDS[word]
    if "enum" in schema:
        return schema["enum"][0]
    types = schema.get("type", "object")
    kind = types[0] if isinstance(types, list) else types
    if kind == "object":
        fields = schema.get("properties", {})
        return {each: example_of(inner, schemas, f"{owner}.{each}", depth + 1) for each, inner in fields.items()}
    if kind == "array":
        if depth > _DEEPEST or (depth > 1 and name.rpartition(".")[2] in EMPTY):
            return []
        return [example_of(schema["items"], schemas, name, depth + 1)]
    if schema.get("format") == "uri":
        return f"http://127.0.0.1:8000/api/v1/{name.rpartition('.')[2]}"
    return schema.get("minimum", _BY_TYPE[kind])


def _resolved(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif several := schema.get("allOf") or schema.get("oneOf") or schema.get("anyOf"):
            schema = several[0]
        else:
            return schema


def _fits(value: Any, schema: Schema) -> bool:
    kinds = schema.get("type", ["string", "integer", "object", "array", "boolean", "null"])
    names = {str: "string", bool: "boolean", int: "integer", dict: "object", list: "array"}
    names |= {float: "number", type(None): "null"}
    if names[type(value)] not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    if isinstance(value, list) and value and "items" in schema and "$ref" in schema["items"]:
        return False
    if isinstance(value, dict) and "properties" in schema:
        return set(value) <= set(schema["properties"])
    return "enum" not in schema or value in schema["enum"]
