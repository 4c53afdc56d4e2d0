"""Lines over pipes, for both ends: written whole, and discarded while they are read if they are too long."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock

from orchestrator_site.kernel.bodies import LARGE_BODY

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The key of the lines with which a worker tells the proxy the id of a request that it begins.
RECEIPT = "orchestrator-receipt"
# The same for the line with which it reports that it serves, or why it cannot, and for its request for a restart.
READY = "orchestrator-ready"
RESTART = "orchestrator-restart"
# The key of the lines with which the proxy tells a worker to stop, or what became of a restart.
CONTROL = "orchestrator-control"
LINE_LIMIT = LARGE_BODY
# The exit code of a worker whose settings or data folder cannot be used.
MISCONFIGURED = 78
CHUNK = 256 * 1024
_PIPE_BYTES = 1024 * 1024


def private_copy(fd: int) -> int:
    """Duplicate a standard descriptor above the standard range, closed in child processes."""
    copies = [os.dup(fd)]
    while copies[-1] <= 2:
        copies.append(os.dup(fd))
    for spare in copies[:-1]:
        os.close(spare)
    return copies[-1]


def widen(fd: int) -> None:
    """Let a pipe hold a large line, so that its two ends wait for each other less often."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # not a pipe, or above the limit of this user
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def claim_standard_streams() -> tuple[int, int]:
    """Move standard input and output to private descriptors, which no stray print and no child process can touch.

    From then on prints go to standard error, and reads find the end of the input.
    """
    try:
        os.fstat(2)
    except OSError:  # started without standard error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    wire = private_copy(0), private_copy(1)
    for end in wire:
        widen(end)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return wire


def log(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"mcp_serve: {text}\n".encode(errors="replace"))


class LineSplitter:
    """Turns chunks into lines with their newline, without blank ones and those longer than the limit.

    It calls `when_too_long` for each of the latter, whose parts are dropped as they come.
    """

    def __init__(self, when_too_long: Callable[[], None], limit: int = LINE_LIMIT) -> None:
        self.limit = limit
        self._when_too_long = when_too_long
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        for number, part in enumerate(chunk.split(b"\n")):
            if number:  # the part before it ended a line
                yield from self.end()
            was_short = self._size <= self.limit
            self._size += len(part)
            if self._size <= self.limit:
                self._parts.append(part)
            elif was_short:
                self._parts = []
                self._when_too_long()

    def end(self) -> list[bytes]:
        """Return the line that ends here."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [line + b"\n"] if line.strip() else []


def read_lines(fd: int, when_too_long: Callable[[], None], limit: int = LINE_LIMIT) -> Iterator[bytes]:
    """Yield the lines of a pipe as a splitter does."""
    # Not a buffered file: the interpreter could not exit while a thread waits for one.
    return lines_of(lambda: os.read(fd, CHUNK), when_too_long, limit)


def lines_of(read: Callable[[], bytes], when_too_long: Callable[[], None], limit: int) -> Iterator[bytes]:
    lines = LineSplitter(when_too_long, limit)
    while chunk := read():
        yield from lines.feed(chunk)
    yield from lines.end()


class LineWriter:
    """Writes lines, one thread at a time; a reader that has gone is reported once and never raised."""

    def __init__(self, fd: int, when_broken: Callable[[], None]) -> None:
        self.fd = fd
        self.lock = Lock()
        self._when_broken = when_broken
        self._is_open = True

    def send(self, line: bytes) -> None:
        with self.lock:
            self.write(line)

    def write(self, line: bytes) -> None:
        """Write while the caller holds the lock."""
        rest = memoryview(line)
        try:
            while rest and self._is_open:
                rest = rest[self._put(rest) :]
        except OSError:
            self._is_open = False
            self._when_broken()

    def close(self) -> None:
        if self.lock.acquire(timeout=0.5):
            try:
                if self._is_open:
                    self._is_open = False
                    self._close()
            finally:
                self.lock.release()

    def _put(self, rest: memoryview) -> int:
        return os.write(self.fd, rest)

    def _close(self) -> None:
        os.close(self.fd)
