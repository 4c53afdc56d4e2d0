"""The socket for assistants on this machine. The supervisor holds it: they wait while the web server restarts."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from orchestrator_site.kernel import loopback
from orchestrator_site.kernel.files import file_identity, write_whole
from orchestrator_site.kernel.introduction import FOLDER, SOCKET, address

logger = logging.getLogger(__name__)

QUEUE = 128
"""Assistants that may wait."""
PROBE_SECONDS = 6.0
"""How long a web server may take to answer; its supervisor listens while it restarts."""


@contextmanager
def local_socket() -> Iterator[list[socket.socket]]:
    """Yield the listening socket, or none where another site of this data has it.

    It is a Unix socket, or a port of this machine where the system or the data folder can have none.
    """
    folder = settings.ORCHESTRATOR_HOME / FOLDER
    file, listener = folder / SOCKET, None
    try:
        listener = _listen(str(folder))
    except OSError as problem:
        logger.info("The socket %s cannot be used (%s), so assistants get a port.", file, problem)
        file, listener = folder / loopback.FILE, _listen_on_port(folder)
    if listener is None:
        yield []
        return
    ours = file_identity(str(file))
    with listener:
        try:
            yield [listener]
        finally:
            if file_identity(str(file)) == ours:
                file.unlink(missing_ok=True)


def turn_away(listener: socket.socket) -> None:
    """Hang up on the assistants that wait; they start servers of their own, and come back later."""
    listener.setblocking(False)
    with suppress(OSError):
        while True:
            listener.accept()[0].close()


def _listen(folder: str) -> socket.socket | None:
    """Return None where another site listens. Raises OSError."""
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    os.chmod(folder, 0o700)  # noqa: PTH101
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("Python has none on this system")
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
    Path(folder, loopback.FILE).unlink(missing_ok=True)
    return listener


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _listen_on_port(folder: Path) -> socket.socket | None:
    if (place := loopback.place_in(str(folder))) and _has_site(place):
        return None
    listener = socket.create_server((loopback.HOST, 0), backlog=QUEUE)
    facts = {"port": listener.getsockname()[1], "secret": secrets.token_hex(32)}
    write_whole(folder / loopback.FILE, json.dumps(facts).encode(), mode=0o600)
    return listener


def _has_site(place: loopback.Place) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            place.meet(probe)
        except (OSError, ValueError):
            return False
    return True
