"""Starts the web server and the worker, starts them again when they die, and ends them with itself."""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.up.child import Child
from orchestrator_site.up.leftovers import Record
from orchestrator_site.up.port import ANYWHERE

logger = logging.getLogger(__name__)

GRACE_SECONDS = 3.0
"""How long children may take to end; then their groups are killed. The whole end takes less than five seconds."""
FIRST_SECONDS = 2.0
"""A worker that dies so soon after its first start would die for ever."""
POLL_SECONDS = 1.0
_STOP = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")


class ChildGaveUp(OrchestratorError):
    """A child ended right after its first start."""

    code = "conflict"
    status = 500


class Supervisor:
    """The children of one `up`, looked after in one thread: a child may die with the thread that started it."""

    def __init__(self, children: list[Child], environment: dict[str, str], answer: Answer) -> None:
        self._children = children
        self._environment = environment
        self._answer = answer
        self._record = Record()
        self._told_to_stop = 0

    def run(self) -> None:
        """Supervise until told to stop.

        Raises ChildGaveUp where a child cannot even start, and OSError where the system refuses.
        """
        with _wake_up(self._on_signal) as alarm:
            try:
                for child in self._children:
                    self._start(child)
                while not self._told_to_stop:
                    self._wait(alarm)
                    for child in self._children:
                        self._look_after(child)
            finally:
                self._stop(alarm)

    def _on_signal(self, sig: int, frame: FrameType | None) -> None:
        self._told_to_stop += 1

    def _start(self, child: Child) -> None:
        child.start(self._environment)
        self._record.write([each.pid for each in self._children if each.runs])
        logger.info("%s started (process %d).", child.name, child.pid)

    def _wait(self, alarm: socket.socket) -> None:
        """Wait until something may have happened: a child ended, a signal came, the site answers, a delay is over."""
        due = [child.restart_at - time.monotonic() for child in self._children if child.restart_at is not None]
        ready, _, _ = select.select([alarm, *self._answer.sockets], [], [], max(0.0, min([POLL_SECONDS, *due])))
        if alarm in ready:
            _silence(alarm)
        if set(ready) - {alarm}:
            self._answer.read()

    def _look_after(self, child: Child) -> None:
        if child.has_ended():
            self._mourn(child)
        elif child.restart_at is not None and time.monotonic() >= child.restart_at and not self._told_to_stop:
            self._restart(child)

    def _mourn(self, child: Child) -> None:
        """Say how a child died and when the next one starts. Raises ChildGaveUp where that would be of no use."""
        seconds = child.age_seconds
        how = child.reap()
        if child.starts == 1 and not self._was_well(child, seconds):
            raise ChildGaveUp(
                f"{child.name} ended {seconds:.1f} s after its start ({how}).", next="The lines above say why."
            )
        logger.warning("%s died (%s); it is started again in %.1f s.", child.name, how, child.next_delay())

    def _was_well(self, child: Child, seconds: float) -> bool:
        """Whether a child that ended after its first start had begun to work: what cannot start is not tried again."""
        return self._answer.came if child.serves else seconds > FIRST_SECONDS

    def _restart(self, child: Child) -> None:
        """Start a child again, or try later where the system has no room for it now."""
        try:
            self._start(child)
        except OSError as error:
            logger.warning("%s cannot be started (%s); again in %.1f s.", child.name, error, child.next_delay())

    def _stop(self, alarm: socket.socket) -> None:
        """Tell all to end, and end those that take too long; a second signal ends them at once."""
        self._answer.close()
        children = [child for child in self._children if child.runs]
        for child in children:
            child.tell_to_stop()
        signals = self._told_to_stop
        deadline = time.monotonic() + GRACE_SECONDS
        while self._told_to_stop <= max(signals, 1) and not all(child.has_ended() for child in children):
            if (left := deadline - time.monotonic()) <= 0:
                break
            select.select([alarm], [], [], min(left, 0.1))
            _silence(alarm)
        for child in children:
            logger.info("%s stopped (%s).", child.name, child.reap())
        self._record.remove()


class Answer:
    """The first answer of the web server, which is asked for as soon as somebody listens at its port."""

    def __init__(self, listener: socket.socket, host: str, on_answer: Callable[[], None]) -> None:
        self.came = False
        self.sockets: list[socket.socket] = []
        self._listener = listener
        self._question = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        self._on_answer = on_answer
        self._ask()

    def _ask(self) -> None:
        """The question waits in the port's queue until a web server takes it."""
        asking = socket.socket(self._listener.family, socket.SOCK_STREAM)
        asking.connect(_reachable(self._listener))
        asking.sendall(self._question)
        self.sockets = [asking]

    def read(self) -> None:
        """Look at what came. Where the connection broke, the web server has died, and the next one is asked."""
        data = b""
        with suppress(OSError):
            data = self.sockets[0].recv(64)
        self._hang_up()
        if data.startswith(b"HTTP/"):
            self.came = True
            self._on_answer()
        else:
            self._ask()

    def close(self) -> None:
        """Ask no more, and let nobody queue at the port any longer."""
        self._hang_up()
        self._listener.close()

    def _hang_up(self) -> None:
        for asking in self.sockets:
            asking.close()
        self.sockets = []


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return ANYWHERE.get(host, host), port


@contextmanager
def _wake_up(on_stop: Callable[[int, FrameType | None], None]) -> Iterator[socket.socket]:
    """Yield a socket that becomes readable with every signal; those that mean the end are counted by `on_stop`."""
    alarm, bell = socket.socketpair()
    alarm.setblocking(False)
    bell.setblocking(False)
    handlers = {number: on_stop for name in _STOP if (number := getattr(signal, name, None)) and _matters(number)}
    if hasattr(signal, "SIGCHLD"):
        handlers[signal.SIGCHLD] = lambda *_: None  # a signal without a handler rings no bell
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    try:
        yield alarm
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        alarm.close()
        bell.close()


def _matters(number: int) -> bool:
    """A hang-up that was to be ignored (`nohup`) is ignored."""
    return number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN


def _silence(alarm: socket.socket) -> None:
    with suppress(BlockingIOError):
        while alarm.recv(4096):
            pass
