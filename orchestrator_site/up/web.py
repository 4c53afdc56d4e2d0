"""The web server of `manage.py up`: uvicorn as a child process that exits within a bounded time.

The supervisor starts it as `python -m orchestrator_site.up.web SOCKET [LOCAL]`, where SOCKET is the file descriptor of
the listening socket and LOCAL that of the one for assistants on this machine. There is only one such process, because
it holds the sessions of the bridge.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from contextlib import suppress
from types import FrameType

import uvicorn

import orchestrator_site
from orchestrator_site.kernel.introduction import LISTENER
from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.up.child import REPORTS
from orchestrator_site.up.http_protocol import BACKLOG, QUEUE, OutOfFiles, Protocol, most_connections, raise_file_limit
from orchestrator_site.up.pdeathsig import die_with_supervisor

GRACE_SECONDS = 2
EXIT_SECONDS = 2.5
"""After a signal; a stream that never closes and a view that blocks its thread are cut off."""


POLL_SECONDS = 0.02
IDLE_SECONDS = 2.0
"""How long a client may wait between two requests to a server that leaves, which then closes the connection."""


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, reports: Reports, local: socket.socket | None) -> None:
        super().__init__(config)
        self._reports = reports
        self._local = local

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state[LISTENER] = self._local
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(QUEUE)  # asyncio has asked for as few as it accepts at once
        self._loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self.leave)
        if self.started:
            self._reports.say(f"ready {orchestrator_site.__version__}")

    def leave(self, sig: int, frame: FrameType | None) -> None:
        """Finish all requests and exit, while another server accepts new ones; the supervisor limits the time."""
        from orchestrator_site.asgi.event_hub import EventHub  # loaded by now

        EventHub.is_over = Protocol.is_leaving = True
        self._loop.call_soon_threadsafe(self._accept_no_more)

    def _accept_no_more(self) -> None:
        """Exit only after the last answer: `sse-starlette` ends every answer that is a stream on `should_exit`."""
        for server in self.servers:
            server.close()
        self._reports.say(f"carried {len(self.server_state.tasks)}")
        self._leaving = self._loop.create_task(self._close_connections_politely())

    async def _close_connections_politely(self) -> None:
        """Say with each answer that its connection closes, so that no client loses a request to a closing one."""
        for connection in Protocol.all_open():
            connection.close_after_answer()
        idle_since: dict[Protocol, float] = {}
        while connections := Protocol.all_open():
            now = self._loop.time()
            idle_since = {each: idle_since.get(each, now) for each in connections if each.is_free}
            for each, since in idle_since.items():
                if now - since > IDLE_SECONDS:
                    each.shutdown()
            await asyncio.sleep(POLL_SECONDS)
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        from orchestrator_site.asgi.event_hub import EventHub  # loaded by now

        if Protocol.is_leaving:
            self._reports.say(f"cut {len(self.server_state.tasks)}")
            _exit_now()
        timer = threading.Timer(EXIT_SECONDS, _exit_now)
        timer.daemon = True
        timer.start()
        EventHub.is_over = True
        super().handle_exit(sig, frame)


class Reports:
    """Tells the supervisor what happens here."""

    def __init__(self) -> None:
        self._fd = int(os.environ.pop(REPORTS, "-1"))
        if self._fd >= 0:
            os.set_inheritable(self._fd, False)

    def say(self, line: str) -> None:
        if self._fd >= 0:
            with suppress(OSError):  # the supervisor has gone
                os.write(self._fd, line.encode() + b"\n")


def main(argv: list[str]) -> int:
    gc.disable()  # until all is loaded: the imports make many objects and little garbage
    hide_root()
    die_with_supervisor(argv)
    # How long a thread that runs a query may have to wait for the event loop before it gets the interpreter back.
    sys.setswitchinterval(0.0002)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    reports, is_on_trial = Reports(), bool(os.environ.pop("ORCHESTRATOR_TRIAL", ""))
    if os.environ.pop("ORCHESTRATOR_REPLACES", "") and (why := _prepare()):
        reports.say(f"refused {why}")
        return 1
    config = _config()
    if is_on_trial:  # all of it is loaded; to accept requests would be no trial
        reports.say(f"ready {orchestrator_site.__version__}")
        return 0
    listener, *local = [socket.socket(fileno=int(word)) for word in argv if word.isdigit()]
    server = Server(config, reports, local[0] if local else None)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _prepare() -> str:
    """Do what `up` does before its first web server: this code may be newer than that of the supervisor.

    Returns in a line why it refused, if it did.
    """
    from django.db import connections

    from maintenance.upgrades.ensure_schema import ensure_schema
    from orchestrator_site.kernel.errors import OrchestratorError
    from orchestrator_site.up.static_files import collect_static

    try:
        collect_static()
        ensure_schema(schedules=True)
    except OrchestratorError as error:
        return " ".join(f"{error.message} {error.next or ''}".split())
    finally:
        connections.close_all()
    return ""


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
