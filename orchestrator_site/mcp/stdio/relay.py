"""Passes lines between the client and the current worker, and remembers what a new worker needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock
from typing import Any

from orchestrator_site.mcp.stdio import messages
from orchestrator_site.mcp.stdio.framing import RECEIPT, LineWriter, log
from orchestrator_site.mcp.stdio.messages import Key, Malformed, Message
from orchestrator_site.mcp.stdio.process import Worker

REPLAYED_HANDSHAKE = "orchestrator-replayed-handshake"
# Only these can open a session, which must end with the connection.
_CALLS = frozenset({"tools/call", "resources/read", "prompts/get"})


class Pending:
    __slots__ = ("is_acknowledged", "is_begun", "is_retry", "message", "worker")

    def __init__(self, message: Message, worker: Worker | None) -> None:
        self.message = message
        self.worker = worker
        self.is_begun = False
        self.is_retry = False
        self.is_acknowledged = False

    @property
    def is_listening(self) -> bool:
        """Whether it is a subscription, which stays open as long as the connection."""
        return self.message.method == messages.LISTEN

    def may_go_to_another_worker(self) -> bool:
        """Whether it may be sent to the next worker: if it was not begun yet, or once more if that is harmless."""
        if not self.is_begun or self.is_listening:
            return True
        return self.message.may_be_sent_twice and not self.is_retry


class Relay:
    """Passes lines both ways. It is thread-safe, and holds no lock while it writes to a pipe."""

    def __init__(self, client: LineWriter, when_idle: Callable[[], None]) -> None:
        self._client = client
        self._when_idle = when_idle
        self._lock = Lock()
        self._worker: Worker | None = None
        self._pending: dict[Key, Pending] = {}
        self._initialize: Message | None = None
        self._initialized: Message | None = None
        self._asked: set[Key] = set()
        self._retry_after_ms = 0
        self._is_lasting = False
        self.has_called = False

    # From the client

    def from_client(self, line: bytes) -> None:
        try:
            message = messages.parse(line)
        except Malformed as problem:
            self._client.send(problem.answer)
            return
        if message.is_request:
            self._take_request(message)
        elif message.method:
            self._take_notification(message)
        else:
            self._take_response(message)

    def _take_request(self, message: Message) -> None:
        with self._lock:
            retry_after_ms, is_lasting, worker = self._retry_after_ms, self._is_lasting, self._worker
            if not retry_after_ms:
                self._pending[message.key] = Pending(message, worker)
                self.has_called = self.has_called or message.method in _CALLS
                if message.method == "initialize":
                    self._initialize = message
        if retry_after_ms:
            self._client.send(messages.unavailable(message, retry_after_ms, is_lasting=is_lasting))
        elif worker:
            worker.send(message.line)

    def _take_notification(self, message: Message) -> None:
        with self._lock:
            worker = self._worker
            if message.method == "notifications/initialized":
                self._initialized = message
            elif message.method == "notifications/cancelled":
                # A cancelled request gets no response.
                cancelled = self._pending.pop(messages.key_of(message.params.get("requestId")), None)
                worker = cancelled.worker if cancelled else None
        if worker:
            worker.send(message.line)
        self._notify_if_idle()

    def _take_response(self, message: Message) -> None:
        with self._lock:
            worker = self._worker if message.key in self._asked else None
            self._asked.discard(message.key)
        if worker:
            worker.send(message.line)

    # From a worker

    def from_worker(self, worker: Worker, line: bytes) -> None:
        """Handle a line from a worker; what is not a message goes to standard error, not to the client."""
        try:
            body = json.loads(line)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and RECEIPT in body:
            with self._lock:
                if begun := self._pending.get(messages.key_of(body[RECEIPT])):
                    begun.is_begun = True
        elif not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
            log(f"stray output of the worker: {line[:500]!r}")
        elif self._concerns_client(worker, body):
            self._client.send(line)
        self._notify_if_idle()

    def _concerns_client(self, worker: Worker, body: dict[str, Any]) -> bool:
        with self._lock:
            if "method" in body:
                return self._concerns_client_unasked(body)
            if body.get("id") == REPLAYED_HANDSHAKE:
                return False
            worker.is_useful = True
            answered = self._pending.pop(messages.key_of(body.get("id")), None)
            if answered and answered.message is self._initialize and "error" in body:
                self._initialize = None
            return True

    def _concerns_client_unasked(self, body: dict[str, Any]) -> bool:
        if "id" in body:
            self._asked.add(messages.key_of(body["id"]))
        if body["method"] != "notifications/subscriptions/acknowledged":
            return True
        params = body.get("params") or {}
        subscription = self._pending.get(messages.key_of((params.get("_meta") or {}).get(messages.SUBSCRIPTION_ID_KEY)))
        if subscription is None:
            return True
        # A new worker acknowledges it again, but the client must see only the first acknowledgement.
        is_news, subscription.is_acknowledged = not subscription.is_acknowledged, True
        return is_news

    # The life of workers

    def adopt(self, worker: Worker) -> None:
        """Switch to a worker, beginning with the handshake and the requests that still wait."""
        worker.send_first(lambda: self._introduce(worker))

    def _introduce(self, worker: Worker) -> list[bytes]:
        with self._lock:
            self._worker = worker
            self._retry_after_ms = 0
            self._asked.clear()
            waiting = [entry for entry in self._pending.values() if entry.worker is None]
            for entry in waiting:
                entry.worker = worker
            lines = [entry.message.line for entry in waiting]
            handshake: list[bytes] = []
            if self._initialize and self._initialize.line in lines:
                lines.remove(self._initialize.line)
                handshake.append(self._initialize.line)
            elif self._initialize:
                handshake.append(self._initialize.with_id(REPLAYED_HANDSHAKE))
            if self._initialized:
                handshake.append(self._initialized.line)
            return handshake + lines

    def lose(self, worker: Worker) -> None:
        """Take back the requests of a worker that ended, and answer those that must not be sent again."""
        with self._lock:
            self._worker = None
            lost = [entry for entry in self._pending.values() if entry.worker is worker]
            unsafe = [entry.message for entry in lost if not entry.may_go_to_another_worker()]
            for message in unsafe:
                del self._pending[message.key]
            for entry in lost:
                entry.worker = None
                entry.is_retry = entry.is_retry or entry.is_begun
                entry.is_begun = False
        for message in unsafe:
            self._client.send(messages.interrupted(message))
        self._notify_if_idle()

    def suspend(self, retry_after_ms: int, *, is_lasting: bool = False) -> None:
        """Answer all requests, also those that wait, with an error until a worker is adopted again."""
        with self._lock:
            self._retry_after_ms, self._is_lasting = retry_after_ms, is_lasting
            waiting = [entry.message for entry in self._pending.values() if not entry.is_listening]
            for message in waiting:
                del self._pending[message.key]
        for message in waiting:
            self._client.send(messages.unavailable(message, retry_after_ms, is_lasting=is_lasting))
        self._notify_if_idle()

    # The end

    @property
    def is_idle(self) -> bool:
        with self._lock:
            return all(entry.is_listening for entry in self._pending.values())

    def _notify_if_idle(self) -> None:
        if self.is_idle:
            self._when_idle()
