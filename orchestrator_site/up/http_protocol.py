"""Connections of the web server: a deadline for the headers of a request, and a bound on how many are open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""From accepting a connection, or the first byte of a further request, to the end of the headers."""
BACKLOG = 128
"""Connections accepted in one go, before any of them is looked at."""
RESERVED_FILES = 256
"""Descriptors kept for BACKLOG, the database, stored files and jobs."""
MOST_CONNECTIONS = 4096
WANTED_FILES = 65_536


class Protocol(HttpToolsProtocol):
    """Where too many connections are open, the one that has waited for its headers for longest gives way."""

    most: ClassVar[int] = MOST_CONNECTIONS
    _waiting: ClassVar[OrderedDict[Protocol, asyncio.TimerHandle]] = OrderedDict()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()
        if len(self.connections) > self.most:
            next(iter(self._waiting)).give_way()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.parser is not None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def give_way(self) -> None:
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

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
    return max(16, min(MOST_CONNECTIONS, files - RESERVED_FILES))


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
