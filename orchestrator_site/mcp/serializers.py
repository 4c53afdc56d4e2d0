"""How what we say looks in the protocol: tools, results, and errors where the protocol has no result for them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import mcp_types
from mcp.shared.exceptions import MCPError

from orchestrator_site.kernel.errors import Conflict, OrchestratorError, Transient
from orchestrator_site.mcp import dispatch, registry
from orchestrator_site.mcp.hints import HINTS
from orchestrator_site.mcp.schema import input_schema

STRUCTURED_CHARS = 8_000
"""Up to which size an answer is sent as structure, too."""


@cache
def described(tool: registry.Tool) -> mcp_types.Tool:
    return mcp_types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=input_schema(tool.arguments),
        annotations=_annotations(tool),
    )


def _annotations(tool: registry.Tool) -> mcp_types.ToolAnnotations:
    """Say what differs from the protocol's defaults; for a tool that only reads, the rest has no meaning."""
    if tool.read_only:
        return mcp_types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return mcp_types.ToolAnnotations(
        destructive_hint=tool.destructive, idempotent_hint=tool.idempotent or None, open_world_hint=False
    )


def result(outcome: dispatch.Outcome) -> mcp_types.CallToolResult:
    """Say the same facts as text and as structure: some clients show the one only, some the other.

    Long ones are text alone, which all show where there is no structure.
    """
    text = outcome.text
    return mcp_types.CallToolResult(
        content=[mcp_types.TextContent(type="text", text=text)],
        structured_content=json.loads(text) if len(text) <= STRUCTURED_CHARS else None,
        is_error=outcome.is_error,
    )


def check_prompt_arguments(prompt: registry.Prompt, given: dict[str, Any]) -> None:
    allowed = [name for name, _, _ in prompt.arguments]
    missing = [name for name, _, required in prompt.arguments if required and not given.get(name)]
    unknown = sorted(set(given) - set(allowed))
    if missing or unknown:
        what = f"is missing {missing[0]!r}" if missing else f"does not take {unknown[0][:100]!r}"
        raise MCPError(
            mcp_types.INVALID_PARAMS, f"The prompt {prompt.name} {what}.", {"code": "invalid", "allowed": allowed}
        )


def protocol_error(error: OrchestratorError) -> MCPError:
    """Say an error where the protocol has no result for it: the fault is the request's, or it is ours."""
    ours = isinstance(error, Transient | Conflict)
    code = mcp_types.INTERNAL_ERROR if ours else mcp_types.INVALID_PARAMS
    return MCPError(code, error.message, error.as_dict(HINTS))
