"""The proxy's end of a connection to the site, which serves an assistant in place of a worker of its own.

Standard library only, like the proxy itself.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from orchestrator_site.kernel import loopback
from orchestrator_site.kernel.introduction import FOLDER, SOCKET, address, data_folder, introduction
from orchestrator_site.mcp.stdio.framing import CHUNK, CONTROL, LINE_LIMIT, LineWriter, lines_of, log
from orchestrator_site.mcp.stdio.link import Link
from orchestrator_site.mcp.stdio.messages import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How long the site may take to answer. Its supervisor holds the socket while the web server restarts.
ANSWER_SECONDS = 6.0
# The two answers to an introduction. The proxy sends the first one back, so that the site knows that it has come.
ATTACHED = b'{"orchestrator-attached":true}\n'
REFUSED = "orchestrator-refused"
# The last line to a proxy whose input has ended: the sessions have ended, too.
ENDED = b'{"orchestrator-ended":true}\n'
# What it says when another process takes its place, which may be there already.
LEAVING = b'{"orchestrator-leaving":true}\n'
_STOP = encode({CONTROL: "stop"})
_AT_ONCE = getattr(socket, "MSG_DONTWAIT", 0)  # Windows waits, but never long for so little


class NotServed(Exception):
    """Why no site serves this assistant now, or at all as long as it runs."""

    def __init__(self, why: str, *, is_for_good: bool = False) -> None:
        super().__init__(why)
        self.is_for_good = is_for_good


class _SocketWriter(LineWriter):
    """Windows has descriptors for pipes, and none for sockets."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(-1, lambda: None)
        self._connection = connection

    def _put(self, rest: memoryview) -> int:
        return self._connection.send(rest)

    def _close(self) -> None:
        """Leave that to who reads from it."""


class Attached(Link):
    """A connection to the site."""

    what = "the connection to the site"

    def __init__(self, connection: socket.socket, when_leaving: Callable[[], None]) -> None:
        """`when_leaving` is called by the thread that reads its lines."""
        super().__init__(_SocketWriter(connection))
        self._connection = connection
        self._when_leaving = when_leaving
        self._has_ended = False

    def lines(self) -> Iterator[bytes]:
        with suppress(OSError):  # the site was killed
            read = partial(self._connection.recv, CHUNK)
            for line in lines_of(read, lambda: log("a line of the site was too long"), limit=4 * LINE_LIMIT):
                if line == ENDED:
                    self._has_ended = True
                elif line == LEAVING:
                    self._when_leaving()
                else:
                    yield line

    def close_input(self) -> None:
        self._shut_down(socket.SHUT_WR)

    def kill(self) -> None:
        """Say that it is no end of the connection, if the site still takes it, and hang up."""
        if self._input.lock.acquire(timeout=0.5):
            try:
                self._connection.send(_STOP, _AT_ONCE)
            except OSError:
                log("the site takes nothing any more")
            finally:
                self._input.lock.release()
        self._shut_down(socket.SHUT_RDWR)

    def reap(self, grace_seconds: float) -> int:
        self._input.close()
        self._connection.close()
        return 0 if self._has_ended else 1

    def _shut_down(self, how: int) -> None:
        with suppress(OSError):  # the site has gone
            self._connection.shutdown(how)


def socket_identity() -> tuple[int, int] | None:
    """Return what tells the socket of a site from that of the next one; None where there is none."""
    folder = os.path.join(data_folder(), FOLDER)  # noqa: PTH118 - pathlib is slow to import
    for name in (SOCKET, loopback.FILE):
        with suppress(OSError):
            found = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118
            return found.st_ino, found.st_ctime_ns
    return None


def attach(connection_id: str, toolsets: str, when_leaving: Callable[[], None]) -> Attached:
    """Connect to the site that serves our data, if it does what a worker would do. Raises NotServed."""
    folder = os.path.join(data_folder(), FOLDER)  # noqa: PTH118
    place = loopback.place_in(folder)
    if place is None and not hasattr(socket, "AF_UNIX"):
        raise NotServed("it has gone")
    connection = socket.socket(socket.AF_INET if place else socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS)
    try:
        _introduce(connection, introduction(data_folder(), connection_id, toolsets), folder, place)
    except NotServed:
        connection.close()
        raise
    connection.settimeout(None)
    return Attached(connection, when_leaving)


def _introduce(
    connection: socket.socket, introduced: dict[str, Any], folder: str, place: loopback.Place | None
) -> None:
    try:
        if place:
            introduced["proof"] = place.meet(connection)
        else:
            with address(folder) as path:
                connection.connect(path)
            if not is_ours(connection):
                raise NotServed("another user runs it", is_for_good=True)
        connection.sendall(encode(introduced))
        if (answer := loopback.line_from(connection)) != ATTACHED:
            raise NotServed(json.loads(answer)[REFUSED], is_for_good=True)
        connection.sendall(ATTACHED)
    except (OSError, ValueError, KeyError) as problem:
        raise NotServed(f"it does not answer ({problem})") from problem


def is_ours(connection: socket.socket) -> bool:
    """Whether our user runs the other end of a Unix socket; where the system does not say, only ours may enter."""
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return True
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # three integers: process, user, group
    return int.from_bytes(peer[4:8], sys.byteorder) == os.geteuid()
