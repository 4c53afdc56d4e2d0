"""The worker's end of the pipes: lines to messages and back."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream
from anyio.to_thread import run_sync
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from pydantic import ValidationError

from orchestrator_site.kernel.text import line_safe
from orchestrator_site.mcp.server import Bridge
from orchestrator_site.mcp.stdio.framing import CONTROL, READY, RECEIPT, RESTART, LineWriter, log, read_lines
from orchestrator_site.mcp.stdio.messages import Malformed, check_line

# Above the limit of the proxy, which answers lines that are too long.
_LINE_LIMIT = 64 * 1024 * 1024
_CONTROL = f'{{"{CONTROL}":'.encode()


class PipeTransport:
    """Serves one connection until the input ends or `end` is called, and every request is answered."""

    def __init__(
        self,
        input_fd: int,
        output_fd: int,
        *,
        has_proxy: bool,
        when_ending: Callable[[], None],
        when_restarted: Callable[[dict[str, Any]], None] = lambda facts: None,
    ) -> None:
        """`when_restarted` gets what the proxy says of a restart that this worker follows; called in a thread."""
        self._input = input_fd
        self._has_proxy = has_proxy
        self._output = LineWriter(output_fd, self.end)
        self._when_ending = when_ending
        self._when_restarted = when_restarted
        self._answers: dict[str, SimpleQueue[dict[str, Any]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owed: set[str] = set()
        self._should_end = False
        self._is_ending = False
        self._is_closed = False
        self.saw_end_of_input = False

    def end(self) -> None:
        """Finish running requests, then stop. Any thread or signal handler may call it, even before `serve`."""
        self._should_end = True
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin_to_end)

    def give_receipt(self, id: mcp_types.RequestId) -> None:
        """Tell the proxy that a request begins: one without a receipt can safely be sent to another worker."""
        if self._has_proxy:
            self._output.send(json.dumps({RECEIPT: id}).encode() + b"\n")

    def report(self, facts: dict[str, Any]) -> None:
        """Tell the proxy that requests are served from now on, with facts about this worker."""
        if self._has_proxy:
            self._output.send(json.dumps({READY: facts}).encode() + b"\n")

    def ask_for_restart(self, *, within_seconds: float, **wanted: Any) -> dict[str, Any]:
        """Ask the proxy for another worker and wait for the outcome. Blocks a thread. Raises TimeoutError."""
        token, answers = secrets.token_hex(8), SimpleQueue[dict[str, Any]]()
        self._answers[token] = answers
        try:
            self._output.send(json.dumps({RESTART: {"token": token, **wanted}}).encode() + b"\n")
            return answers.get(timeout=within_seconds)
        except Empty as problem:
            raise TimeoutError from problem
        finally:
            del self._answers[token]

    @property
    def in_flight(self) -> int:
        """How many requests are not answered yet."""
        return len(self._owed)

    async def serve(self, bridge: Bridge) -> None:
        self._loop = asyncio.get_running_loop()
        self._incoming, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](math.inf)
        self._outgoing, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._write, outgoing)
            if self._should_end:
                self._begin_to_end()
            Thread(target=self._read, name="wire", daemon=True).start()
            await bridge.serve(incoming, self._outgoing)

    def _read(self) -> None:
        """Read lines, in a thread of its own because a read from a pipe cannot be cancelled."""
        try:
            for line in read_lines(self._input, lambda: log("a line was too long"), _LINE_LIMIT):
                if self._has_proxy and line.startswith(_CONTROL) and self._is_controlled(line):
                    continue
                try:
                    if not self._has_proxy:  # which has checked the line
                        check_line(line)
                    message = _message_in(line)
                except Malformed as problem:
                    self._output.send(problem.answer)
                except ValidationError:
                    self._in_loop(self._tasks.start_soon, self._reject, line)
                else:
                    self._in_loop(self._receive, message, len(line))
        finally:
            self._in_loop(self._note_end_of_input)

    def _is_controlled(self, line: bytes) -> bool:
        """Do what the proxy says; return False for a message of the client, which is marked as one."""
        said = json.loads(line)
        if "jsonrpc" in said:
            return False
        if said[CONTROL] == "stop":
            self.end()
        elif said[CONTROL] == "restarted":
            Thread(target=self._when_restarted, args=[said["facts"]], name="restarted", daemon=True).start()
        elif answers := self._answers.get(said["token"]):
            answers.put(said["facts"])
        return True

    def _in_loop(self, call: Callable[..., object], *arguments: Any) -> None:
        assert self._loop  # noqa: S101 - reading begins once the loop runs
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _receive(self, message: mcp_types.JSONRPCMessage, size: int) -> None:
        if isinstance(message, mcp_types.JSONRPCRequest) and message.method != "subscriptions/listen":
            self._owed.add(str(message.id))
        elif isinstance(message, mcp_types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._settle((message.params or {}).get("requestId"))  # gets no response
        if not self._is_closed:
            self._incoming.send_nowait(SessionMessage(message, ServerMessageMetadata(request_context=size)))

    async def _reject(self, line: bytes) -> None:
        """Answer what the SDK would drop silently."""
        try:
            id = json.loads(line).get("id")
        except (ValueError, RecursionError, AttributeError):
            id = None
        problem = mcp_types.ErrorData(
            code=mcp_types.INVALID_REQUEST, message="Invalid request: not a message of this protocol."
        )
        answer = mcp_types.JSONRPCError(jsonrpc="2.0", id=id if isinstance(id, int | str) else None, error=problem)
        await self._outgoing.send(SessionMessage(answer))

    async def _write(self, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async for item in outgoing:
            message = item.message
            # Encoded to bytes directly, so that a long response is not held as a string as well.
            line = mcp_types.jsonrpc_message_adapter.dump_json(message, by_alias=True, exclude_unset=True)
            await run_sync(self._output.send, line_safe(line) + b"\n")
            if isinstance(message, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError):
                self._settle(message.id)

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


def _message_in(line: bytes) -> mcp_types.JSONRPCMessage:
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as error:
        if "recursion limit" not in str(error):
            raise
        # Python's parser accepts deeper nesting; what is too deep for the tool is then reported by the tool.
        try:
            body = json.loads(line)
        except RecursionError:
            raise error from None
        return mcp_types.jsonrpc_message_adapter.validate_python(body, by_name=False)
