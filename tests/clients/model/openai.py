"""OpenAI's Responses API, as Codex uses it: the tools of a server are one namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.clients.model.dialect import INPUT_TOKENS, OUTPUT_TOKENS, Answer, new_id, text_of
from tests.clients.model.script import Conversation, Json, Result, Turn

USAGE = {
    "input_tokens": INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


class Responses:
    """POST /v1/responses."""

    def read(self, body: Json) -> Conversation:
        items = body["input"]
        names = {item["call_id"]: item["name"] for item in items if item["type"] == "function_call"}
        results = [
            Result(names[item["call_id"]], text_of(item["output"]))
            for item in items
            if item["type"] == "function_call_output"
        ]
        return Conversation([name for _, name in _tools(body)], results)

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        output = list(_output(turn, {name: namespace for namespace, name in _tools(body)}))
        response = {"id": new_id("resp"), "object": "response", "status": "completed", "output": output, "usage": USAGE}
        return Answer.events(_events(response)) if body.get("stream") else Answer.json(response)


def _tools(body: Json) -> Iterator[tuple[str, str]]:
    """Name every tool that is offered, and the namespace that it stands in."""
    for tool in body.get("tools") or []:
        if tool["type"] == "namespace":
            yield from ((tool["name"], inner["name"]) for inner in tool["tools"])
        elif "name" in tool:
            yield "", tool["name"]


def _output(turn: Turn, namespaces: dict[str, str]) -> Iterator[Json]:
    if turn.text:
        text = {"type": "output_text", "text": turn.text, "annotations": []}
        yield {"type": "message", "id": new_id("msg"), "role": "assistant", "status": "completed", "content": [text]}
    if turn.tool:
        yield {
            "type": "function_call",
            "id": new_id("fc"),
            "call_id": new_id("call"),
            "namespace": namespaces[turn.tool],
            "name": turn.tool,
            "arguments": json.dumps(turn.arguments),
            "status": "completed",
        }


def _events(response: Json) -> Iterator[Json]:
    begun = response | {"status": "in_progress", "output": []}
    yield {"type": "response.created", "response": begun}
    for index, item in enumerate(response["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": response}
