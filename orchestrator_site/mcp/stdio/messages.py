"""JSON-RPC as the front needs it: what a line is, whether it may be sent twice, and what to say when nobody can answer.

Standard library only, like everything in this package.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603

MODERN_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION_ID_KEY = "io.modelcontextprotocol/subscriptionId"
LISTEN = "subscriptions/listen"

# Requests that change nothing, so that sending one twice does no harm.
PURE_METHODS = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
    }
)
PURE_TOOLS = frozenset(
    {
        "orchestrator_get_status",
        "orchestrator_list_artifacts",
        "orchestrator_read_artifact",
        "orchestrator_search",
        "orchestrator_synthesize_results",
    }
)

Key = tuple[type, Any]
"""An id as a key: 7 and "7" are different ids."""


class Malformed(Exception):
    """A line that is no message; `answer` is what its sender gets."""

    def __init__(self, code: int, message: str, id: Any = None) -> None:
        super().__init__(message)
        self.answer = error(id, code, message)


class Message:
    """One line of the client, understood as far as the front needs it."""

    __slots__ = ("body", "line")

    def __init__(self, line: bytes, body: dict[str, Any]) -> None:
        self.line = line
        self.body = body

    @property
    def id(self) -> Any:
        """The id of a request or a response."""
        return self.body.get("id")

    @property
    def key(self) -> Key:
        """The id as a key of a dict."""
        return key_of(self.id)

    @property
    def method(self) -> str:
        """The method, or the empty string for a response."""
        method: str = self.body.get("method", "")
        return method

    @property
    def params(self) -> dict[str, Any]:
        """The parameters where they are an object, else none."""
        params = self.body.get("params")
        return params if isinstance(params, dict) else {}

    @property
    def is_request(self) -> bool:
        """Whether it wants an answer."""
        return "method" in self.body and "id" in self.body

    @property
    def is_modern(self) -> bool:
        """Whether it carries the envelope of the protocol without a handshake."""
        meta = self.params.get("_meta")
        return isinstance(meta, dict) and MODERN_VERSION_KEY in meta

    @property
    def may_be_sent_twice(self) -> bool:
        """Whether a second run cannot change more than the first: a pure read, or a call with an idempotency key."""
        if self.method != "tools/call":
            return self.method in PURE_METHODS
        arguments = self.params.get("arguments")
        keyed = isinstance(arguments, dict) and bool(arguments.get("idempotency_key"))
        return keyed or self.params.get("name") in PURE_TOOLS

    def with_id(self, id: str) -> bytes:
        """Return the same message under another id."""
        return encode({**self.body, "id": id})


def key_of(id: Any) -> Key:
    """Make a key of an id."""
    return (type(id), id)


def parse(line: bytes) -> Message:
    """Understand one line of the client.

    Raises Malformed where it is not one JSON-RPC 2.0 message.
    """
    body = _object(line)
    id = body.get("id")
    if "id" in body and (isinstance(id, bool) or not isinstance(id, int | str)):
        raise Malformed(INVALID_REQUEST, "Invalid request: id must be a string or an integer.")
    if body.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, 'Invalid request: jsonrpc must be "2.0".', id)
    if not isinstance(body.get("method", ""), str):
        raise Malformed(INVALID_REQUEST, "Invalid request: method must be a string.", id)
    if "method" not in body and not ("id" in body and ("result" in body or "error" in body)):
        raise Malformed(INVALID_REQUEST, "Invalid request: it has no method.", id)
    return Message(line, body)


def _object(line: bytes) -> dict[str, Any]:
    try:
        body = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Malformed(PARSE_ERROR, "Parse error: the line is not valid JSON in UTF-8.") from problem
    if not isinstance(body, dict):
        raise Malformed(INVALID_REQUEST, "Invalid request: a message is one JSON object; batches are not served.")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def encode(body: dict[str, Any]) -> bytes:
    """Write a message as one line."""
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def error(id: Any, code: int, message: str, data: dict[str, Any] | None = None) -> bytes:
    """Write a JSON-RPC error as one line."""
    facts: dict[str, Any] = {"code": code, "message": message}
    if data:
        facts["data"] = data
    return encode({"jsonrpc": "2.0", "id": id, "error": facts})


def too_long(limit: int) -> bytes:
    """Answer a line that was thrown away for its length."""
    return error(None, INVALID_REQUEST, f"Invalid request: a line may have at most {limit} bytes.")


def interrupted(message: Message) -> bytes:
    """Answer a request whose worker ended before it answered, and which must not be sent twice."""
    return _transient(
        message,
        "The server stopped while this call ran, so its outcome is not known; it runs again now.",
        "Look at the state with orchestrator_get_status, then send the call again if it had no effect. "
        "A call with an idempotency_key is answered truly even then.",
        retry_after_ms=1000,
    )


def unavailable(message: Message, retry_after_ms: int) -> bytes:
    """Answer a request while no worker can be started."""
    return _transient(
        message,
        "The server cannot start at the moment and tries again by itself; its log on standard error says why.",
        "Send the same call again later.",
        retry_after_ms=retry_after_ms,
    )


def _transient(message: Message, text: str, next: str, *, retry_after_ms: int) -> bytes:
    facts: dict[str, Any] = {
        "code": "transient",
        "message": text,
        "next": next,
        "details": {"retry_after_ms": retry_after_ms},
    }
    if message.method != "tools/call":
        return error(message.id, INTERNAL_ERROR, text, facts)
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": json.dumps(facts, separators=(",", ":"))}],
        "structuredContent": facts,
        "isError": True,
    }
    if message.is_modern:
        result["resultType"] = "complete"
    return encode({"jsonrpc": "2.0", "id": message.id, "result": result})
