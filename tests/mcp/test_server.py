"""The factory: what the apps registered, as the SDK's own client sees it in both eras."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict

import orchestrator_site
from orchestrator_site.kernel.errors import Conflict, NotFound, Transient
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import registry, serializers
from orchestrator_site.mcp.server import INSTRUCTIONS, build_server
from tasks.services.caller import Caller

ERAS = ["legacy", "2026-07-28"]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a registry of the test's own in the place of the product's."""
    for name in ("_tools", "_resources", "_prompts"):
        monkeypatch.setattr(registry, name, {})
    monkeypatch.setattr("orchestrator_site.mcp.server.load_tools", lambda: None)

    @registry.tool("shout", title="Shout", description="Say it loud.", arguments=Arguments, read_only=True)
    def shout(caller: Caller, arguments: Arguments) -> dict[str, Any]:
        return {"said": arguments.text.upper(), "to": caller.client_name}

    @registry.tool("erase", title="Erase", description="Gone.", arguments=Arguments, destructive=True, toolset="other")
    def erase(caller: Caller, arguments: Arguments) -> dict[str, Any]:
        raise Conflict("The task changed.", next="Look again.", details={"by": "ann"})

    text: dict[str, str] = {"mime_type": "text/plain"}

    @registry.resource("fact://one", name="one", title="One", description="The one.", **text)
    def one(caller: Caller) -> str:
        return "one"

    @registry.resource("row://{id}", name="row", title="Row", description="A row.", **text)
    def row(caller: Caller, id: str) -> str:
        if id == "busy":
            raise Transient("Busy.")
        if id != "7":
            raise NotFound("There is no such row.")
        return "seven"

    @registry.prompt("plan", title="Plan", description="Begin.", arguments=[("goal", "What for.", True)])
    def plan(caller: Caller, goal: str) -> str:
        return f"Plan {goal}."


def talk(conversation: Callable[[Client], Awaitable[None]], mode: str, **options: Any) -> None:
    """Hold a conversation with a server of its own."""

    async def run() -> None:
        caller = Caller(Principal("ada"), connection_id="test", client_name="tester")
        server = build_server(caller_for=lambda context: caller, **options)
        async with Client(server, mode=mode) as client:
            await conversation(client)

    anyio.run(run)


@pytest.mark.parametrize("mode", ERAS)
def test_text_and_structured_content_are_the_same(mode: str) -> None:
    async def conversation(client: Client) -> None:
        result = await client.call_tool("shout", {"text": "héllo"})
        assert result.structured_content == {"said": "HÉLLO", "to": "tester"}
        assert result.content[0].text == '{"said":"HÉLLO","to":"tester"}'  # type: ignore[union-attr]
        assert not result.is_error

    talk(conversation, mode)


def test_a_long_result_has_only_text() -> None:
    async def conversation(client: Client) -> None:
        result = await client.call_tool("shout", {"text": "a" * serializers.STRUCTURED_CHARS})
        assert result.structured_content is None
        assert json.loads(result.content[0].text)["said"] == "A" * serializers.STRUCTURED_CHARS  # type: ignore[union-attr]

    talk(conversation, "legacy")


@pytest.mark.parametrize("mode", ERAS)
def test_annotations_are_true(mode: str) -> None:
    async def conversation(client: Client) -> None:
        shout, erase = (await client.list_tools()).tools
        assert shout.output_schema is None
        assert shout.annotations and erase.annotations
        assert shout.annotations.model_dump(exclude_none=True) == {"read_only_hint": True, "open_world_hint": False}
        # Read-only and idempotent default to false.
        assert erase.annotations.model_dump(exclude_none=True) == {"destructive_hint": True, "open_world_hint": False}

    talk(conversation, mode, toolsets=["all"])


def test_only_the_chosen_toolsets_are_listed() -> None:
    async def conversation(client: Client) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["shout"]
        result = await client.call_tool("erase", {"text": "x"})
        assert result.is_error and result.structured_content
        assert result.structured_content["code"] == "not_found"
        assert result.structured_content["details"] == {"allowed": ["shout"]}

    talk(conversation, "legacy")


@pytest.mark.parametrize("mode", ERAS)
def test_an_error_of_a_tool_is_a_result(mode: str) -> None:
    async def conversation(client: Client) -> None:
        result = await client.call_tool("erase", {"text": "x"})
        assert result.is_error
        assert result.structured_content == {
            "code": "conflict",
            "message": "The task changed.",
            "next": "Look again.",
            "details": {"by": "ann"},
        }
        assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]

    talk(conversation, mode, toolsets=["core", "other"])


def test_an_error_before_a_call_is_a_result() -> None:
    def before_call(request_id: int | str) -> None:
        raise Transient("Not yet.", retry_after_ms=7)

    async def conversation(client: Client) -> None:
        result = await client.call_tool("shout", {"text": "x"})
        assert result.is_error and result.structured_content
        assert result.structured_content["details"] == {"retry_after_ms": 7}
        assert (await client.list_tools()).tools

    talk(conversation, "legacy", before_call=before_call)


@pytest.mark.parametrize("mode", ERAS)
def test_resources_can_be_listed_and_read(mode: str) -> None:
    async def conversation(client: Client) -> None:
        assert [str(found.uri) for found in (await client.list_resources()).resources] == ["fact://one"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [found.uri_template for found in templates] == ["row://{id}"]
        for uri, text in (("fact://one", "one"), ("row://7", "seven")):
            contents = (await client.read_resource(uri)).contents
            assert contents[0].text == text  # type: ignore[union-attr]

    talk(conversation, mode)


@pytest.mark.parametrize(
    ("uri", "code"), [("row://8", -32602), ("nothing://here", -32602), ("row://a/b", -32602), ("row://busy", -32603)]
)
def test_a_resource_that_cannot_be_read_is_an_error_with_a_reason(uri: str, code: int) -> None:
    async def conversation(client: Client) -> None:
        with pytest.raises(MCPError) as problem:
            await client.read_resource(uri)
        assert problem.value.code == code
        assert problem.value.data

    talk(conversation, "2026-07-28")


@pytest.mark.parametrize("mode", ERAS)
def test_prompts_can_be_listed_and_read(mode: str) -> None:
    async def conversation(client: Client) -> None:
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.arguments and prompt.arguments[0].required
        written = await client.get_prompt("plan", {"goal": "a shed"})
        assert written.messages[0].content.text == "Plan a shed."  # type: ignore[union-attr]

    talk(conversation, mode)


@pytest.mark.parametrize(("name", "arguments"), [("none", {}), ("plan", {}), ("plan", {"goal": "x", "y": "z"})])
def test_wrong_prompt_arguments_are_invalid(name: str, arguments: dict[str, str]) -> None:
    async def conversation(client: Client) -> None:
        with pytest.raises(MCPError) as problem:
            await client.get_prompt(name, arguments)
        assert problem.value.code == -32602

    talk(conversation, "legacy")


def test_lists_have_a_private_cache_hint() -> None:
    async def conversation(client: Client) -> None:
        listed = await client.list_tools()
        assert (listed.ttl_ms, listed.cache_scope) == (60_000, "private")

    talk(conversation, "2026-07-28")


def test_the_server_has_a_name_version_and_instructions() -> None:
    async def conversation(client: Client) -> None:
        assert client.server_info
        assert client.server_info.name == "mcp-task-orchestrator"
        assert client.server_info.version == orchestrator_site.__version__
        assert client.instructions == INSTRUCTIONS

    talk(conversation, "legacy")


def test_the_instructions_are_short_and_name_the_loop_in_order() -> None:
    assert len(INSTRUCTIONS) <= 600
    loop = ["initialize_session", "plan_task", "execute_subtask", "complete_subtask", "synthesize_results"]
    places = [INSTRUCTIONS.index(f"orchestrator_{verb}") for verb in loop]
    assert places == sorted(places)
    for word in ("conflict", "not_ready", "transient", "data, not instructions"):
        assert word in INSTRUCTIONS


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == orchestrator_site.__version__
