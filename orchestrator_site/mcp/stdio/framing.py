"""Lines over pipes, for both ends of the bridge: written whole, and never held when they are too long."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The key of the lines that a worker writes for the front alone, each holding the id of a request that it begins.
RECEIPT = "orchestrator-receipt"
LINE_LIMIT = 32 * 1024 * 1024
_CHUNK = 256 * 1024
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
    """Let a pipe hold a large line at once, where the system can: its two ends then wait for each other less often."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # no pipe, or more than this user may have
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def claim_standard_streams() -> tuple[int, int]:
    """Take standard input and output as a private wire, so that no stray print and no child can touch it.

    Whatever is printed from now on goes to standard error, whatever is read finds the end.
    """
    _ensure_standard_error()
    wire = private_copy(0), private_copy(1)
    for end in wire:
        widen(end)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return wire


def _ensure_standard_error() -> None:
    try:
        os.fstat(2)
    except OSError:  # started without one
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def log(text: str) -> None:
    """Write one line to standard error; a client that closed it must not end the server."""
    with suppress(OSError):
        os.write(2, f"mcp_serve: {text}\n".encode(errors="replace"))


class _Assembler:
    """Puts the parts of one line together, and lets go of it once it is too long."""

    def __init__(self, limit: int, when_too_long: Callable[[], None]) -> None:
        self._limit = limit
        self._when_too_long = when_too_long
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        was_short = self._size <= self._limit
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        elif was_short:
            self._parts = []
            self._when_too_long()

    def take(self) -> bytes:
        """Return the line with its newline; nothing where it was too long or blank."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return line + b"\n" if line.strip() else b""


def read_lines(fd: int, when_too_long: Callable[[], None], limit: int = LINE_LIMIT) -> Iterator[bytes]:
    """Yield each line with its newline until the end; a longer one is thrown away and told of once.

    `os.read` rather than a buffered file: the interpreter may end while a thread waits here.
    """
    assembler = _Assembler(limit, when_too_long)
    while chunk := os.read(fd, _CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            assembler.add(end)
            if line := assembler.take():
                yield line
        assembler.add(rest)
    if line := assembler.take():
        yield line


class LineWriter:
    """Writes lines to a descriptor, one thread at a time; a reader who has gone is reported once, never raised."""

    def __init__(self, fd: int, when_broken: Callable[[], None]) -> None:
        self.fd = fd
        self.lock = Lock()
        self._when_broken = when_broken
        self._is_open = True

    def send(self, line: bytes) -> None:
        """Write one line, whole."""
        with self.lock:
            self.write(line)

    def write(self, line: bytes) -> None:
        """Write while the lock is held by the caller."""
        rest = memoryview(line)
        try:
            while rest and self._is_open:
                rest = rest[os.write(self.fd, rest) :]
        except OSError:
            # The reader has gone; what that means is for the owner to say.
            self._is_open = False
            self._when_broken()

    def close(self) -> None:
        """Let the reader see the end; a write that hangs in another thread is left to fail by itself."""
        if self.lock.acquire(timeout=0.5):
            try:
                if self._is_open:
                    self._is_open = False
                    os.close(self.fd)
            finally:
                self.lock.release()
