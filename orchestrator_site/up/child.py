"""One process under supervision, with all that it starts in turn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from orchestrator_site.up.lifeline import ROOT, SUPERVISOR
from orchestrator_site.up.processes import kill_group

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 30.0
"""A child that ran for so long is well; its next death begins the delays anew."""


class Child:
    """A module of ours that runs as a process, in a session of its own: a Ctrl-C is for the supervisor alone."""

    def __init__(self, name: str, module: str, *arguments: str, listener: socket.socket | None = None) -> None:
        self.name = name
        self.starts = 0
        self.restart_at: float | None = None
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._delay = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a process that was not collected yet."""
        return self._process is not None

    @property
    def serves(self) -> bool:
        """Whether it answers at the port."""
        return self._listener is not None

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group, too."""
        return self._process.pid if self._process else 0

    @property
    def age_seconds(self) -> float:
        """How long ago it was started last."""
        return time.monotonic() - self._began

    def start(self, environment: dict[str, str]) -> None:
        """Start it. Raises OSError where the system refuses."""
        variables = dict(os.environ) | environment | {SUPERVISOR: str(os.getpid())}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._began = time.monotonic()
        self._process = _popen(self._command, variables, self._listener)
        self.starts += 1
        self.restart_at = None

    def has_ended(self) -> bool:
        """Whether it ended. Where that can be, it is not collected yet: its number cannot be somebody else's then."""
        if self._process is None:
            return False
        if not hasattr(os, "waitid"):  # Windows, and macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def tell_to_stop(self) -> None:
        """Ask it to end in its own way."""
        if self._process is None:
            return
        sig = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)  # Windows has the one, all others the other
        with suppress(ProcessLookupError, OSError):
            self._process.send_signal(sig)

    def reap(self) -> str:
        """End what is left of its group, collect it, and return how it ended, in words."""
        if self._process is None:
            return ""
        kill_group(self.pid)
        code = self._process.wait()
        self._process = None
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def next_delay(self) -> float:
        """Return after how many seconds it is started again: twice as long with every death in a row."""
        if self.age_seconds > STEADY_SECONDS:
            self._delay = 0.0
        self._delay = min(self._delay * 2 or FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
        self.restart_at = time.monotonic() + self._delay
        return self._delay


def _popen(
    command: Sequence[str], environment: dict[str, str], listener: socket.socket | None
) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        if listener is not None:
            listener.set_inheritable(True)
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            close_fds=False,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        pass_fds=() if listener is None else (listener.fileno(),),
        start_new_session=True,
    )
