"""One supervised process, with everything that it starts."""

from __future__ import annotations

import copy
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from orchestrator_site.kernel.processes import has_exited, module_command, module_environment, reap
from orchestrator_site.up.orphans import supervisor_option

SECOND_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
REPORTS = "ORCHESTRATOR_REPORTS"
"""The variable that names the descriptor on which a child reports: `ready VERSION`, `carried N` requests, `cut N`,
`refused` and why."""
STEADY_SECONDS = 5.0
"""A child that ran for so long starts again at once, however often it has exited before."""


class Child:
    """A module of ours that runs in a session of its own, so that a Ctrl-C reaches the supervisor alone."""

    def __init__(
        self, name: str, module: str, *arguments: str, listeners: Sequence[socket.socket] = (), hands_over: bool = False
    ) -> None:
        """With `hands_over`, SIGHUP makes it leave what it has to the next one."""
        self.name = name
        self._hands_over = hands_over or bool(listeners)
        self.listeners = listeners
        self.starts = 0
        self.restart_at: float | None = None
        self._command = module_command(
            module, [*(str(each.fileno()) for each in listeners), *arguments, supervisor_option()]
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._delay: float | None = None
        self._reports = -1
        self._reported = b""

    def successor(self) -> Child:
        """Return one like this that was not started yet, and that has run properly before."""
        following = copy.copy(self)
        following._process, following.restart_at, following._delay, following._reports = None, None, None, -1
        return following

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._started_at

    def start(self, environment: dict[str, str]) -> None:
        self._started_at = time.monotonic()
        is_posix = os.name == "posix"
        reports: list[int] = []
        for listener in self.listeners:
            listener.set_inheritable(True)
        if self.listeners and is_posix:
            reports = [self._open_reports()]
            environment = environment | {REPORTS: str(reports[0])}
        try:
            self._process = subprocess.Popen(
                self._command,
                env=module_environment() | environment,
                stdin=subprocess.DEVNULL,
                close_fds=is_posix,  # Windows passes a socket on only together with all else that is inheritable
                pass_fds=[*(each.fileno() for each in self.listeners), *reports] if is_posix else (),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        finally:
            for fd in reports:
                os.close(fd)
        self.starts += 1
        self.restart_at = None

    def _open_reports(self) -> int:
        """Return the end of a pipe on which the child reports; the other end never blocks."""
        self._close_reports()
        self._reports, end = os.pipe()
        self._reported = b""
        os.set_blocking(self._reports, False)
        return end

    def _close_reports(self) -> None:
        if self._reports >= 0:
            os.close(self._reports)
            self._reports = -1

    def reported(self, word: str) -> str:
        """Return what a child with a listener has reported under a word last, empty where it has not."""
        with suppress(OSError):  # nothing new, or no pipe
            while more := os.read(self._reports, 4096):
                self._reported += more
        lines = [line.partition(" ") for line in self._reported.decode().splitlines()]
        return next((rest for first, _, rest in reversed(lines) if first == word), "")

    def has_exited(self) -> bool:
        return self._process is not None and has_exited(self._process)

    def terminate(self) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))  # Windows has the first

    def let_go(self) -> None:
        """Ask it to finish what it has and to exit then."""
        if self._hands_over and hasattr(signal, "SIGHUP") and self._process is not None:
            with suppress(OSError):
                self._process.send_signal(signal.SIGHUP)
        else:
            self.terminate()

    def reap(self) -> str:
        """Kill what is left of its group, and return how it exited."""
        if self._process is None:
            return ""
        code = reap(self._process)
        self._process = None
        self._close_reports()
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def schedule_restart(self) -> float:
        """Return the seconds until its next start: none at first, then doubled with each exit in a row."""
        if self._delay is None or self.age_seconds > STEADY_SECONDS:
            self._delay = 0.0
        else:
            self._delay = min(self._delay * 2 or SECOND_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
        self.restart_at = time.monotonic() + self._delay
        return self._delay
