"""The schemas of all tools say what the server wants, in what the strict modes of model vendors take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator_site.mcp import registry, serializers
from orchestrator_site.mcp.dispatch import Outcome
from orchestrator_site.mcp.server import load_tools
from tests.assistants import Assistant, completion, subtask

load_tools()
TOOLS = {tool.name.removeprefix("orchestrator_"): serializers.described(tool) for tool in registry.tools(["all"])}
# What Gemini's function declarations and OpenAI's structured outputs both know.
KEYWORDS = {"type", "properties", "required", "items", "enum", "description", "minimum", "maximum", "default"}
DEEPEST = 5


def nodes(schema: dict[str, Any], at: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any], int]]:
    yield at, schema, depth
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{at}.{name}", depth + 1)
    if "items" in schema:
        yield from nodes(schema["items"], f"{at}[]", depth)


NODES = [
    pytest.param(node, depth, id=f"{name}{at}")
    for name, tool in TOOLS.items()
    for at, node, depth in nodes(tool.input_schema)
]


@pytest.mark.parametrize("node, depth", NODES)
def test_every_part_is_one_that_strict_modes_take(node: dict[str, Any], depth: int) -> None:
    assert node.keys() <= KEYWORDS
    assert node["type"] in {"object", "array", "string", "integer", "number", "boolean"}
    assert depth <= DEEPEST
    if node["type"] == "object":
        assert node["properties"]
        assert set(node.get("required", ())) <= node["properties"].keys()
    if node["type"] == "array":
        assert node["items"]["type"]
    assert "enum" not in node or (node["type"] == "string" and all(node["enum"]))


def valid_calls(ada: Assistant) -> dict[str, dict[str, Any]]:
    ids = ada.plan("A", "B", "C")
    artifact = ada.complete(ids["A"])["artifact_info"]["artifact_id"]
    return {
        "initialize_session": {},
        "plan_task": {"description": "A job", "subtasks": [subtask("D")]},
        "execute_subtask": {},
        "complete_subtask": completion(ids["B"]),
        "synthesize_results": {"parent_task_id": ids["plan"]},
        "get_status": {},
        "update_task": {"task_id": ids["C"], "title": "Better"},
        "read_artifact": {"artifact_id": artifact},
        "store_artifact": {"action": "status"},
        "export_artifact": {"artifact_id": artifact, "path": "out.md"},
        "search": {"query": "work"},
        "list_artifacts": {},
        "maintenance_coordinator": {"action": "validate_structure"},
        "restart_server": {},
        "reconnect_test": {},
        "health_check": {},
        "shutdown_prepare": {},
        "execute_subtask_isolated": {"task_ids": [ids["B"]]},
        "spawn_isolated_session": {"task_id": ids["B"]},
        "monitor_isolated_execution": {},
        "merge_isolated_work": {"run_id": "run_0000000000"},
        "template_manager": {"action": "list_templates"},
        "context_library": {"action": "load_context"},
        "pattern_extractor": {"action": "analyze_project"},
        "specialist_intelligence": {"action": "get_workload"},
        "workload_manager": {"action": "check_capacity"},
    }


def test_what_is_required_is_refused_when_it_is_missing(ada: Assistant) -> None:
    calls = valid_calls(ada)
    assert calls.keys() == TOOLS.keys()
    for name, arguments in calls.items():
        for missing in TOOLS[name].input_schema.get("required", ()):
            left = {key: value for key, value in arguments.items() if key != missing}
            assert ada.refused(name, **left)["code"] == "invalid", (name, missing)


def test_a_subtask_needs_what_its_schema_requires_and_nothing_else(ada: Assistant) -> None:
    required = TOOLS["plan_task"].input_schema["properties"]["subtasks"]["items"]["required"]
    whole = {name: subtask("A")[name] for name in required}
    ada.call("plan_task", description="A job", subtasks=[whole])
    for missing in required:
        left = {name: value for name, value in whole.items() if name != missing}
        assert ada.refused("plan_task", description="A job", subtasks=[left])["code"] == "invalid"


def test_subtasks_of_subtasks_have_a_schema_that_works(ada: Assistant) -> None:
    outer = TOOLS["plan_task"].input_schema["properties"]["subtasks"]["items"]
    inner = outer["properties"]["subtasks"]["items"]
    assert {"title", "description", "specialist_type", "dependencies"} <= inner["properties"].keys()
    group = {"title": "G", "description": "x", "subtasks": [{name: subtask("A")[name] for name in inner["required"]}]}
    assert ada.call("plan_task", description="A job", subtasks=[group])["subtasks_total"] == 2


def test_what_reads_long_texts_allows_claude_code_to_show_them() -> None:
    meta = TOOLS["read_artifact"].model_dump(by_alias=True)["_meta"]
    assert meta["anthropic/maxResultSizeChars"] == 500_000
    long, short = (serializers.result(Outcome({"text": "x" * size})).model_dump(by_alias=True) for size in (50_000, 5))
    assert long["_meta"] == meta
    assert not short["_meta"]


def test_the_pointers_come_before_the_text(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    done = ada.complete(task, detailed_work="line\n" * 20_000)
    text = ada.send("read_artifact", artifact_id=done["artifact_info"]["artifact_id"], limit=50_000).text
    assert {"next_offset", "next", "total_chars", "version"} <= json.loads(text).keys()
    head = text[: text.index('"text":')]
    assert all(f'"{name}":' in head for name in ("next_offset", "next", "total_chars"))


def test_what_follows_comes_before_briefs_reports_and_lists(ada: Assistant) -> None:
    ids = ada.plan(*[f"T{number}" for number in range(30)])
    answers = [
        ada.send("execute_subtask", task_id=ids["T0"]),
        ada.send("synthesize_results", parent_task_id=ids["plan"]),
        ada.send("get_status", detail="full", limit=20),
    ]
    for answer, long in zip(answers, ("brief", "report", "tasks"), strict=True):
        assert answer.text.index('"next":') < answer.text.index(f'"{long}":')
