"""The product's server with the fixtures of the suite: same class, transport and checks."""

from __future__ import annotations

from typing import Any

import mcp_types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore

from orchestrator_site.mcp.server import Bridge
from tests.conformance import contents, conversations, rounds

Ctx = Context[Any, Any]
RETRY_MS = 100
OWN = "test://"
NO_PROJECT = 0


class FixtureServer(Bridge):
    """Serves what is registered with the SDK, then what is registered with us."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for tool in (*contents.TOOLS, *conversations.TOOLS, *rounds.TOOLS):
            self.add_tool(tool)
        for uri, (read, mime_type) in contents.RESOURCES.items():
            self.resource(uri, mime_type=mime_type)(read)
        for prompt in (*contents.PROMPTS, *rounds.PROMPTS):
            self.add_prompt(Prompt.from_function(prompt))
        schema = self._tool_manager.get_tool("json_schema_2020_12_tool")
        assert schema
        schema.parameters = contents.SCHEMA_2020_12
        # The fixtures publish changed lists on the bus of the product's own streams.
        self._subscriptions = self.subscriptions.of(None).bus
        self._lowlevel_server.add_request_handler("logging/setLevel", mcp_types.SetLevelRequestParams, _accept)

    async def _watchable(self, inner: Any, uri: str) -> int:
        return NO_PROJECT if uri.startswith(OWN) else await super()._watchable(inner, uri)

    async def list_tools(self) -> list[mcp_types.Tool]:
        return [*await MCPServer.list_tools(self), *await super().list_tools()]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Ctx | None = None) -> Any:
        own = self._tool_manager.get_tool(name)
        return await (MCPServer if own else Bridge).call_tool(self, name, arguments, context)

    async def list_resources(self) -> list[mcp_types.Resource]:
        return [*await MCPServer.list_resources(self), *await super().list_resources()]

    async def list_resource_templates(self) -> list[mcp_types.ResourceTemplate]:
        return [*await MCPServer.list_resource_templates(self), *await super().list_resource_templates()]

    async def read_resource(self, uri: Any, context: Ctx | None = None) -> Any:
        own = str(uri).startswith(OWN)
        return await (MCPServer if own else Bridge).read_resource(self, uri, context)

    async def list_prompts(self) -> list[mcp_types.Prompt]:
        return [*await MCPServer.list_prompts(self), *await super().list_prompts()]

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None, context: Ctx | None = None) -> Any:
        own = self._prompt_manager.get_prompt(name)
        return await (MCPServer if own else Bridge).get_prompt(self, name, arguments, context)


async def _accept(context: Any, params: Any) -> mcp_types.EmptyResult:
    """Accept any level: the product logs nothing over the protocol."""
    return mcp_types.EmptyResult()


class Events(EventStore):
    """Remembers messages of streams, so that a client that reconnects gets what it missed."""

    def __init__(self) -> None:
        self._events: list[tuple[str, mcp_types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: mcp_types.JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        number = int(last_event_id)
        if not 0 < number <= len(self._events):
            return None
        stream = self._events[number - 1][0]
        for later, (its_stream, message) in enumerate(self._events[number:], number + 1):
            if its_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(later)))
        return stream
