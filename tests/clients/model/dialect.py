"""What every vendor's API has in common: how to read a request and how to write an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from tests.clients.model.script import Conversation, Json, Turn

# Clients only show and add these up.
INPUT_TOKENS = 1000
OUTPUT_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an HTTP answer."""

    media_type: str
    body: str

    @classmethod
    def json(cls, value: Json) -> Answer:
        return cls("application/json", json.dumps(value))

    @classmethod
    def events(cls, events: Iterable[Json], *, named: bool = True) -> Answer:
        """Server-Sent Events; where they are `named`, by the type of each."""
        pairs = ((f"event: {event['type']}\n" if named else "", event) for event in events)
        return cls("text/event-stream", "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in pairs))


class Dialect(Protocol):
    """One vendor's API."""

    def read(self, body: Json) -> Conversation:
        """Return what was offered and shown."""

    def write(self, turn: Turn, body: Json, path: str) -> Answer:
        """Return the turn as this request wants it, in one piece or as a stream."""


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex[:20]}"


def text_of(content: Any) -> str:
    """Return the text of a content that is one text, or a list of blocks."""
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content or [] if "text" in block)
