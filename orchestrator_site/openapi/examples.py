"""Examples for every operation: made from what the document says of each field, and of words that go together."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_DEEPEST = 6

WORDS: dict[str, Any] = {
    "actions": ["complete", "release", "block", "fail", "cancel"],
    "actor": "ada/laptop",
    "actor_kind": "assistant",
    "after": {"status": "active", "lease_number": 1},
    "approach": ["Read what is there before changing it."],
    "archived_at": None,
    "artifact_info": None,
    "artifact_type": "code",
    "artifact_id": "artifact_5b1e77d0",
    "at": "subtasks[0].title",
    "before": {"status": "pending"},
    "brief": "# Your task: Parse the ledger\n\nYou are the implementer. …",
    "about": "The thing is in another state than the request needs, or somebody was faster.",
    "client_name": "nightly-build",
    "client_version": "1.4.0",
    "completed_at": None,
    "completed_subtasks": 3,
    "content": "http://127.0.0.1:8000/api/v1/artifacts/artifact_5b1e77d0/content?version=1",
    "context": "The format is described in docs/ledger.md.",
    "counts": {"completed": 3, "active": 1, "pending": 4},
    "created_at": "2031-05-04T09:30:00Z",
    "cursor": None,
    "dependencies": ["design"],
    "depth": 1,
    "description": "Read the files of the ledger into rows.",
    "detail": "title: it may not be empty",
    "detailed_work": "# The parser\n\n```python\ndef parse(line): …\n```\n",
    "details": {},
    "ended_at": None,
    "estimated_effort": "half a day",
    "expertise": ["Python", "parsers"],
    "expires_at": "2031-08-02T09:30:00Z",
    "expected_sha256": "",
    "expected_size": 12534,
    "file_paths": ["src/ledger/parser.py"],
    "has_more": False,
    "headline": "3 of 8 subtasks are completed.",
    "id": 1841,
    "inherited_from": None,
    "instance": "/api/v1/plans",
    "key": "parser",
    "kind": "code",
    "last_append_at": "2031-05-04T09:41:00Z",
    "last_seen_at": "2031-05-04T09:41:00Z",
    "last_used_at": None,
    "lease_expires_at": "2031-05-04T10:00:00Z",
    "lease_holder": "nightly-build",
    "lease_number": 1,
    "media_type": "text/markdown",
    "name": "The ledger",
    "needs": [],
    "next": None,
    "offset": 8192,
    "omitted": [],
    "output_format": "A patch, and what was tested.",
    "owner": "ada",
    "parent_task_id": "task_9d03b1aa",
    "path": "src/ledger/",
    "pathless": False,
    "paths": ["src/ledger/parser.py"],
    "plan": "task_9d03b1aa",
    "position": 2,
    "previous": None,
    "principal": "ada/laptop",
    "problem": "it may not be empty",
    "progress_percentage": 38,
    "project": "ledger",
    "reason": "",
    "report": "# The ledger\n\n## 1. The parser\n…",
    "retry_after_ms": 2000,
    "review_comment": "",
    "revoked_at": None,
    "role_definition": "Writes code that others can read.",
    "role_problems": [],
    "root_path": "/home/ada/ledger",
    "scopes": ["read", "write"],
    "secret": "mto_EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EXA",
    "session_id": "session_0f61a2b3c4d5",
    "settings": {"lease_minutes": 45},
    "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    "size_bytes": 12534,
    "size_chars": 12530,
    "slug": "ledger",
    "snippet": "…every line of the ledger is read once, and a broken one is named…",
    "source": "project",
    "specialist_type": "implementer",
    "state": "open",
    "started_at": "2031-05-04T09:30:00Z",
    "status": "active",
    "summary": "The parser reads every file of the sample.",
    "task_id": "implementer_4f9a1c",
    "task_ids": ["architect_a71c02"],
    "title": "Parse the ledger",
    "token_id": "token_6504b6cf",
    "total_subtasks": 8,
    "type": "/api/v1/problems/invalid",
    "updated_at": "2031-05-04T09:41:00Z",
    "upload_id": "upload_3c9198e8e019",
    "upload_ids": ["upload_3c9198e8e019"],
    "verb": "claim",
    "version": 1,
    "warnings": [],
    "whose": "yours",
    "Meaning.code": "conflict",
    "Meaning.status": 409,
    "Meaning.title": "The thing is in another state",
    "RolesAnswer.problems": [],
    "FeedShape.after": 1841,
    "FeedShape.next": "http://127.0.0.1:8000/api/v1/events?after=1841",
    "HitShape.offset": 8192,
    "RoleShape.name": "implementer",
    "TokenBody.name": "laptop",
    "TokenMade.name": "laptop",
    "TokenShape.name": "laptop",
}
EMPTY = ("subtasks", "waits_for", "needed_by", "problems", "needs_revision", "waits_for_a_person", "still_waiting")
"""Lists that say nothing more by holding something, below the outermost."""
_BY_TYPE: dict[str, Any] = {"string": "…", "integer": 1, "number": 1, "boolean": False, "null": None}


def add_examples(document: Schema) -> None:
    """Give every body and every answer in JSON an example."""
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
    kind = _kind(schema)
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
    """Follow references, and of several possibilities the first."""
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif several := schema.get("allOf") or schema.get("oneOf") or schema.get("anyOf"):
            schema = several[0]
        else:
            return schema


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object")
    return str(kind[0] if isinstance(kind, list) else kind)


def _fits(value: Any, schema: Schema) -> bool:
    """Whether a word is of the type that is wanted, and one of those that are allowed."""
    kinds = schema.get("type", ["string", "integer", "object", "array", "boolean", "null"])
    names = {str: "string", bool: "boolean", int: "integer", dict: "object", list: "array", type(None): "null"}
    if names[type(value)] not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    if isinstance(value, list) and value and "items" in schema and "$ref" in schema["items"]:
        return False
    if isinstance(value, dict) and "properties" in schema:
        return set(value) <= set(schema["properties"])
    return "enum" not in schema or value in schema["enum"]
