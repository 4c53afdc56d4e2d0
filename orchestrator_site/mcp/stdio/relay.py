"""Passes lines between the client and the current worker, and remembers what a new worker needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock

from orchestrator_site.mcp.stdio import messages
from orchestrator_site.mcp.stdio.framing import READY, RECEIPT, RESTART, LineWriter, log
from orchestrator_site.mcp.stdio.link import Link
from orchestrator_site.mcp.stdio.messages import Key, Malformed, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REPLAYED = "orchestrator-replayed-"
REPLAYED_HANDSHAKE = f"{REPLAYED}handshake"
# Only these can open a session, which must end with the connection.
_CALLS = frozenset({"tools/call", "resources/read", "prompts/get"})


class Pending:
    __slots__ = ("is_acknowledged", "is_begun", "is_retry", "message", "worker")

    def __init__(self, message: Message, worker: Link | None) -> None:
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

    def __init__(
        self,
        client: LineWriter,
        when_idle: Callable[[], None],
        when_asked: Callable[[Link, dict[str, Any]], None] = lambda worker, wanted: None,
    ) -> None:
        """`when_asked` gets what a worker wants that asks for a restart."""
        self._client = client
        self._when_idle = when_idle
        self._when_asked = when_asked
        self._lock = Lock()
        self._worker: Link | None = None
        self._pending: dict[Key, Pending] = {}
        self._initialize: Message | None = None
        self._initialized: Message | None = None
        self._subscribed: dict[Any, Message] = {}
        self._asked: dict[Key, Link] = {}
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
            worker = self._asked.pop(message.key, None)
        if worker:
            worker.send(message.line)

    # From a worker

    def from_worker(self, worker: Link, line: bytes) -> None:
        """Handle a line from a worker; what is not a message goes to standard error, not to the client."""
        try:
            body = json.loads(line)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and RECEIPT in body:
            with self._lock:
                if begun := self._pending.get(messages.key_of(body[RECEIPT])):
                    begun.is_begun = begun.worker is worker
        elif isinstance(body, dict) and READY in body:
            worker.facts = body[READY]
            worker.has_reported.set()
        elif isinstance(body, dict) and RESTART in body:
            self._when_asked(worker, body[RESTART])
        elif not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
            log(f"stray output of the worker: {line[:500]!r}")
        elif self._concerns_client(worker, body):
            self._client.send(line)
        self._notify_if_idle()

    def _concerns_client(self, worker: Link, body: dict[str, Any]) -> bool:
        with self._lock:
            if "method" in body:
                return self._concerns_client_unasked(worker, body)
            if str(body.get("id")).startswith(REPLAYED):
                return False
            worker.is_useful = True
            key = messages.key_of(body.get("id"))
            answered = self._pending.get(key)
            if answered and answered.worker is not worker:  # a stream that another worker continues
                return False
            if answered:
                del self._pending[key]
                self._note_answer(answered.message, is_error="error" in body)
            return True

    def _note_answer(self, message: Message, *, is_error: bool) -> None:
        if message is self._initialize and is_error:
            self._initialize = None
        elif message.method == messages.SUBSCRIBE and not is_error:
            self._subscribed[message.params.get("uri")] = message
        elif message.method == messages.UNSUBSCRIBE and not is_error:
            self._subscribed.pop(message.params.get("uri"), None)

    def _concerns_client_unasked(self, worker: Link, body: dict[str, Any]) -> bool:
        if "id" in body:
            self._asked[messages.key_of(body["id"])] = worker
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

    def adopt(self, worker: Link) -> None:
        """Switch to a worker, beginning with the handshake, subscriptions and the requests that still wait.

        The worker before it may go on with the calls that it has.
        """
        worker.send_first(lambda: self._introduce(worker))

    def _introduce(self, worker: Link) -> list[bytes]:
        with self._lock:
            self._worker = worker
            self._retry_after_ms = 0
            waiting = [entry for entry in self._pending.values() if entry.worker is None or entry.is_listening]
            for entry in waiting:
                entry.worker, entry.is_begun = worker, False
            lines = [entry.message.line for entry in waiting]
            handshake: list[bytes] = []
            if self._initialize and self._initialize.line in lines:
                lines.remove(self._initialize.line)
                handshake.append(self._initialize.line)
            elif self._initialize:
                handshake.append(self._initialize.with_id(REPLAYED_HANDSHAKE))
            if self._initialized:
                handshake.append(self._initialized.line)
            watched = [each.with_id(f"{REPLAYED}{number}") for number, each in enumerate(self._subscribed.values())]
            return handshake + watched + lines

    def lose(self, worker: Link) -> None:
        """Take back the requests of a worker that ended, and answer those that must not be sent again."""
        with self._lock:
            if self._worker is worker:
                self._worker = None
            following = self._worker
            self._asked = {key: asker for key, asker in self._asked.items() if asker is not worker}
            lost = [entry for entry in self._pending.values() if entry.worker is worker]
            unsafe = [entry.message for entry in lost if not entry.may_go_to_another_worker()]
            for message in unsafe:
                del self._pending[message.key]
            for entry in lost:
                entry.worker = following
                entry.is_retry = entry.is_retry or entry.is_begun
                entry.is_begun = False
        for message in unsafe:
            self._client.send(messages.interrupted(message))
        for entry in lost:
            if following and entry.message not in unsafe:
                following.send(entry.message.line)
        self._notify_if_idle()

    def calls_of(self, worker: Link) -> tuple[int, int]:
        """Return how many calls a worker has to answer: those that ask for a restart, and the others."""
        with self._lock:
            own = [each.message for each in self._pending.values() if each.worker is worker and not each.is_listening]
        asking = sum(message.asks_for_restart for message in own)
        return asking, len(own) - asking

    def tell(self, line: bytes) -> None:
        """Write a line of the proxy's own to the worker that serves."""
        with self._lock:
            worker = self._worker
        if worker:
            worker.send(line)

    def announce(self, changed: list[str]) -> None:
        """Tell the client which lists differ, in the way of its protocol version."""
        with self._lock:
            is_greeted = self._initialized is not None
            streams = [each.message for each in self._pending.values() if each.is_listening]
        for kind in changed:
            wanting = [
                each.id for each in streams if (each.params.get("notifications") or {}).get(f"{kind}ListChanged")
            ]
            for line in [messages.list_changed(kind)] * is_greeted + [
                messages.list_changed(kind, id) for id in wanting
            ]:
                self._client.send(line)

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
