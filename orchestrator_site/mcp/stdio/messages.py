"""The parts of JSON-RPC that the proxy needs. Standard library only, like the proxy itself."""

from __future__ import annotations

import json
import re

from orchestrator_site.kernel.bodies import Excess, NotUtf8, check_cost, check_size

TYPE_CHECKING = False  # as `typing` has it, whose import costs the proxy a tenth of its start
if TYPE_CHECKING:
    from typing import Any, NoReturn

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603

MODERN_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION_ID_KEY = "io.modelcontextprotocol/subscriptionId"
LISTEN = "subscriptions/listen"
SUBSCRIBE = "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"
RESTART_TOOL = "orchestrator_restart_server"

# Requests that change nothing, so that sending one twice is harmless.
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
        "orchestrator_health_check",
        "orchestrator_search",
        "orchestrator_shutdown_prepare",
        "orchestrator_specialist_intelligence",
        "orchestrator_synthesize_results",
    }
)

Key = tuple[type, object]
"""An id as a key: 7 and "7" are different ids."""


class Malformed(Exception):
    """A line that is not a message; `answer` is the response to it."""

    def __init__(self, code: int, message: str, id: Any = None) -> None:
        super().__init__(message)
        self.answer = error(id, code, message)


_ID = rb'"id"\s*:\s*("[^"\\]*"|-?\d+)'
_PLAIN = rb'"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"'
_FIRST = rb"\s*\{\s*(?:" + _PLAIN + rb"\s*,\s*)*" + _ID
_LAST = _ID + rb"\s*(?:,\s*" + _PLAIN + rb"\s*)*\}\s*$"
_LOOKED_AT = 500
_NOT_JSON = "Parse error: the line is not valid JSON in UTF-8."


class TooLarge(Malformed):
    """A line that costs too much to be parsed. Its id is looked for at both ends, where clients write it."""

    def __init__(self, line: bytes, excess: Excess) -> None:
        found = re.match(_FIRST, line[:_LOOKED_AT]) or re.search(_LAST, line[-_LOOKED_AT:])
        super().__init__(INVALID_REQUEST, f"Invalid request: the line has {excess}.")
        data = {"code": "too_large", "details": excess.limit}
        id = json.loads(found[1]) if found else None
        self.answer = error(id, INVALID_REQUEST, f"Invalid request: the line has {excess}.", data)


class Message:
    """A line from the client, parsed as far as the proxy needs it."""

    __slots__ = ("body", "id", "is_request", "key", "line", "method", "params")

    def __init__(self, line: bytes, body: dict[str, Any]) -> None:
        self.line = line
        self.body = body
        self.id: Any = body.get("id")
        self.key = key_of(self.id)
        self.method: str = body.get("method", "")
        self.params: dict[str, Any] = body["params"] if isinstance(body.get("params"), dict) else {}
        self.is_request = "method" in body and "id" in body

    @property
    def is_modern(self) -> bool:
        """Whether it belongs to the protocol without a handshake."""
        meta = self.params.get("_meta")
        return isinstance(meta, dict) and MODERN_VERSION_KEY in meta

    @property
    def may_be_sent_twice(self) -> bool:
        """Whether it is a read, or a call with an idempotency key."""
        if self.method != "tools/call":
            return self.method in PURE_METHODS
        arguments = self.params.get("arguments")
        keyed = isinstance(arguments, dict) and bool(arguments.get("idempotency_key"))
        return keyed or self.params.get("name") in PURE_TOOLS

    @property
    def asks_for_restart(self) -> bool:
        return self.method == "tools/call" and self.params.get("name") == RESTART_TOOL

    def with_id(self, id: str) -> bytes:
        return encode({**self.body, "id": id})


def key_of(id: Any) -> Key:
    return (type(id), id)


def check_line(line: bytes) -> None:
    """Check what a line costs before it is parsed. Raises Malformed, TooLarge where it costs too much."""
    try:
        check_cost(line)
    except Excess as excess:
        raise TooLarge(line, excess) from excess
    except NotUtf8 as problem:
        raise Malformed(PARSE_ERROR, _NOT_JSON) from problem


def parse(line: bytes) -> Message:
    check_line(line)
    try:
        body = json.loads(line.decode("utf-8"), parse_constant=_reject_constant)
        check_size(line, body)
    except Excess as excess:
        raise TooLarge(line, excess) from excess
    except (ValueError, RecursionError) as problem:
        raise Malformed(PARSE_ERROR, _NOT_JSON) from problem
    if not isinstance(body, dict):
        raise Malformed(INVALID_REQUEST, "Invalid request: a message must be a JSON object; batches are not supported.")
    id = body.get("id")
    if "id" in body and (isinstance(id, bool) or not isinstance(id, int | str)):
        raise Malformed(INVALID_REQUEST, "Invalid request: id must be a string or an integer.")
    if body.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, 'Invalid request: jsonrpc must be "2.0".', id)
    if not isinstance(body.get("method", ""), str):
        raise Malformed(INVALID_REQUEST, "Invalid request: method must be a string.", id)
    if "method" not in body and not ("id" in body and ("result" in body or "error" in body)):
        raise Malformed(INVALID_REQUEST, "Invalid request: method is missing.", id)
    return Message(line, body)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON.")


def encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def error(id: Any, code: int, message: str, data: dict[str, Any] | None = None) -> bytes:
    facts: dict[str, Any] = {"code": code, "message": message}
    if data:
        facts["data"] = data
    return encode({"jsonrpc": "2.0", "id": id, "error": facts})


def list_changed(kind: str, subscription_id: Any = None) -> bytes:
    """Return the notice that a list differs: `tools`, `prompts` or `resources`."""
    params = {} if subscription_id is None else {"params": {"_meta": {SUBSCRIPTION_ID_KEY: subscription_id}}}
    return encode({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed", **params})


def too_long(limit: int) -> bytes:
    data = {"code": "too_large", "details": {"limit_bytes": limit}}
    return error(None, INVALID_REQUEST, f"Invalid request: a line may have at most {limit} bytes.", data)


def interrupted(message: Message) -> bytes:
    return _transient(
        message,
        "The server stopped during this call, so its outcome is unknown; it is running again.",
        "Check the state with orchestrator_get_status, then retry if the call had no effect. "
        "A call with an idempotency_key is safe to retry.",
        retry_after_ms=1000,
    )


def unavailable(message: Message, retry_after_ms: int, *, is_lasting: bool = False) -> bytes:
    if is_lasting:
        return _failure(
            message,
            "unavailable",
            "The server cannot start: its settings or its data folder cannot be used.",
            "Ask the person who runs the server; manage.py doctor, or the log on standard error, says what is wrong.",
        )
    return _transient(
        message,
        "The server cannot start; it keeps trying. Its log on standard error has the reason.",
        "Retry later.",
        retry_after_ms=retry_after_ms,
    )


def _transient(message: Message, text: str, next: str, *, retry_after_ms: int) -> bytes:
    return _failure(message, "transient", text, next, details={"retry_after_ms": retry_after_ms})


def _failure(message: Message, code: str, text: str, next: str, **details: Any) -> bytes:
    facts: dict[str, Any] = {"code": code, "message": text, "next": next, **details}
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
