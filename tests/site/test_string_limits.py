"""Every string that a caller sends has a limit, so that what grows faster than its length stays small."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from rest_framework.fields import CharField, Field, ListField
from rest_framework.serializers import BaseSerializer

import orchestrator_site.urls  # noqa: F401  declares every body
from orchestrator_site.kernel.bodies import LARGE_BODY
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.limits import STRING_LIMIT, TEXT_LIMIT
from orchestrator_site.mcp import registry, serializers
from orchestrator_site.mcp.server import build_server, load_tools
from orchestrator_site.rest.fields import Body
from orchestrator_site.restarts import REASON
from tasks.services.projects import PATH_BYTES, find_folder
from tests.assistants import Assistant

TEXTS = {
    "answer",
    "base64",
    "context",
    "description",
    "detailed_work",
    "output",
    "parameters",
    "query",
    "reason",
    "report",
    "summary",
    "text",
}
"""Arguments whose service has a limit of its own."""
BODY_TEXTS = TEXTS - {"base64", "query", "text"} | {"role_definition", "output_format"}
OF_SERVICES = {
    ("MessageBody", "text"),
    ("ResumeBody", "text"),
    ("CommentBody", "text"),
    ("TemplateBody", "text"),
    ("ContextBody", "text"),
    ("ContextEditBody", "text"),
    ("AcceptLessonBody", "text"),
    ("MergeLessonBody", "text"),
}
"""Fields of bodies whose services have limits, too."""
SHORT = {("orchestrator_restart_server", "reason"): REASON}
load_tools()


def strings(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each string of a JSON schema that takes more than a few words."""
    if schema.get("type") == "string" and not {"enum", "const"} & schema.keys():
        yield name, schema
    for inner in [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]:
        yield from strings(inner, name)
    for place in ("properties", "$defs"):
        for below, inner in schema.get(place, {}).items():
            if "items" in inner and inner["items"].get("properties"):
                continue  # written by hand, for what refers to itself
            yield from strings(inner, below)


@pytest.mark.parametrize("tool", registry.tools(["all"]), ids=lambda tool: tool.name)
def test_every_string_argument_of_a_tool_has_a_limit(tool: registry.Tool[Any]) -> None:
    for name, schema in strings(tool.arguments.model_json_schema()):
        usual = LARGE_BODY if name in TEXTS else STRING_LIMIT
        assert schema.get("maxLength") == SHORT.get((tool.name, name), usual), name


@pytest.mark.parametrize("tool", registry.tools(["all"]), ids=lambda tool: tool.name)
def test_no_assistant_reads_the_limits(tool: registry.Tool[Any]) -> None:
    assert "maxLength" not in str(serializers.described(tool).input_schema)


def leaves(field: Field[Any, Any, Any, Any]) -> Iterator[Field[Any, Any, Any, Any]]:
    if isinstance(field, ListField):
        yield from leaves(field.child)
    elif isinstance(field, BaseSerializer):
        return
    else:
        yield field


def bodies(of: type[Body] = Body) -> Iterator[type[Body]]:
    for body in of.__subclasses__():
        yield body
        yield from bodies(body)


@pytest.mark.parametrize("body", sorted(set(bodies()), key=lambda body: body.__name__))
def test_every_string_of_a_body_has_a_limit(body: type[Body]) -> None:
    for name, field in body().fields.items():
        for leaf in leaves(field):
            if isinstance(leaf, CharField) and name not in BODY_TEXTS and (body.__name__, name) not in OF_SERVICES:
                assert leaf.max_length is not None, name
                assert leaf.max_length <= STRING_LIMIT, name


@pytest.mark.parametrize(
    ("tool", "arguments", "at"),
    [
        ("initialize_session", {"project_dir": "/x" * STRING_LIMIT}, "project_dir"),
        ("get_status", {"cursor": "x" * STRING_LIMIT * 2}, "cursor"),
        ("plan_task", {"description": "Job", "subtasks": [{"title": "x" * STRING_LIMIT * 2}]}, "subtasks[0].title"),
        ("complete_subtask", {"task_id": "t", "summary": "s", "file_paths": ["../" * STRING_LIMIT]}, "file_paths[0]"),
    ],
)
def test_a_longer_one_is_named(ada: Assistant, tool: str, arguments: dict[str, Any], at: str) -> None:
    error = ada.refused(tool, **arguments)
    assert (error["code"], error["details"]["problems"][0]["at"]) == ("invalid", at)


@pytest.mark.parametrize("name", ["explicit", "CLAUDE_PROJECT_DIR", "working_directory"])
def test_a_longer_path_is_not_resolved(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "realpath", pytest.fail)
    given = {"explicit": None, "environ": {}, "working_directory": ""}
    given |= {name: "/x" * PATH_BYTES} if name in given else {"environ": {name: "/x" * PATH_BYTES}}
    with pytest.raises(Invalid):
        find_folder(**given)


def test_a_longer_uri_matches_no_resource(ada: Assistant) -> None:
    bridge = build_server(caller_for=lambda context: ada.caller)
    assert bridge._match("task://x")
    with pytest.raises(ResourceNotFoundError):
        bridge._match("task://" + "x" * STRING_LIMIT)


def test_a_longer_argument_of_a_prompt_is_refused() -> None:
    plan = next(prompt for prompt in registry.prompts() if prompt.name == "plan")
    serializers.check_prompt_arguments(plan, {"goal": "x" * TEXT_LIMIT})
    with pytest.raises(MCPError):
        serializers.check_prompt_arguments(plan, {"goal": "x" * (TEXT_LIMIT + 1)})
