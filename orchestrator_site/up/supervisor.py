"""Starts the web server and the worker, restarts them when they exit, and ends them with itself."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue
from threading import Thread

from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.up.child import Child
from orchestrator_site.up.local_socket import turn_away
from orchestrator_site.up.port import ANYWHERE
from orchestrator_site.up.restart import POLL_SECONDS as RESTART_POLL_SECONDS
from orchestrator_site.up.restart import SiteRestart

logger = logging.getLogger(__name__)

GRACE_SECONDS = 3.0
"""How long children may take to exit before their groups are killed, so that all of it takes less than five seconds."""
FIRST_SECONDS = 2.0
"""A worker that exits so soon after its first start cannot start at all."""
POLL_SECONDS = 1.0
_STOP, _CHILD, _READY, _HANG_UP = "stop", "child exited", "ready", "hang up"
_STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK")


class ChildGaveUp(OrchestratorError):
    """A child exited right after its first start."""

    code = "conflict"
    status = 500


class Supervisor:
    """The children of one `up`. They are started in the thread that waits, since Linux ends them with that thread."""

    def __init__(
        self, children: list[Child], environment: dict[str, str], probe: Probe, on_ready: Callable[[], None]
    ) -> None:
        self._children = children
        self._environment = environment
        self._probe = probe
        self._on_ready = on_ready
        # SimpleQueue.put may be called from a signal handler; an Event or a Condition may not.
        self._events: SimpleQueue[str] = SimpleQueue()
        self._stops = 0
        self._restart = SiteRestart(children, self._start)
        self._has_terminal = _has_terminal()
        self._ignores_its_end = hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    def run(self) -> None:
        """Supervise until a signal comes.

        Raises ChildGaveUp where a child cannot even start, and OSError where the system refuses.
        """
        with _signals_into(self._events):
            try:
                for child in self._children:
                    self._start(child, {})
                self._probe.start(lambda: self._events.put(_READY))
                while not self._stops:
                    for child in self._children:
                        self._restart_if_due(child)
                    self._restart.tend()
                    restarts = [child.restart_at for child in self._children if child.restart_at is not None]
                    pause = RESTART_POLL_SECONDS if self._restart.is_busy or restarts else POLL_SECONDS
                    self._handle_event(min([pause, *(at - time.monotonic() for at in restarts)]))
            finally:
                self._stop()

    def _start(self, child: Child, environment: dict[str, str]) -> None:
        child.start(self._environment | environment)
        logger.info("%s started (process %d).", child.name, child.pid)

    def _handle_event(self, seconds: float) -> None:
        with suppress(Empty):
            event = self._events.get(timeout=max(0.0, seconds))
            if event == _HANG_UP and self._has_terminal and not _has_terminal():
                event = "" if self._ignores_its_end else _STOP
            self._stops += event == _STOP
            if event == _HANG_UP:
                self._restart.ask()
            if event == _READY and not self._stops:
                self._on_ready()

    def _restart_if_due(self, child: Child) -> None:
        """Restart it when it is due. Raises ChildGaveUp for a child that has never run properly."""
        if child.has_exited():
            seconds = child.age_seconds
            how = child.reap()
            has_run = self._probe.is_answered if child.listeners else seconds > FIRST_SECONDS
            if child.starts == 1 and not has_run:
                raise ChildGaveUp(
                    f"{child.name} exited {seconds:.1f} s after its start ({how}).", next="The lines above say why."
                )
            logger.warning("%s exited (%s); restarting in %.1f s.", child.name, how, child.schedule_restart())
        elif child.restart_at is not None and time.monotonic() >= child.restart_at:
            try:
                self._start(child, {})
            except OSError as error:
                logger.warning("%s cannot start (%s); next try in %.1f s.", child.name, error, child.schedule_restart())
        elif child.restart_at is not None:
            for local in child.listeners[1:]:
                turn_away(local)

    def _stop(self) -> None:
        """Ask all to exit, and kill those that take too long; a second signal kills them at once."""
        self._probe.close()
        for listener in (listener for child in self._children for listener in child.listeners):
            listener.close()  # nothing may queue there any longer
        self._stops = self._stops or 1
        children = [child for child in [*self._children, *self._restart.extra_children] if child.is_running]
        for child in children:
            child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while self._stops < 2 and not all(child.has_exited() for child in children):
            if (left := deadline - time.monotonic()) <= 0:
                break
            self._handle_event(min(left, 0.1))
        for child in children:
            logger.info("%s stopped (%s).", child.name, child.reap())


class Probe:
    """Asks the web server until it answers for the first time."""

    def __init__(self, listener: socket.socket, host: str) -> None:
        self.is_answered = False
        address, port = listener.getsockname()[:2]
        self._address = ANYWHERE.get(address, address), port
        self._host = host
        self._is_closed = False

    def start(self, on_answer: Callable[[], None]) -> None:
        """Ask in a thread of its own: the request waits in the queue of the port until a web server accepts it."""
        Thread(target=self._ask, args=[on_answer], name="probe", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._is_closed = True

    def _ask(self, on_answer: Callable[[], None]) -> None:
        while not (self._is_closed or self.is_answered):
            connection = HTTPConnection(*self._address)
            with suppress(OSError, HTTPException), closing(connection):  # where the web server exits, the next is asked
                connection.request("GET", "/healthz", headers={"Host": self._host})
                connection.getresponse()
                self.is_answered = True
        if self.is_answered:
            on_answer()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except (OSError, AttributeError):  # it has gone, or there never was one; Windows has no such thing
        return False
    return True


@contextmanager
def _signals_into(events: SimpleQueue[str]) -> Iterator[None]:
    """Note signals that stop or restart us, and exits of children, in a queue."""
    meanings = {"SIGCHLD": _CHILD, "SIGHUP": _HANG_UP, **dict.fromkeys(_STOP_SIGNALS, _STOP)}
    known = {int(getattr(signal, name)): meaning for name, meaning in meanings.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, lambda got, frame: events.put(known[got])) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
