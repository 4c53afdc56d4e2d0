"""The product's tools, resources and prompts over real pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from orchestrator_site.mcp import registry
from orchestrator_site.mcp.server import load_tools
from orchestrator_site.mcp.stdio.messages import PURE_TOOLS
from orchestrator_site.mcp.stdio.proxy import TOOLSETS
from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, StdioClient, connected, environment

CORE = {
    "orchestrator_initialize_session",
    "orchestrator_plan_task",
    "orchestrator_execute_subtask",
    "orchestrator_complete_subtask",
    "orchestrator_synthesize_results",
    "orchestrator_get_status",
    "orchestrator_update_task",
    "orchestrator_read_artifact",
}


def talk(home: Path, mode: str, conversation: Callable[[Client], Awaitable[None]]) -> None:
    """Run a conversation with a new server."""

    async def run() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=[str(ROOT / "manage.py"), "mcp_serve"],
            env=environment(home, trial=False),
        )
        async with Client(server, mode=mode) as client:
            await conversation(client)

    anyio.run(run)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
def test_the_client_of_the_sdk_is_served_in_every_mode(home: Path, tmp_path: Path, mode: str) -> None:
    async def conversation(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == CORE
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {"plan", "resume", "handover"}
        assert [str(one.uri) for one in (await client.list_resources()).resources] == ["project://status"]
        templates = (await client.list_resource_templates()).resource_templates
        assert {one.uri_template for one in templates} == {
            "task://{id}",
            "artifact://{id}",
            "artifact://{id}/v{n}",
            "handover://{project}",
        }
        begun = await client.call_tool("orchestrator_initialize_session", {"project_dir": str(tmp_path)})
        assert not begun.is_error
        assert (await client.read_resource("project://status")).contents
        assert (await client.get_prompt("resume")).messages

    talk(home, mode, conversation)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StdioClient, StdioClient]]:
    """A legacy and a modern client, each with a server of its own on one data folder."""
    home = make_home(tmp_path_factory.mktemp("product") / "home")
    with connected(home, trial=False) as legacy, connected(home, trial=False, modern=True) as modern:
        yield legacy, modern


@pytest.fixture(scope="module")
def listed(clients: tuple[StdioClient, StdioClient]) -> dict[str, Any]:
    """The results of tools/list for both clients."""
    legacy, modern = (client.request("tools/list")["result"] for client in clients)
    return {"legacy": legacy, "modern": modern}


def test_both_eras_list_the_same_tools(listed: dict[str, Any]) -> None:
    assert listed["legacy"]["tools"] == listed["modern"]["tools"]
    assert listed["modern"]["cacheScope"] == "private"


def test_the_core_tools_take_at_most_6000_bytes(listed: dict[str, Any]) -> None:
    assert len(json.dumps(listed["legacy"], separators=(",", ":"), ensure_ascii=False).encode()) <= 6000


def test_tool_schemas_use_nothing_that_some_clients_reject(listed: dict[str, Any]) -> None:
    for tool in listed["legacy"]["tools"]:
        assert tool["description"]
        assert "outputSchema" not in tool
        assert tool["annotations"]["openWorldHint"] is False
        assert tool["inputSchema"]["type"] == "object"
        schema = json.dumps(tool["inputSchema"])
        for noise in ("$ref", "$defs", '"null"', '"default": null'):
            assert noise not in schema, tool["name"]


def test_the_proxy_retries_only_read_only_tools(listed: dict[str, Any]) -> None:
    load_tools()
    assert {tool.name for tool in registry.tools(["all"]) if tool.read_only} == PURE_TOOLS
    assert {t["name"] for t in listed["legacy"]["tools"] if t["annotations"].get("readOnlyHint")} < PURE_TOOLS


def test_help_names_the_options() -> None:
    for words in (["help", "mcp_serve"], ["mcp_serve", "--help"]):
        done = _manage(*words)
        assert done.returncode == 0
        assert "--toolsets" in done.stdout


def test_an_unknown_option_is_a_usage_error() -> None:
    done = _manage("mcp_serve", "--tolsets", "core")
    assert done.returncode == 2
    assert "--tolsets" in done.stderr
    assert done.stdout == ""


def test_the_command_can_be_called_from_django(home: Path) -> None:
    code = (
        "import django; django.setup(); from django.core.management import call_command; "
        "call_command('mcp_serve', toolsets='all')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(home, trial=False),
        input='{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["id"] == 1


def _manage(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_the_proxy_knows_every_toolset() -> None:
    assert {tool.toolset for tool in registry.tools(["all"])} | {"all"} == set(TOOLSETS)


def test_an_unknown_toolset_is_a_usage_error() -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "mcp_serve", "--toolsets", "core,nonsense"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr
    assert ended.stdout == ""


def test_a_tree_deeper_than_the_fast_parser_accepts_is_planned(
    clients: tuple[StdioClient, StdioClient], tmp_path: Path
) -> None:
    client = clients[0]
    deep: dict[str, Any] = {"title": "Leaf", "description": "d", "specialist_type": "tester"}
    for number in range(150):
        deep = {"title": f"Group {number}", "description": "d", "subtasks": [deep]}
    client.call("orchestrator_initialize_session", project_dir=str(tmp_path))
    answer = client.call("orchestrator_plan_task", description="Deep", subtasks=[deep])
    assert answer["subtasks_total"] == 151


def test_stdio_scopes_limit_a_pipe(home: Path, folder: Path) -> None:
    with connected(home, trial=False, ORCHESTRATOR_STDIO_SCOPES="read") as client:
        client.call("orchestrator_initialize_session", project_dir=str(folder))

        answer = client.call("orchestrator_plan_task", description="A job", subtasks=[])

    assert (answer["code"], answer["details"]) == ("forbidden", {"scope": "write"})


def test_an_unknown_stdio_scope_grants_nothing(home: Path) -> None:
    with connected(home, trial=False, ORCHESTRATOR_STDIO_SCOPES="everything") as client:
        answer = client.call("orchestrator_get_status")

    assert answer["code"] == "forbidden"
    assert "ORCHESTRATOR_STDIO_SCOPES" in answer["message"]
    assert "write" in answer["details"]["allowed"]


def test_a_subscription_reports_a_change_by_another_process(
    clients: tuple[StdioClient, StdioClient], folder: Path
) -> None:
    worker, watcher = clients
    for client in clients:
        client.call("orchestrator_initialize_session", project_dir=str(folder))
    subtasks = [{"title": "First", "description": "Begin", "specialist_type": "architect"}]
    made = worker.call("orchestrator_plan_task", description="A job", subtasks=subtasks)
    task_id = made["subtasks"][0]["task_id"]
    watcher.start("subscriptions/listen", notifications={"resourceSubscriptions": [f"task://{task_id}"]})
    wait_for_method(watcher, "notifications/subscriptions/acknowledged")

    worker.call("orchestrator_execute_subtask", task_id=task_id)

    heard = wait_for_method(watcher, "notifications/resources/updated")
    assert heard["params"]["uri"] == f"task://{task_id}"


def wait_for_method(client: StdioClient, method: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while (message := client.next_message()).get("method") != method:
        pass
    return message
