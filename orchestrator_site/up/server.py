"""The web server of `manage.py up`: uvicorn in this process, with a bound on how long it takes to end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType

import uvicorn

GRACE_SECONDS = 3
# Nothing may hold the end up for longer: neither a stream that never closes nor a view that waits in its thread.
LAST_SECONDS = 3.5


class Server(uvicorn.Server):
    """Serve until a signal comes, telling `on_start` when requests are answered."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self.on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, and see to it that the end comes."""
        timer = threading.Timer(LAST_SECONDS, _end_now)
        timer.daemon = True
        timer.start()
        super().handle_exit(sig, frame)


def serve(listener: socket.socket, on_start: Callable[[], None]) -> None:
    """Serve the site on a listening socket until Ctrl-C or SIGTERM.

    Raises OSError where the server did not start.
    """
    config = uvicorn.Config(
        "orchestrator_site.asgi:application",
        http="h11",
        ws="none",
        access_log=False,  # it would write the tokens of sign-in links
        log_config=None,  # the settings say how to log
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _quieten()
    config.load()
    server = Server(config, on_start)
    server.run(sockets=[listener])
    if not server.started:
        raise OSError("the web server gave up; the lines above say why")


def _quieten() -> None:
    """Leave out two warnings about static files, which are few, small and found without being collected."""
    warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
    warnings.filterwarnings("ignore", "No directory at", module="django.core.handlers.base")


def end_like_ctrl_c() -> None:
    """Let SIGTERM end everything in the way that Ctrl-C does, before the server runs as well as after."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _end_now() -> None:
    """Leave without waiting for threads. What they had not committed is undone, as after any crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
