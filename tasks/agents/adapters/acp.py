"""Agents that speak the Agent Client Protocol: JSON-RPC, a line for each message, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tasks.agents.adapters import events
from tasks.agents.adapters.base import Conversation, as_prompt, known
from tasks.agents.adapters.events import NOTHING, Event, Reason, Usage
from tasks.agents.adapters.jobs import BOARD, Job, Rights
from tasks.agents.adapters.values import TEXT_LIMIT, Value, cut, line, summary, telling

_INITIALIZE, _OPEN, _PROMPT = 1, 2, 3
_STOPS = {
    "max_turn_requests": Reason.MAX_TURNS,
    "max_tokens": Reason.CONTEXT_FULL,
    "refusal": Reason.DECLINED,
    "cancelled": Reason.INTERRUPTED,
}
_CODES = {-32000: Reason.NO_LOGIN, 401: Reason.NO_LOGIN, 403: Reason.NO_LOGIN, 429: Reason.RATE_LIMITED}
_COMPLAINTS = {
    "429": Reason.RATE_LIMITED,
    "rate limit": Reason.RATE_LIMITED,
    "quota": Reason.RATE_LIMITED,
    "401": Reason.NO_LOGIN,
    "authentication": Reason.NO_LOGIN,
    "no previous sessions": Reason.NO_SESSION,
    "not found: session": Reason.NO_SESSION,
    "invalid session": Reason.NO_SESSION,
}


class AcpConversation(Conversation):
    def __init__(self, job: Job, title: str, *, servers: bool = True, counts: bool = True) -> None:
        super().__init__(job)
        self.title = title
        self._servers = _acp_servers(job) if servers else []
        self._counts = counts
        self._session_id = ""
        self._last_id = _PROMPT
        self._asks: dict[str, tuple[Any, dict[str, str]]] = {}
        self._calls: dict[str, tuple[str, str]] = {}
        self._open: set[str] = set()
        self._said: list[str] = []
        self._spoken = ""
        self._usage = NOTHING

    @property
    def takes_messages(self) -> bool:
        return self.ended and not self._has_failed

    def opening(self) -> list[bytes]:
        able = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        client = {"name": "mcp-task-orchestrator", "version": "2"}
        parameters = {"protocolVersion": 1, "clientCapabilities": able, "clientInfo": client}
        return [_request(_INITIALIZE, "initialize", parameters)]

    def message(self, text: str) -> list[bytes]:
        if not self.takes_messages:
            return super().message(text)
        self._last_id += 1
        self._end = None
        return [self._prompt(self._last_id, text)]

    def interrupt(self) -> list[bytes]:
        return [_notification("session/cancel", {"sessionId": self._session_id})] if self._session_id else []

    def answer(self, ask_id: str, *, allow: bool, reason: str = "") -> list[bytes]:
        if ask_id not in self._asks:
            return super().answer(ask_id, allow=allow, reason=reason)
        request_id, options = self._asks.pop(ask_id)
        option = options.get("allow_once" if allow else "reject_once")
        outcome = {"outcome": "selected", "optionId": option} if option else {"outcome": "cancelled"}
        return [line({"jsonrpc": "2.0", "id": request_id, "result": {"outcome": outcome}})]

    def _prompt(self, request_id: int, text: str) -> bytes:
        content = [{"type": "text", "text": as_prompt(text)}]
        return _request(request_id, "session/prompt", {"sessionId": self._session_id, "prompt": content})

    def _read(self, message: Value) -> Iterator[Event]:
        if "method" not in message:
            yield from self._read_response(message)
        elif message["method"].text == "session/update":
            yield from self._read_update(message["params"]["update"])
        elif message["method"].text == "session/request_permission":
            yield from self._read_ask(message["id"].raw, message["params"])
        elif "id" in message:
            error = {"code": -32601, "message": "This client cannot do that."}
            yield events.Send((line({"jsonrpc": "2.0", "id": message["id"].raw, "error": error}),))

    # Responses to what we asked

    def _read_response(self, message: Value) -> Iterator[Event]:
        request_id, result = message["id"].count, message["result"]
        self._last_id = max(self._last_id, request_id)
        if "error" in message:
            yield from self._flush()
            yield _failure(message["error"])
        elif request_id == _INITIALIZE:
            yield events.Send((self._open_session(),))
        elif request_id == _OPEN:
            self._session_id = result["sessionId"].text or self.job.session_id
            yield events.Started(self._session_id, result["models"]["currentModelId"].text)
            yield events.Turn()
            first = "\n\n".join(filter(None, (self.job.rules, self.job.brief)))
            yield events.Send((self._prompt(_PROMPT, first),))
        elif reason := result["stopReason"].text:
            yield from self._flush()
            yield from self._add(result)
            why = Reason.DONE if reason == "end_turn" else _STOPS.get(reason, Reason.ERROR)
            yield events.Ended(why is Reason.DONE, why, self._spoken)

    def _open_session(self) -> bytes:
        parameters: dict[str, Any] = {"cwd": str(self.job.worktree), "mcpServers": self._servers}
        if not self.job.resume:
            return _request(_OPEN, "session/new", parameters)
        return _request(_OPEN, "session/load", parameters | {"sessionId": self.job.session_id})

    def _add(self, result: Value) -> Iterator[Event]:
        counted, quota = result["usage"], result["_meta"]["quota"]["token_count"]
        used = Usage(
            counted["inputTokens"].count + counted["cachedReadTokens"].count or quota["input_tokens"].count,
            counted["outputTokens"].count or quota["output_tokens"].count,
            counted["cachedReadTokens"].count,
        )
        if self._counts and used != NOTHING:
            self._usage = self._usage.plus(used)
            yield self._usage

    # What the agent tells

    def _read_update(self, update: Value) -> Iterator[Event]:
        kind = update["sessionUpdate"].text
        if self.ended and kind == "tool_call":
            yield events.Turn()  # another supervisor sent it a message
        match kind:
            case "agent_message_chunk":
                yield from self._hear(update["content"]["text"].text)
            case "tool_call" | "tool_call_update":
                yield from self._flush()
                yield from self._read_call(update)
            case "usage_update":
                yield self._measure(update)

    def _hear(self, text: str) -> Iterator[Event]:
        """Put the pieces of a message together, which come word by word."""
        if text:
            self._said.append(text)
        if sum(map(len, self._said)) > TEXT_LIMIT:
            yield from self._flush()

    def _flush(self) -> Iterator[Event]:
        if text := cut("".join(self._said)).strip():
            self._spoken = text
            yield events.Said(text)
        self._said.clear()

    def _read_call(self, call: Value) -> Iterator[Event]:
        call_id, status = call["toolCallId"].text, call["status"].text
        ended = status in ("completed", "failed")
        if call["sessionUpdate"].text == "tool_call" and not ended:
            self._calls[call_id] = _shown(call)
        if call_id not in self._calls:
            return  # of the time before the session was resumed
        if status != "pending" or telling(call["rawInput"]):  # OpenCode does not know the input at first
            yield from self._open_call(call)
        if ended:
            self._close_call(call_id)
            yield events.ToolResult(call_id, status == "failed", _content(call))
            yield events.Turn()  # it does not say when the model is asked again: after each result

    def _open_call(self, call: Value) -> Iterator[Event]:
        call_id, shown = call["toolCallId"].text, _shown(call)
        announced = self._calls.setdefault(call_id, shown)
        if call_id not in self._open:
            self._open.add(call_id)
            yield events.ToolUse(call_id, shown[0] or announced[0], shown[1] or announced[1])

    def _close_call(self, call_id: str) -> None:
        self._calls.pop(call_id, None)
        self._open.discard(call_id)

    def _measure(self, update: Value) -> Usage:
        cost = update["cost"]
        self._usage = Usage(
            self._usage.read_tokens,
            self._usage.written_tokens,
            self._usage.cached_tokens,
            cost["amount"].number if cost["currency"].text == "USD" else self._usage.cost_usd,
            update["used"].count,
            update["size"].count or None,
        )
        return self._usage

    def _read_ask(self, request_id: Any, parameters: Value) -> Iterator[Event]:
        yield from self._flush()
        call, ask_id = parameters["toolCall"], cut(json.dumps(request_id))
        yield from self._open_call(call)
        options = {option["kind"].text: option["optionId"].text for option in parameters["options"]}
        self._asks[ask_id] = (request_id, options)
        if self.job.rights is Rights.ASK:
            yield events.Asks(ask_id, *_shown(call))
            return
        yield events.Send(tuple(self.answer(ask_id, allow=self.job.rights is Rights.BYPASS)))
        if self.job.rights is Rights.DENY:
            yield events.Denied(*_shown(call))


def _acp_servers(job: Job) -> list[dict[str, Any]]:
    if job.board is None:
        return []
    headers = [{"name": name, "value": value} for name, value in job.board.headers.items()]
    return [{"type": "http", "name": BOARD, "url": job.board.url, "headers": headers}]


def _request(request_id: int, method: str, parameters: dict[str, Any]) -> bytes:
    return line({"jsonrpc": "2.0", "id": request_id, "method": method, "params": parameters})


def _notification(method: str, parameters: dict[str, Any]) -> bytes:
    return line({"jsonrpc": "2.0", "method": method, "params": parameters})


def _failure(error: Value) -> events.Ended:
    details = error["data"]["details"].text or error["data"]["message"].text or error["data"].text
    text = ": ".join(filter(None, (error["message"].text, details)))
    code = error["code"].raw if isinstance(error["code"].raw, int) else 0
    return events.Ended(False, _CODES.get(code) or known(text, _COMPLAINTS) or Reason.MODEL_FAILED, text)


def _shown(call: Value) -> tuple[str, str]:
    return call["title"].text or call["kind"].text, summary(call["rawInput"])


def _content(call: Value) -> str:
    return cut("\n".join(filter(None, (part["content"]["text"].text or part["path"].text for part in call["content"]))))
