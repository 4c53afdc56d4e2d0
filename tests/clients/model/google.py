"""Google's generateContent, as Gemini CLI uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clients.model.dialect import INPUT_TOKENS, OUTPUT_TOKENS, Answer, text_of
from tests.clients.model.script import Conversation, Json, Result, Turn

USAGE = {
    "promptTokenCount": INPUT_TOKENS,
    "candidatesTokenCount": OUTPUT_TOKENS,
    "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
}
# Before its first turn Gemini CLI asks which model should answer, and wants that as JSON.
CHOICE = {"reasoning": "scripted", "model_choice": "flash", "complexity_reasoning": "scripted", "complexity_score": 1}


class GenerateContent:
    """POST …:generateContent and …:streamGenerateContent."""

    def read(self, body: Json) -> Conversation:
        parts = [part for content in body["contents"] for part in content.get("parts") or []]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        groups = [tool.get("functionDeclarations") or [] for tool in body.get("tools") or []]
        offered = [function["name"] for group in groups for function in group]
        results = [Result(answer["name"], _text(answer["response"])) for answer in answers]
        return Conversation(offered, results, opening=text_of([part for part in parts if "text" in part]))

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        wants_json = body.get("generationConfig", {}).get("responseMimeType") == "application/json"
        parts = [{"text": json.dumps(CHOICE)}] if wants_json else list(_parts(turn))
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
        response = {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "scripted"}
        return Answer.events([response], named=False) if "stream" in path else Answer.json(response)


def _text(response: Any) -> str:
    output = response.get("output", response)
    return output if isinstance(output, str) else json.dumps(output)


def _parts(turn: Turn) -> Iterator[Json]:
    if turn.text:
        yield {"text": turn.text}
    if turn.tool:
        yield {"functionCall": {"name": turn.tool, "args": turn.arguments}}
