"""The web server of `manage.py up`: uvicorn, as a child of the supervisor, with a bound on how long it takes to end.

The supervisor starts it as `python -m orchestrator_site.up.web SOCKET`, where SOCKET is the number under which it
inherits the listening socket. There is one such process: it holds the sessions of the bridge.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import warnings
from types import FrameType

import uvicorn

from orchestrator_site.kernel import shutdown
from orchestrator_site.up.lifeline import hold_on

GRACE_SECONDS = 2
# Nothing may hold the end up for longer: neither a stream that never closes nor a view that waits in its thread.
LAST_SECONDS = 2.5


class Server(uvicorn.Server):
    """Serve until a signal comes."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, and see to it that the end comes."""
        timer = threading.Timer(LAST_SECONDS, _end_now)
        timer.daemon = True
        timer.start()
        shutdown.begin()
        super().handle_exit(sig, frame)


def main(argv: list[str]) -> int:
    """Serve the site until told to stop; return the exit code."""
    hold_on()
    # A statement gives the interpreter away and waits for the event loop, up to this long, before it goes on.
    sys.setswitchinterval(0.0002)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    server = Server(_config())
    server.run(sockets=[socket.socket(fileno=int(argv[0]))])
    return 0 if server.started else 1


def _config() -> uvicorn.Config:
    from django.conf import settings

    _quieten()
    module, _, name = settings.ASGI_APPLICATION.rpartition(".")
    config = uvicorn.Config(
        f"{module}:{name}",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,  # it would write the tokens of sign-in links
        log_config=None,  # the settings say how to log
        server_header=False,
        proxy_headers=settings.ORCHESTRATOR_TLS,  # without a proxy in front, anybody could write them
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    # What was made so far stays; to look through it for garbage again and again would cost a tenth of every request.
    gc.collect()
    gc.freeze()
    return config


def _quieten() -> None:
    """Leave out two warnings about static files, which are few, small and found without being collected."""
    warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
    warnings.filterwarnings("ignore", "No directory at", module="django.core.handlers.base")


def _end_now() -> None:
    """Leave without waiting for threads. What they had not committed is undone, as after any crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
