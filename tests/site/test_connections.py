"""Connections without a request end, give way to others, and do not fill the log."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from orchestrator_site.up import http_protocol
from orchestrator_site.up.http_protocol import (
    BACKLOG,
    HEADER_BYTES,
    HEADER_LINES,
    RESERVED_FILES,
    OutOfFiles,
    Protocol,
    most_connections,
)

HALF = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


LARGE = 32 * 1024 * 1024
STALLED = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"
UNREAD = WHOLE.replace(b"/ ", b"/large ", 1)
seen: list[Any] = []
received: list[bytes] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    has_more = scope["path"] == "/read"
    while has_more:
        message = await receive()
        received.append(message.get("body", b""))
        has_more = message.get("more_body")
    seen.append(scope)
    if scope["path"] == "/whole":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        return
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE // 2), "more_body": True})
        await send({"type": "http.response.body", "body": bytes(LARGE // 2)})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Server(uvicorn.Server):
    def __init__(self, listener: socket.socket) -> None:
        super().__init__(uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None, backlog=BACKLOG))
        self.address = listener.getsockname()
        self.clients: list[asyncio.StreamWriter] = []

    async def connect(self, sent: bytes = b"") -> Streams:
        reader, writer = await asyncio.open_connection(*self.address)
        self.clients.append(writer)
        writer.write(sent)
        return reader, writer


def serve(body: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Server(listener)
            server.config.load()
            server.lifespan = server.config.lifespan_class(server.config)
            await server.startup(sockets=[listener])
            try:
                await asyncio.wait_for(body(server), 60)
            finally:
                for writer in server.clients:
                    writer.transport.abort()
                    with suppress(ConnectionError):
                        await writer.wait_closed()
                await server.shutdown(sockets=[listener])

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", HALF, b"\r\n", b"G"])
def test_a_connection_without_a_whole_request_ends(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.1)

    async def body(server: Server) -> None:
        reader, _ = await server.connect(sent)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)

    serve(body)
    assert not Protocol._waiting and not Protocol._open and not Protocol._idle


@pytest.mark.parametrize("sent", [HALF, b"\r\n", b"G"])
def test_so_does_one_whose_second_request_is_not_whole(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.1)

    async def body(server: Server) -> None:
        reader, writer = await server.connect(WHOLE)
        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        writer.write(sent)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)

    serve(body)


async def status_of(server: Server, *parts: bytes) -> bytes:
    """Send a request as far as it is taken; return the status, empty where the connection was cut off."""
    reader, writer = await server.connect()
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        for part in parts:
            writer.write(part)
            await writer.drain()
        return (await reader.readuntil(b"\r\n"))[9:12]
    return b""


def test_the_line_and_headers_of_a_request_have_a_limit() -> None:
    line, many = b"a" * (HEADER_BYTES - 3), b"a:\r\n" * (HEADER_LINES - 1)

    async def body(server: Server) -> None:
        for fits in (b"GET / HTTP/1.1\r\nX: " + line[1:], WHOLE[:-4] + b"\r\n" + many[:-2]):
            assert await status_of(server, fits + b"\r\n\r\n") == b"200"
        for exceeds in (HALF + line, b"GET //" + line + b" HTTP/1.1\r\nX: y", HALF + b"\r\n" + many[:-2]):
            assert await status_of(server, exceeds + b"\r\n\r\n") == b"431"

    serve(body)


@pytest.mark.parametrize("more", [b"a:\r\n", b"a"])
def test_headers_that_do_not_end_are_refused_after_little(more: bytes) -> None:
    async def body(server: Server) -> None:
        flood = [more * HEADER_BYTES] * 32
        assert await status_of(server, HALF, *flood, b"\r\n\r\n") != b"200"

    serve(body)


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"", b"1\r\na\r\n"), (b"", b"1;" + b"x" * 99 + b"\r\na\r\n"), (b"0\r\n", b"a:\r\n"), (b"0\r\nX: ", b"a")],
)
def test_a_body_of_little_but_framing_is_cut_off(begin: bytes, more: bytes) -> None:
    async def body(server: Server) -> None:
        reader, writer = await server.connect(CHUNKED + begin)
        with suppress(ConnectionError):
            for _ in range(32):
                writer.write(more * (HEADER_BYTES // len(more)))
                await writer.drain()
            writer.write(b"\r\n0\r\n\r\n")
            assert await reader.read(20) == b""

    serve(body)


def test_chunks_of_some_size_are_taken_and_trailers_are_no_headers() -> None:
    async def body(server: Server) -> None:
        chunks = b"10\r\n0123456789abcdef\r\n" * 100_000
        assert await status_of(server, CHUNKED, chunks, b"0\r\nX-Forwarded-For: y\r\n\r\n") == b"200"
        assert [name for name, _ in seen[-1]["headers"]] == [b"host", b"transfer-encoding"]

    serve(body)


@pytest.mark.parametrize("sent", [b"", HALF, STALLED, UNREAD])
def test_half_requests_give_way_to_whole_ones(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(Protocol, "most", 8)

    async def body(server: Server) -> None:
        for _ in range(40):
            await server.connect(sent)
        for _ in range(3):
            reader, _ = await server.connect(WHOLE)
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        assert len(server.server_state.connections) <= 8

    serve(body)


async def until(question: Callable[[], Any]) -> None:
    while not question():
        await asyncio.sleep(0)


def test_the_one_without_progress_for_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "most", 2)
    received.clear()

    async def body(server: Server) -> None:
        reader, writer = await server.connect(STALLED)
        await until(lambda: len(received) == 1)
        other, _ = await server.connect(STALLED)
        await until(lambda: len(received) == 2)
        writer.write(b"b")
        await until(lambda: len(received) == 3)
        await server.connect(HALF)
        with suppress(ConnectionError):
            assert not await other.read()
        writer.write(b"c")
        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")

    serve(body)


def test_an_idle_one_gives_way_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "most", 2)

    async def body(server: Server) -> None:
        reader, writer = await server.connect(STALLED)
        idle, _ = await server.connect(WHOLE)
        await idle.readuntil(b"\r\n\r\nok")
        newcomer, sender = await server.connect(HALF)
        with suppress(ConnectionError):
            assert not await idle.read()
        writer.write(b"bc")
        sender.write(b"\r\n\r\n")
        for each in (reader, newcomer):
            assert (await each.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")

    serve(body)


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("path", [b"/large", b"/whole"])
def test_a_client_that_reads_nothing_of_a_response_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, path: bytes, more: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "UNREAD_SECONDS", 0.1)

    async def body(server: Server) -> None:
        reader, writer = await server.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, more))
        await until(lambda: server.server_state.connections)
        await until(lambda: not server.server_state.connections)
        assert reader

    serve(body)
    assert not Protocol._open


class Slow(asyncio.Transport):
    """Has so many bytes that its client has not read."""

    unread = 9
    is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize(
    ("unread", "is_aborted"), [([9, 9], True), ([9, 8, 8], True), ([9, 8, 7], False), ([9, 0], False)]
)
def test_one_that_reads_slowly_is_not(unread: list[int], is_aborted: bool) -> None:
    async def body(server: Server) -> None:
        transport = Slow()
        protocol = Protocol(server.config, server.server_state, {})
        protocol.connection_made(transport)
        protocol.pause_writing()
        for transport.unread in unread:
            protocol._look()
        assert transport.is_aborted == is_aborted
        protocol.give_way()

    serve(body)


@pytest.mark.parametrize(("files", "most"), [(1024, (1024 - RESERVED_FILES) // 2), (65_536, 4096), (64, 16)])
def test_connections_leave_descriptors_for_the_rest(files: int, most: int) -> None:
    assert (most_connections(files), BACKLOG < RESERVED_FILES) == (most, True)


def test_descriptors_are_raised_as_far_as_allowed() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        allowed = http_protocol.raise_file_limit()
        assert allowed == resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 65_536)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_cannot_be_accepted_is_logged_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("orchestrator_site.up.http_protocol.time.monotonic", lambda: now[0])
    filter, passed = OutOfFiles(), []
    for step in (0.0, 0.1, 0.5, 0.5, 0.0):
        now[0] += step
        record = logging.makeLogRecord({"msg": "socket.accept() out of system resource"})
        passed.append(filter.filter(record))
    assert passed == [True, False, False, True, False]
    assert filter.filter(logging.makeLogRecord({"msg": "something else"}))
