"""The end of a connection at which the tools are: lines to messages and back."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import anyio
import mcp_types
from anyio.to_thread import run_sync
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from pydantic import ValidationError

from orchestrator_site.kernel.text import line_safe
from orchestrator_site.mcp.server import Bridge
from orchestrator_site.mcp.stdio.exchange import START_SECONDS
from orchestrator_site.mcp.stdio.framing import CONTROL, RECEIPT, RESTART, LineWriter, log, read_lines
from orchestrator_site.mcp.stdio.messages import INVALID_REQUEST, Malformed, check_line, encode, error

# Above the limit of the proxy, which answers lines that are too long.
WORKER_LINE_LIMIT = 64 * 1024 * 1024
# How much longer than it takes a call waits for the outcome of a restart.
RESTART_SPARE_SECONDS = 2.0
_CONTROL = f'{{"{CONTROL}":'.encode()


class Transport(ABC):
    """Serves one connection until its input ends or `end` is called, and every request is answered.

    Only `end`, `send`, `give_receipt`, `restart` and `in_flight` may be used by other threads than the event loop's.
    """

    def __init__(self, when_restarted: Callable[[dict[str, Any]], None]) -> None:
        """`when_restarted` gets what the proxy says of a restart that this end follows; called in a thread."""
        self._when_restarted = when_restarted
        self._outcomes: dict[str, SimpleQueue[dict[str, Any]]] = {}
        self._owed: set[str] = set()
        self._is_ending = False
        self._is_closed = False
        self._incoming, self._received = anyio.create_memory_object_stream[SessionMessage | Exception](math.inf)
        self._outgoing, self._answers = anyio.create_memory_object_stream[SessionMessage](0)
        self.saw_end_of_input = False

    @abstractmethod
    def end(self) -> None:
        """Finish running requests, then stop. A signal handler may call it, even before `serve`."""

    @abstractmethod
    def send(self, line: bytes) -> None:
        """Send a line of our own to the proxy."""

    @abstractmethod
    def give_receipt(self, id: mcp_types.RequestId) -> None:
        """Tell the proxy that a request begins: one without a receipt can safely be sent to another worker.

        Called in the thread of the request, which begins once the receipt cannot be lost any more.
        """

    @abstractmethod
    async def _deliver(self, line: bytes) -> None:
        """Pass a line on to the other end, and wait while it reads none."""

    @abstractmethod
    def _when_ending(self) -> None:
        """Make sure that the end does not take for ever."""

    async def serve(self, bridge: Bridge) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            await bridge.serve(self._received, self._outgoing)

    def _receive(self, message: mcp_types.JSONRPCMessage, size: int) -> None:
        if isinstance(message, mcp_types.JSONRPCRequest) and message.method != "subscriptions/listen":
            self._owed.add(str(message.id))
        elif isinstance(message, mcp_types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._settle((message.params or {}).get("requestId"))  # gets no response
        if not self._is_closed:
            self._incoming.send_nowait(SessionMessage(message, ServerMessageMetadata(request_context=size)))

    async def _write(self) -> None:
        async for item in self._answers:
            message = item.message
            # Encoded to bytes directly, so that a long response is not held as a string as well.
            line = mcp_types.jsonrpc_message_adapter.dump_json(message, by_alias=True, exclude_unset=True)
            await self._deliver(line_safe(line) + b"\n")
            if isinstance(message, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError):
                self._settle(message.id)

    # Restarts

    @property
    def in_flight(self) -> int:
        """How many requests are not answered yet."""
        return len(self._owed)

    def restart(self, *, timeout: float, is_trial: bool, reason: str, who: str) -> dict[str, Any]:
        """Ask the proxy for another worker and wait for the outcome. Blocks a thread."""
        token, outcome = secrets.token_hex(8), SimpleQueue[dict[str, Any]]()
        self._outcomes[token] = outcome
        wanted = {"token": token, "timeout": timeout, "is_trial": is_trial, "reason": reason, "who": who}
        try:
            self.send(encode({RESTART: wanted}))
            return outcome.get(timeout=START_SECONDS + timeout + RESTART_SPARE_SECONDS)
        except Empty:
            return {"problem": "The proxy did not answer."}
        finally:
            del self._outcomes[token]

    def _is_controlled(self, line: bytes) -> bool:
        """Do what the proxy says; return False for a message of the client, which is marked as one."""
        if not line.startswith(_CONTROL) or "jsonrpc" in (said := json.loads(line)):
            return False
        if said[CONTROL] == "stop":
            self.end()
        elif said[CONTROL] == "restarted":
            # No daemon: a process that is stopped right after it still writes it down.
            Thread(target=self._when_restarted, args=[said["facts"]], name="restarted").start()
        elif outcome := self._outcomes.get(said["token"]):
            outcome.put(said["facts"])
        return True

    # The end

    def _settle(self, id: Any) -> None:
        self._owed.discard(str(id))
        self._close_if_done()

    def _note_end_of_input(self) -> None:
        self.saw_end_of_input = True
        self._begin_to_end()

    def _begin_to_end(self) -> None:
        self._is_ending = True
        self._when_ending()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._is_ending and not self._owed:
            self._is_closed = True
            self._incoming.close()


class PipeTransport(Transport):
    """The pipes of a worker, or those of a client itself where there is no proxy."""

    def __init__(
        self,
        input_fd: int,
        output_fd: int,
        *,
        has_proxy: bool,
        when_ending: Callable[[], None],
        when_restarted: Callable[[dict[str, Any]], None] = lambda facts: None,
    ) -> None:
        super().__init__(when_restarted)
        self._input = input_fd
        self._has_proxy = has_proxy
        self._output = LineWriter(output_fd, self.end)
        self._limit_the_end = when_ending
        self._loop: asyncio.AbstractEventLoop | None = None
        self._should_end = False

    def end(self) -> None:
        self._should_end = True
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin_to_end)

    def send(self, line: bytes) -> None:
        if self._has_proxy:
            self._output.send(line)

    def give_receipt(self, id: mcp_types.RequestId) -> None:
        self.send(encode({RECEIPT: id}))

    async def serve(self, bridge: Bridge) -> None:
        self._loop = asyncio.get_running_loop()
        if self._should_end:
            self._begin_to_end()
        Thread(target=self._read, name="wire", daemon=True).start()
        await super().serve(bridge)

    async def _deliver(self, line: bytes) -> None:
        await run_sync(self._output.send, line)

    def _when_ending(self) -> None:
        self._limit_the_end()

    def _read(self) -> None:
        """Read lines, in a thread of its own because a read from a pipe cannot be cancelled."""
        try:
            for line in read_lines(self._input, lambda: log("a line was too long"), WORKER_LINE_LIMIT):
                if self._has_proxy and self._is_controlled(line):
                    continue
                try:
                    if not self._has_proxy:  # which has checked the line
                        check_line(line)
                    message = message_in(line)
                except Malformed as problem:
                    self._output.send(problem.answer)
                except ValidationError:
                    self._output.send(rejection(line))
                else:
                    self._in_loop(self._receive, message, len(line))
        finally:
            self._in_loop(self._note_end_of_input)

    def _in_loop(self, call: Callable[..., object], *arguments: Any) -> None:
        assert self._loop  # noqa: S101 - reading begins once the loop runs
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)


def rejection(line: bytes) -> bytes:
    """Return the answer to what the SDK would drop silently."""
    try:
        id = json.loads(line).get("id")
    except (ValueError, RecursionError, AttributeError):
        id = None
    known = id if isinstance(id, int | str) else None
    return error(known, INVALID_REQUEST, "Invalid request: not a message of this protocol.")


def message_in(line: bytes) -> mcp_types.JSONRPCMessage:
    """Return the message in a line. Raises ValidationError."""
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as problem:
        if "recursion limit" not in str(problem):
            raise
        # Python's parser accepts deeper nesting; what is too deep for the tool is then reported by the tool.
        try:
            body = json.loads(line)
        except RecursionError:
            raise problem from None
        return mcp_types.jsonrpc_message_adapter.validate_python(body, by_name=False)
