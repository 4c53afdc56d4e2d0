"""Connections of the web server: limits on the headers of a request and their time, and on how many are open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from itertools import chain
from math import inf
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""From accepting a connection, or the first byte of a further request, to the end of the headers."""
UNREAD_SECONDS = 30.0
"""How long a client may read nothing of a response; a connection ends up to as much later."""
HEADER_BYTES = 64 * 1024
"""Of a request's line and headers together; also of what a body may have besides its payload and as much again."""
HEADER_LINES = 128
"""Headers of a request, and trailers of its body. Each costs hundreds of bytes of memory, however short it is."""
BACKLOG = 128
"""Connections accepted in one go, before any of them is looked at."""
QUEUE = 1024
"""Connections that may wait for that. The system drops those beyond, whose clients try again a second later."""
RESERVED_FILES = 256
"""Descriptors kept for BACKLOG, the database, stored files and jobs."""
FILES_PER_CONNECTION = 2
"""Its socket, and a file that is being sent."""
MOST_CONNECTIONS = 4096
WANTED_FILES = 65_536
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _TooLarge(Exception):
    """Ends the parsing of a request that was refused."""


class Protocol(HttpToolsProtocol):
    """Where too many are open, the one that has waited for its client for longest gives way, idle ones first."""

    most: ClassVar[int] = MOST_CONNECTIONS
    is_leaving: ClassVar[bool] = False
    """Whether another server takes over, so that every answer closes its connection."""
    _waiting: ClassVar[dict[Protocol, asyncio.TimerHandle]] = {}
    """Those whose headers have to end in time."""
    _open: ClassVar[OrderedDict[Protocol, None]] = OrderedDict()
    """All, in the order of their last progress: bytes that came, or that the client has read."""
    _idle: ClassVar[OrderedDict[Protocol, None]] = OrderedDict()
    """Those between two requests."""
    _unread = inf
    """Bytes of responses when that was last looked at, unless the client has read some since."""
    _looking: asyncio.TimerHandle | None = None
    _framing = 0
    """Bytes of a request besides its payload, less its payload, without those of the read that it began in."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._open[self] = None
        self._expect_headers()
        if len(self.connections) > self.most:
            next(chain(self._idle, (each for each in self._open if each._waits_for_client))).give_way()

    def data_received(self, data: bytes) -> None:
        self._framing += len(data)
        self._idle.pop(self, None)
        self._note_progress()
        super().data_received(data)
        if self._framing > HEADER_BYTES and not self.transport.is_closing():
            self._refuse()
        if self.parser is not None and self.is_free:
            self._expect_headers()

    def on_message_begin(self) -> None:
        self._framing = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) == HEADER_LINES:
            self._refuse()
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEADER_BYTES:
            self._refuse()
            raise _TooLarge
        self._stop_waiting()
        super().on_headers_complete()
        if self.is_leaving:
            self.close_after_answer()
        self.headers = []  # trailers are counted, but they are no headers of the request

    @classmethod
    def all_open(cls) -> list[Protocol]:
        return list(cls._open)

    def close_after_answer(self) -> None:
        """Close it after an answer that can still say so."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._framing -= 2 * len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_reading()
        if self.is_free and self in self._open:
            self._idle[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note_progress()
        self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _refuse(self) -> None:
        if self.is_free:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:  # in the middle of a body
            self.transport.abort()

    @property
    def is_free(self) -> bool:
        """Return whether there is no request that waits for its response."""
        return self.cycle is None or bool(self.cycle.response_complete)

    @property
    def _waits_for_client(self) -> bool:
        return bool(self.is_free or self.cycle.more_body or self.flow.write_paused or self.transport.is_closing())

    def _note_progress(self) -> None:
        if self in self._open:
            self._open.move_to_end(self)

    def give_way(self) -> None:
        self._forget()
        self.connections.discard(self)
        self.transport.abort()

    def _expect_reading(self, unread: float = inf) -> None:
        self._unread = unread
        if self._looking is None and self.transport.get_write_buffer_size():
            self._looking = self.loop.call_later(UNREAD_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = None
        unread, before = self.transport.get_write_buffer_size(), self._unread
        if unread >= before:
            self.give_way()
            return
        if before < inf:
            self._note_progress()
        self._expect_reading(unread or inf)

    def _forget(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._stop_waiting()
        self._open.pop(self, None)
        self._idle.pop(self, None)

    def _expect_headers(self) -> None:
        if self not in self._waiting:
            self._waiting[self] = self.loop.call_later(HEADER_SECONDS, self.give_way)

    def _stop_waiting(self) -> None:
        if timer := self._waiting.pop(self, None):
            timer.cancel()


def raise_file_limit() -> int:
    """Raise the soft limit of descriptors as far as the system allows; return how many there may be."""
    try:
        import resource
    except ImportError:  # Windows
        return WANTED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return WANTED_FILES if soft == resource.RLIM_INFINITY else soft


def most_connections(files: int) -> int:
    return max(16, min(MOST_CONNECTIONS, (files - RESERVED_FILES) // FILES_PER_CONNECTION))


class OutOfFiles(logging.Filter):
    """Passes one line a second of those that asyncio writes for each connection it cannot accept."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if "out of system resource" not in record.getMessage():
            return True
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + 1.0
        return True
