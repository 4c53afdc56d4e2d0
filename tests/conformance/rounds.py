"""Tools of the suite that return questions and are called again with the answers."""

from __future__ import annotations

import json
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Ctx = Context[Any, Any]
STATE = "request-state-nonce"


def _ask(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=50))


def _answer(ctx: Ctx, question: str) -> Any:
    return (ctx.input_responses or {}).get(question)


def _field(answer: Any, field: str) -> Any:
    """Return a field of what the user filled in; None where there is none."""
    return (answer.content or {}).get(field) if isinstance(answer, ElicitResult) else None


async def test_input_required_result_elicitation(ctx: Ctx) -> str | InputRequiredResult:
    """Ask for a name, then greet."""
    name = _field(_answer(ctx, "user_name"), "name")
    if name is None:
        return InputRequiredResult(input_requests={"user_name": _ask("What is your name?", "name")})
    return f"Hello, {name}!"


async def test_input_required_result_sampling(ctx: Ctx) -> str | InputRequiredResult:
    """Ask the client's model."""
    answer = _answer(ctx, "capital_question")
    if not isinstance(answer, CreateMessageResult):
        return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})
    return f"Model said: {getattr(answer.content, 'text', '')}"


async def test_input_required_result_list_roots(ctx: Ctx) -> str | InputRequiredResult:
    """Ask for the client's roots."""
    answer = _answer(ctx, "client_roots")
    if not isinstance(answer, ListRootsResult):
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return f"The client has {len(answer.roots)} root(s)."


async def test_input_required_result_request_state(ctx: Ctx) -> str | InputRequiredResult:
    """Have a state come back with the answer."""
    if _answer(ctx, "confirm") and ctx.request_state == STATE:
        return "state-ok: confirmed"
    return InputRequiredResult(input_requests={"confirm": _ask("Please confirm", "ok", "boolean")}, request_state=STATE)


async def test_input_required_result_multiple_inputs(ctx: Ctx) -> str | InputRequiredResult:
    """Ask three questions at once."""
    questions: dict[str, InputRequest] = {
        "user_name": _ask("What is your name?", "name"),
        "greeting": _sample("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if questions.keys() <= (ctx.input_responses or {}).keys():
        return "All three came."
    return InputRequiredResult(input_requests=questions, request_state="three")


async def test_input_required_result_multi_round(ctx: Ctx) -> str | InputRequiredResult:
    """Ask one question after the other, keeping the first answer in the state."""
    known = json.loads(ctx.request_state or "{}")
    if (color := _field(_answer(ctx, "step2"), "color")) and "name" in known:
        return f"{known['name']} likes {color}."
    if name := _field(_answer(ctx, "step1"), "name"):
        return InputRequiredResult(
            input_requests={"step2": _ask("What is your favourite colour?", "color")},
            request_state=json.dumps({"name": name}),
        )
    return InputRequiredResult(
        input_requests={"step1": _ask("What is your name?", "name")}, request_state=json.dumps({"round": 1})
    )


async def test_input_required_result_tampered_state(ctx: Ctx) -> str | InputRequiredResult:
    """Answer what state came back; one that was changed on the way never comes here."""
    if ctx.request_state is None:
        return InputRequiredResult(
            input_requests={"confirm": _ask("Please confirm", "ok", "boolean")}, request_state=STATE
        )
    return f"state-ok: {ctx.request_state}"


async def test_input_required_result_capabilities(ctx: Ctx) -> InputRequiredResult:
    """Ask only what the client can answer."""
    capabilities = ctx.client_capabilities
    questions: dict[str, InputRequest] = {}
    if capabilities is None or capabilities.sampling is not None:
        questions["sample"] = _sample("Say hello")
    if capabilities is None or capabilities.elicitation is not None:
        questions["ask"] = _ask("What is your name?", "name")
    return InputRequiredResult(input_requests=questions, request_state="gated")


TOOLS = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
)


async def test_input_required_result_prompt(ctx: Ctx) -> list[UserMessage] | InputRequiredResult:
    """Ask what the prompt is about, then write it."""
    text = _field(_answer(ctx, "user_context"), "context")
    if text is None:
        return InputRequiredResult(input_requests={"user_context": _ask("What is it about?", "context")})
    return [UserMessage(f"Use this context: {text}")]


PROMPTS = (test_input_required_result_prompt,)
