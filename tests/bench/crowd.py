"""A crowd of HTTP clients in a process of its own: `python -m tests.bench.crowd` reads what to do as JSON on stdin.

Each client sends one request after the other over one connection, for some seconds. What came of it is printed as JSON:
how many answers, how many errors and the first of them, and the time of each answer in milliseconds. It needs nothing
of the product, so that it takes as little as possible of the machine away from what it measures.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "crowd", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
WORK = "A paragraph of the work that was done, as it is delivered. " * 20


@dataclass(slots=True)
class Crowd:
    """What the clients share."""

    port: int
    token: str
    end: float
    taken: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    cut_off: int = 0


class Client:
    """One connection that stays open."""

    def __init__(self, crowd: Crowd, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._crowd = crowd
        self._reader = reader
        self._writer = writer

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool, note how long it took, and return its facts; empty ones after an error."""
        began = perf_counter()
        self._writer.write(_request(self._crowd, tool, arguments))
        status, body = await self._answer()
        self._crowd.taken.append((perf_counter() - began) * 1000)
        if status != 200 or b'"isError":true' in body or b'"error":' in body:
            return self._failed(status, body)
        if b'"text":"{' not in body:
            return {}
        facts: dict[str, Any] = json.loads(json.loads(body)["result"]["content"][0]["text"])
        return facts

    def _failed(self, status: int, body: bytes) -> dict[str, Any]:
        # A board that is worked off by many has times when nothing is ready; that is an answer, not a failure.
        if b'\\"code\\":\\"not_ready\\"' not in body:
            self._crowd.errors.append(f"{status} {body[:500].decode(errors='replace')}")
        return {}

    async def _answer(self) -> tuple[int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        return int(head.split(b" ", 2)[1]), await self._reader.readexactly(length)


def _request(crowd: Crowd, tool: str, arguments: dict[str, Any]) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{crowd.port}\r\nAuthorization: Bearer {crowd.token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _noop(client: Client, number: int, ids: list[str], session: str) -> AsyncIterator[None]:
    """Call a tool that does nothing, which the server under test has under this name."""
    while True:
        await client.call("noop", {})
        yield


async def _read(client: Client, number: int, ids: list[str], session: str) -> AsyncIterator[None]:
    """Look at one task after the other."""
    place = number
    while True:
        await client.call("orchestrator_get_status", {"task_id": ids[place % len(ids)], "session_id": session})
        place += 37
        yield


async def _work(client: Client, number: int, ids: list[str], session: str) -> AsyncIterator[None]:
    """Take the next task, look at the board, and deliver: two writes and a read each time."""
    while True:
        taken = await client.call("orchestrator_execute_subtask", {"session_id": session})
        yield
        await client.call("orchestrator_get_status", {"session_id": session})
        yield
        if taken:
            facts = {"summary": "Done", "detailed_work": WORK, "next_action": "complete", "session_id": session}
            sent = {key: taken[key] for key in ("task_id", "lease_number")} | facts
            if await client.call("orchestrator_complete_subtask", sent):
                client._crowd.acknowledged.append(taken["task_id"])
            yield


KINDS = {"noop": _noop, "read": _read, "work": _work}


async def _one(crowd: Crowd, kind: str, number: int, ids: list[str], sessions: list[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", crowd.port)
    session = sessions[number % len(sessions)] if sessions else ""
    try:
        async for _ in KINDS[kind](Client(crowd, reader, writer), number, ids, session):
            if perf_counter() > crowd.end:
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        crowd.cut_off += 1  # the server has ended; what it acknowledged before that is what counts
    finally:
        writer.close()


async def _all(given: dict[str, Any]) -> dict[str, Any]:
    began = perf_counter()
    crowd = Crowd(given["port"], given["token"], began + given["seconds"])
    ids, sessions = given.get("ids", []), given.get("sessions", [])
    await asyncio.gather(*(_one(crowd, given["kind"], n, ids, sessions) for n in range(given["clients"])))
    return {
        "seconds": perf_counter() - began,
        "taken": crowd.taken,
        "errors": crowd.errors,
        "acknowledged": crowd.acknowledged,
        "cut_off": crowd.cut_off,
    }


if __name__ == "__main__":
    json.dump(asyncio.run(_all(json.load(sys.stdin))), sys.stdout)
