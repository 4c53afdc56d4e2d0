"""The socket for assistants on this machine. The supervisor holds it: they wait while the web server restarts."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

from orchestrator_site.kernel.files import file_identity
from orchestrator_site.kernel.introduction import FOLDER, SOCKET, address

logger = logging.getLogger(__name__)

QUEUE = 128
"""Assistants that may wait."""


@contextmanager
def local_socket() -> Iterator[list[socket.socket]]:
    """Yield the listening socket, or none where the system has no such sockets or another site of this data has it."""
    path = settings.ORCHESTRATOR_HOME / FOLDER / SOCKET
    listener = None
    if hasattr(socket, "AF_UNIX"):  # Windows has none
        try:
            listener = _listen(str(path.parent))
        except OSError as problem:
            logger.warning("Assistants start servers of their own: the socket %s cannot be used (%s).", path, problem)
    if listener is None:
        yield []
        return
    ours = file_identity(str(path))
    with listener:
        try:
            yield [listener]
        finally:
            if file_identity(str(path)) == ours:
                path.unlink(missing_ok=True)


def turn_away(listener: socket.socket) -> None:
    """Hang up on the assistants that wait; they start servers of their own, and come back later."""
    listener.setblocking(False)
    with suppress(OSError):
        while True:
            listener.accept()[0].close()


def _listen(folder: str) -> socket.socket | None:
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    os.chmod(folder, 0o700)  # noqa: PTH101
    with address(folder) as path:
        if _is_served(path):
            return None
        with suppress(FileNotFoundError):  # what a site left that was killed
            os.unlink(path)  # noqa: PTH108
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(path)
            os.chmod(path, 0o600)  # noqa: PTH101
            listener.listen(QUEUE)
        except OSError:
            listener.close()
            raise
    return listener


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
