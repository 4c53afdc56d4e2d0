"""Tools of the suite that call the client while they run."""

from __future__ import annotations

from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY, SamplingMessage, TextContent
from pydantic import BaseModel, Field

Ctx = Context[Any, Any]
PAUSE_SECONDS = 0.05
# Longer than the client waits before it opens a closed stream again.
AWAY_SECONDS = 0.2


class Answer(BaseModel):
    """One question to the user."""

    response: str = Field(description="The user's answer.")


class Defaults(BaseModel):
    """A question for each plain type, with defaults."""

    name: str = Field(default="John Doe", description="User name")
    age: int = Field(default=30, description="User age")
    score: float = Field(default=95.5, description="User score")
    status: str = Field(
        default="active", description="User status", json_schema_extra={"enum": ["active", "inactive", "pending"]}
    )
    verified: bool = Field(default=True, description="Verification status")


def _titled(*words: str) -> list[Any]:
    return [{"const": word, "title": word.title()} for word in words]


class Choices(BaseModel):
    """A question for each way of writing down a choice; the suite looks for these names."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("low", "medium", "high")})
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["read", "write", "execute"]}}
    )
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled("feature", "bug", "docs")}})
    legacyEnum: str = Field(
        json_schema_extra={"enum": ["small", "medium", "large"], "enumNames": ["Small", "Medium", "Large"]}
    )


async def test_tool_with_logging(ctx: Ctx) -> str:
    """Log while it runs."""
    for step in ("started", "processing data", "completed"):
        await ctx.info(f"Tool execution {step}")
        await anyio.sleep(PAUSE_SECONDS)
    return "Logged three times."


async def test_tool_with_progress(ctx: Ctx) -> str:
    """Report progress while it runs."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        await anyio.sleep(PAUSE_SECONDS)
    meta = ctx.request_context.meta
    return str(meta.get("progress_token") if meta else None)


async def test_sampling(prompt: str, ctx: Ctx) -> str:
    """Have the client's model answer."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    # Related to this request, or it would wait for a stream that may never be opened.
    result = await ctx.session.create_message(messages=[question], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {getattr(result.content, 'text', '')}"


async def test_elicitation(message: str, ctx: Ctx) -> str:
    """Ask the user."""
    return await _asked(ctx, message, Answer)


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
    """Ask the user, with defaults."""
    return await _asked(ctx, "Please provide user information", Defaults)


async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
    """Ask the user to choose."""
    return await _asked(ctx, "Please choose", Choices)


async def _asked(ctx: Ctx, message: str, schema: type[BaseModel]) -> str:
    result = await ctx.elicit(message=message, schema=schema)
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"User response: action={result.action}, content={content}"


async def test_missing_capability(ctx: Ctx) -> str:
    """Refuse a client that cannot sample."""
    capabilities = ctx.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client that samples.",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "The client samples."


async def test_reconnection(ctx: Ctx) -> str:
    """Close the stream of the answer; the client comes back for it."""
    await ctx.info("Before the stream closes")
    await ctx.close_sse_stream()
    await anyio.sleep(AWAY_SECONDS)
    await ctx.info("After the stream closed")
    return "Reconnection test completed"


async def test_trigger_tool_change(ctx: Ctx) -> str:
    """Change the list of tools and change it back."""
    ctx.mcp_server.add_tool(_passing, name="passing")
    ctx.mcp_server.remove_tool("passing")
    await ctx.notify_tools_changed()
    return "The tools changed."


async def test_trigger_prompt_change(ctx: Ctx) -> str:
    """Change the list of prompts and change it back."""
    ctx.mcp_server.add_prompt(Prompt.from_function(lambda: [UserMessage("passing")], name="passing"))
    ctx.mcp_server.remove_prompt("passing")
    await ctx.notify_prompts_changed()
    return "The prompts changed."


def _passing() -> str:
    """Exist for a short time."""
    return "passing"


TOOLS = (
    test_tool_with_logging,
    test_tool_with_progress,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_missing_capability,
    test_reconnection,
    test_trigger_tool_change,
    test_trigger_prompt_change,
)
