"""The web server of `manage.py up`: uvicorn as a child process that exits within a bounded time.

The supervisor starts it as `python -m orchestrator_site.up.web SOCKET`, where SOCKET is the file descriptor of the
listening socket. There is only one such process, because it holds the sessions of the bridge.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import warnings
from types import FrameType

import uvicorn

from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.up.http_protocol import BACKLOG, QUEUE, OutOfFiles, Protocol, most_connections, raise_file_limit
from orchestrator_site.up.pdeathsig import die_with_supervisor

GRACE_SECONDS = 2
EXIT_SECONDS = 2.5
"""After a signal; a stream that never closes and a view that blocks its thread are cut off."""


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(QUEUE)  # asyncio has asked for as few as it accepts at once

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        from orchestrator_site.asgi.event_hub import EventHub  # loaded by now

        timer = threading.Timer(EXIT_SECONDS, _exit_now)
        timer.daemon = True
        timer.start()
        EventHub.is_over = True
        super().handle_exit(sig, frame)


def main(argv: list[str]) -> int:
    gc.disable()  # until all is loaded: the imports make many objects and little garbage
    hide_root()
    die_with_supervisor(argv)
    # How long a thread that runs a query may have to wait for the event loop before it gets the interpreter back.
    sys.setswitchinterval(0.0002)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    server = Server(_config())
    server.run(sockets=[socket.socket(fileno=int(argv[0]))])
    return 0 if server.started else 1


def _config() -> uvicorn.Config:
    from django.conf import settings

    Protocol.most = most_connections(raise_file_limit())
    logging.getLogger("asyncio").addFilter(OutOfFiles())
    # Static files are small and read at once.
    warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
    module, _, name = settings.ASGI_APPLICATION.rpartition(".")
    config = uvicorn.Config(
        f"{module}:{name}",
        http=Protocol,
        backlog=BACKLOG,
        ws="none",
        lifespan="on",
        access_log=False,  # it would write the tokens of sign-in links
        log_config=None,  # the settings configure logging
        server_header=False,
        proxy_headers=settings.ORCHESTRATOR_TLS,  # without a proxy, any client could forge them
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    # What is loaded by now stays; collecting garbage in it would cost a tenth of every request.
    gc.collect()
    gc.freeze()
    gc.enable()
    return config


def _exit_now() -> None:
    """Exit without waiting for threads; the database rolls back what they had not committed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
