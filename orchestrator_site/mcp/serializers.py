"""Tools, results and errors as MCP types."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import mcp_types
from mcp.shared.exceptions import MCPError

from orchestrator_site.kernel.errors import Conflict, OrchestratorError, ServerFault
from orchestrator_site.kernel.limits import TEXT_LIMIT
from orchestrator_site.mcp import dispatch, registry
from orchestrator_site.mcp.schema import input_schema

STRUCTURED_CHARS = 8_000
"""Up to which size an answer is sent as structure, too."""
MOST_SHOWN = "anthropic/maxResultSizeChars"
"""Asks Claude Code to show the model more of an answer than it usually does, on a tool and on a result."""


@cache
def described(tool: registry.Tool[Any]) -> mcp_types.Tool:
    # Only what differs from the protocol's defaults; the other hints have no meaning for a read-only tool.
    hints: dict[str, Any] = {"read_only_hint": True}
    if not tool.read_only:
        hints = {"destructive_hint": tool.destructive, "idempotent_hint": tool.idempotent or None}
    return mcp_types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=input_schema(tool.arguments),
        annotations=mcp_types.ToolAnnotations(open_world_hint=False, **hints),
        _meta={MOST_SHOWN: tool.result_chars} if tool.result_chars else None,
    )


def result(outcome: dispatch.Outcome) -> mcp_types.CallToolResult:
    # Some clients show the model only the text, others only the structured content if there is any. So both hold the
    # same facts, and long results have only text.
    text = outcome.text
    return mcp_types.CallToolResult(
        content=[mcp_types.TextContent(type="text", text=text)],
        structured_content=json.loads(text) if len(text) <= STRUCTURED_CHARS else None,
        is_error=outcome.is_error,
        _meta={MOST_SHOWN: registry.LONG_ANSWER} if len(text) > STRUCTURED_CHARS else None,
    )


def check_prompt_arguments(prompt: registry.Prompt, given: dict[str, Any]) -> None:
    allowed = [name for name, _, _ in prompt.arguments]
    missing = [name for name, _, required in prompt.arguments if required and not given.get(name)]
    unknown = sorted(set(given) - set(allowed))
    long = [f"takes at most {TEXT_LIMIT:,} characters" for value in given.values() if len(value) > TEXT_LIMIT]
    if missing or unknown or long:
        what = (
            f"is missing {missing[0]!r}" if missing else f"does not take {unknown[0][:100]!r}" if unknown else long[0]
        )
        raise MCPError(
            mcp_types.INVALID_PARAMS, f"The prompt {prompt.name} {what}.", {"code": "invalid", "allowed": allowed}
        )


def protocol_error(error: OrchestratorError) -> MCPError:
    """Return an error for requests whose results cannot report one."""
    is_ours = isinstance(error, ServerFault | Conflict)
    code = mcp_types.INTERNAL_ERROR if is_ours else mcp_types.INVALID_PARAMS
    return MCPError(code, error.message, error.as_dict(dispatch.HINTS))
