"""Anthropic's Messages API, as Claude Code uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clients.model.dialect import INPUT_TOKENS, OUTPUT_TOKENS, Answer, new_id, text_of
from tests.clients.model.script import Conversation, Json, Result, Turn

USAGE = {
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}


class Messages:
    """POST /v1/messages."""

    def read(self, body: Json) -> Conversation:
        blocks = [block for message in body["messages"] for block in _blocks(message)]
        names = {block["id"]: block["name"] for block in blocks if block["type"] == "tool_use"}
        results = [
            Result(names[block["tool_use_id"]], text_of(block.get("content")))
            for block in blocks
            if block["type"] == "tool_result"
        ]
        opening = next((text_of(each["content"]) for each in body["messages"] if each["role"] == "user"), "")
        return Conversation([tool["name"] for tool in body.get("tools") or []], results, opening=opening)

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        content = list(_content(turn))
        stop_reason = "tool_use" if turn.tool else "end_turn"
        message = {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": USAGE | turn.usage,
        }
        return Answer.events(_events(message)) if body.get("stream") else Answer.json(message)


class CountTokens:
    """POST /v1/messages/count_tokens."""

    def read(self, body: Json) -> Conversation:
        return Conversation([], [])

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        return Answer.json({"input_tokens": INPUT_TOKENS})


def _blocks(message: Json) -> list[Json]:
    return message["content"] if isinstance(message["content"], list) else []


def _content(turn: Turn) -> Iterator[Json]:
    if turn.text:
        yield {"type": "text", "text": turn.text}
    if turn.tool:
        yield {"type": "tool_use", "id": new_id("toolu"), "name": turn.tool, "input": turn.arguments}


def _events(message: Json) -> Iterator[Json]:
    """Stream a message: it starts empty, its blocks follow in pieces, and how it stopped comes last."""
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        empty, delta = _in_pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _in_pieces(block: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    if block["type"] == "text":
        return block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
    return block | {"input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
