"""Every tool, resource, prompt, completion and subscription for callers of little or foreign rights."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from artifacts.models import Artifact, Content
from maintenance.selectors.scope import of_project
from maintenance.services.handover import prepare
from orchestrator_site.kernel.identity import Principal, Scope, with_included
from orchestrator_site.mcp import registry
from orchestrator_site.mcp.server import build_server
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task
from tasks.services.caller import Caller
from tests.agents.rows import make_run
from tests.assistants import Assistant, completion, subtask
from tests.factories import make_project

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),  # the older era still subscribes
]

MARK = "quince-42"
TEMPLATE = "{template: mine, title: Mine, steps: [{key: a, title: A, description: B, specialist: tester}]}"
SCOPES = {"no scopes": frozenset[Scope](), **{scope.value: with_included([scope]) for scope in Scope}}
CALLERS = [(name, place) for name in SCOPES for place in ("unbound", "bound elsewhere")]
Ids = dict[str, str]
TOOLS: dict[str, Callable[[Ids], dict[str, Any]]] = {
    "initialize_session": lambda ids: {"project_dir": ids["folder"]},
    "plan_task": lambda ids: {"description": "Mine", "subtasks": [subtask("Mine")], "parent_task_id": ids["plan"]},
    "execute_subtask": lambda ids: {"task_id": ids["task"], "take_over": True},
    "complete_subtask": lambda ids: completion(ids["task"]),
    "synthesize_results": lambda ids: {"parent_task_id": ids["plan"]},
    "get_status": lambda ids: {"task_id": ids["task"]},
    "update_task": lambda ids: {"task_id": ids["task"], "title": "Mine"},
    "read_artifact": lambda ids: {"artifact_id": ids["artifact"]},
    "export_artifact": lambda ids: {"artifact_id": ids["artifact"], "path": "mine.md"},
    "search": lambda ids: {"query": MARK},
    "list_artifacts": lambda ids: {"task_id": ids["done"]},
    "store_artifact": lambda ids: {"action": "begin", "task_id": ids["task"]},
    "maintenance_coordinator": lambda ids: {"action": "archive", "task_ids": [ids["done"]]},
    "restart_server": lambda ids: {},
    "reconnect_test": lambda ids: {},
    "health_check": lambda ids: {"detail": True},
    "shutdown_prepare": lambda ids: {},
    "execute_subtask_isolated": lambda ids: {"task_ids": [ids["task"]]},
    "spawn_isolated_session": lambda ids: {"task_id": ids["task"]},
    "monitor_isolated_execution": lambda ids: {"run_id": ids["run"], "action": "message", "text": "Mine"},
    "merge_isolated_work": lambda ids: {"run_id": ids["run"]},
    "template_manager": lambda ids: {"action": "apply_template", "name": "spike", "parameters": {"question": "Mine"}},
    "context_library": lambda ids: {"action": "save_context", "name": "mine", "text": "Mine", "task_id": ids["done"]},
    "pattern_extractor": lambda ids: {"action": "save_template", "text": TEMPLATE},
    "specialist_intelligence": lambda ids: {"action": "suggest_assignment", "task_id": ids["task"]},
    "workload_manager": lambda ids: {"action": "priority_boost", "task_id": ids["task"]},
}
RESOURCES: dict[str, Callable[[Ids], str]] = {
    "project://status": lambda ids: "project://status",
    "task://{id}": lambda ids: f"task://{ids['task']}",
    "artifact://{id}": lambda ids: f"artifact://{ids['artifact']}",
    "artifact://{id}/v{n}": lambda ids: f"artifact://{ids['artifact']}/v1",
    "handover://{project}": lambda ids: f"handover://{ids['slug']}",
}
PROMPTS: dict[str, dict[str, str]] = {"plan": {"goal": "A goal"}, "resume": {}, "handover": {}}
READING = ("get_status", "read_artifact", "list_artifacts", "search", "synthesize_results")
"""The tools that are asked first, before others change what they find."""


@pytest.fixture
def ids(ada: Assistant) -> Ids:
    """A project of another's: a plan with a task to do and one that is done."""
    made = ada.call("plan_task", description=MARK, subtasks=[subtask(f"{MARK} {number}") for number in range(2)])
    task, done = (row["task_id"] for row in made["subtasks"])
    artifact = ada.complete(done, detailed_work=MARK)["artifact_info"]["artifact_id"]
    project = Task.objects.get(public_id=task).project
    prepare(scope=of_project(project), actor=Actor.system())
    run = make_run(Task.objects.get(public_id=task), reason=MARK)
    return {
        "plan": made["parent_task_id"], "task": task, "done": done, "artifact": artifact, "folder": str(ada.folder),
        "slug": project.slug, "run": run.public_id,
    }  # fmt: skip


@asynccontextmanager
async def connected(principal: Principal, folder: Path, mode: Literal["legacy", "auto"]) -> AsyncIterator[Client]:
    caller = Caller(principal, "connection-of-another", "tester", "1", {}, str(folder))
    async with Client(build_server(caller_for=lambda context: caller, toolsets=["all"]), mode=mode) as client:
        yield client


def _delivered() -> list[Any]:
    """Return what only its owner may change; a session of one's own is no change."""
    return [list(model.objects.order_by("pk").values()) for model in (Project, Task, Dependency, Artifact, Content)]


async def _answers(principal: Principal, folder: Path, ids: Ids) -> dict[str, str]:
    """Return the answer to everything that a client can ask for, as text."""
    found: dict[str, str] = {}

    async def ask(name: str, question: Awaitable[Any]) -> None:
        try:
            found[name] = (await question).model_dump_json()
        except MCPError as error:
            found[name] = json.dumps([error.error.message, error.error.data])

    async with connected(principal, folder, "legacy") as client:
        for name in sorted(TOOLS, key=lambda name: name not in READING):
            await ask(name, client.call_tool(f"orchestrator_{name}", TOOLS[name](ids)))
        for uri, filled in RESOURCES.items():
            await ask(f"read {uri}", client.read_resource(filled(ids)))
            await ask(f"subscribe {uri}", client.session.subscribe_resource(filled(ids)))
            if "{" in uri:
                reference = ResourceTemplateReference(uri=uri)
                await ask(f"complete {uri}", client.complete(reference, {"name": "id", "value": ids["task"][:4]}))
        for name, given in PROMPTS.items():
            await ask(f"prompt {name}", client.get_prompt(name, given))
    async with connected(principal, folder, "auto") as client:
        for uri, filled in RESOURCES.items():
            await ask(f"listen {uri}", _honored(client, filled(ids)))
    return found


async def _honored(client: Client, uri: str) -> Any:
    async with client.listen(resource_subscriptions=[uri]) as stream:
        return stream.honored


@pytest.mark.parametrize(("name", "place"), CALLERS)
def test_no_caller_gets_further_than_allowed(ids: Ids, ada: Assistant, name: str, place: str) -> None:
    scopes, is_free = SCOPES[name], place == "unbound"
    bound = {} if is_free else {"project_id": make_project("elsewhere").pk}
    before = _delivered()
    found = anyio.run(_answers, Principal("eve", scopes, **bound), ada.folder, ids)
    may_read, may_write = is_free and Scope.READ in scopes, is_free and Scope.WRITE in scopes
    refused = {each for each, text in found.items() if '"forbidden"' in text or '"not_found"' in text}
    writing = {tool.name.removeprefix("orchestrator_") for tool in registry.tools(["all"]) if tool.scope == "write"}
    assert [each for each, text in found.items() if MARK in text and not may_read] == []
    if may_read:
        assert refused & (found.keys() - TOOLS.keys() | set(READING)) == set()
    else:
        assert {each for each in found if each.endswith("}") and each.startswith(("subscribe", "listen"))} <= refused
    if may_write:
        assert writing & refused == set()
    else:
        assert writing <= refused
        assert _delivered() == before


def test_the_tables_leave_nothing_out() -> None:
    assert {tool.name.removeprefix("orchestrator_") for tool in registry.tools(["all"])} == set(TOOLS)
    assert {resource.uri for resource in registry.resources()} == set(RESOURCES)
    assert {prompt.name for prompt in registry.prompts()} == set(PROMPTS)
