"""OpenAI's Responses API, as Codex uses it.

To some models it offers the tools of a server as one namespace; to most a single tool, which runs the JavaScript that
they write ("code mode"). Those see of a server only the beginning of its instructions, and look for its tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain

from tests.clients.model.dialect import INPUT_TOKENS, OUTPUT_TOKENS, Answer, new_id, text_of
from tests.clients.model.script import Conversation, Json, Result, Turn

USAGE = {
    "input_tokens": INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


CALLS = ("function_call", "custom_tool_call")
OUTPUTS = ("function_call_output", "custom_tool_call_output")
CODE_TOOL = "exec"
CODE = """\
const found = ALL_TOOLS.find((tool) => tool.name.endsWith("%s"));
const result = await tools[found.name](%s);
text(result.structuredContent ?? result.content[0].text);
"""
TOOL_IN_CODE = re.compile(r'endsWith\("(\w+)"\)')


class Responses:
    """POST /v1/responses."""

    def read(self, body: Json) -> Conversation:
        items = body["input"]
        names = {item["call_id"]: _called(item) for item in items if item["type"] in CALLS}
        results = [Result(names[item["call_id"]], text_of(item["output"])) for item in items if item["type"] in OUTPUTS]
        offered = [name for _, name in _tools(body)]
        opening = "\n".join(text_of(item["content"]) for item in items if item.get("role") == "user")
        return Conversation(offered, results, writes_code=CODE_TOOL in offered, opening=opening)

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        output = list(_output(turn, {name: namespace for namespace, name in _tools(body)}))
        response = {"id": new_id("resp"), "object": "response", "status": "completed", "output": output, "usage": USAGE}
        return Answer.events(_events(response)) if body.get("stream") else Answer.json(response)


def _called(call: Json) -> str:
    """Name the tool that was called, be it from code."""
    found = TOOL_IN_CODE.search(call.get("input", ""))
    return found[1] if found else call["name"]


def _tools(body: Json) -> Iterator[tuple[str, str]]:
    """Return the name and namespace of every tool on offer."""
    added = [item["tools"] for item in body["input"] if item["type"] == "additional_tools"]
    for tool in chain(body.get("tools") or [], *added):
        if tool["type"] == "namespace":
            yield from ((tool["name"], inner["name"]) for inner in tool["tools"])
        elif "name" in tool:
            yield "", tool["name"]


def _output(turn: Turn, namespaces: dict[str, str]) -> Iterator[Json]:
    if turn.text:
        text = {"type": "output_text", "text": turn.text, "annotations": []}
        yield {"type": "message", "id": new_id("msg"), "role": "assistant", "status": "completed", "content": [text]}
    if turn.tool:
        ids = {"id": new_id("call"), "call_id": new_id("call"), "status": "completed"}
        yield ids | (_code(turn, namespaces) if CODE_TOOL in namespaces else _function(turn, namespaces))


def _function(turn: Turn, namespaces: dict[str, str]) -> Json:
    namespace, arguments = namespaces[turn.tool], json.dumps(turn.arguments)
    return {"type": "function_call", "namespace": namespace, "name": turn.tool, "arguments": arguments}


def _code(turn: Turn, namespaces: dict[str, str]) -> Json:
    code = CODE % (turn.tool, json.dumps(turn.arguments))
    return {"type": "custom_tool_call", "namespace": namespaces[CODE_TOOL], "name": CODE_TOOL, "input": code}


def _events(response: Json) -> Iterator[Json]:
    begun = response | {"status": "in_progress", "output": []}
    yield {"type": "response.created", "response": begun}
    for index, item in enumerate(response["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": response}
