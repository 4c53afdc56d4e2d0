"""Keeps one agent: the parent that outlives the supervisor, run as a program of its own with the run folder as its cwd.

It passes `input` on to the agent, copies what the agent writes into logs that do not grow beyond their limits, inherits
the processes that the agent orphans (Linux), notes the agent's exit code, and exits once no process is left below it.
At SIGUSR1 it kills them all.
Standard library only: it starts fast and nothing of ours can be imported.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

# What the supervisor writes into the FIFO: there is more to read in `input`; nothing will follow in it.
MORE, LAST = b"m", b"l"
STARTED = b"started"
_CHUNK = 65536
_PR_SET_CHILD_SUBREAPER = 36


class Sink:
    """Copies one output of the agent into its log. It reads no more once that is full, so who writes on has to wait."""

    def __init__(self, source: int, file: str, limit: int) -> None:
        self.source = source
        self.room = limit
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND)
        os.set_blocking(source, False)

    def copy(self) -> bool:
        """Copy what is there; return whether there may be more."""
        try:
            chunk = os.read(self.source, min(_CHUNK, self.room))
        except BlockingIOError:
            return False
        if not chunk:  # its end, or no room
            self.room = 0
        self.room -= len(chunk)
        try:
            while chunk:
                chunk = chunk[os.write(self._file, chunk) :]
        except OSError:  # the disk is full
            self.room = 0
        return self.room > 0


class Feed:
    """Passes input on as fast as the agent reads it."""

    def __init__(self, target: int, *, stays_open: bool) -> None:
        self._target = target
        self._file = os.open("input", os.O_RDONLY)
        self._pending = b""
        self._is_open = True
        self.is_last = not stays_open
        os.set_blocking(target, False)

    def waits_for(self) -> list[int]:
        """Return the descriptor that has to be writable before something can be passed on; end what has its end."""
        if self._is_open and not self._pending:
            self._pending = os.read(self._file, _CHUNK)
            if self.is_last and not self._pending:
                self._close()
        return [self._target] if self._pending else []

    def push(self) -> None:
        try:
            self._pending = self._pending[os.write(self._target, self._pending) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._close()

    def _close(self) -> None:
        os.close(self._target)
        self._is_open, self._pending = False, b""
        with suppress(OSError):  # the agent has removed it
            os.rename("input", "input.ended")  # noqa: PTH104


class Keeper:
    def __init__(self, agent: int, feed: Feed, sinks: list[Sink], wake: int) -> None:
        self._agent, self._feed, self._sinks, self._wake = agent, feed, sinks, wake
        self._bell = os.open("in", os.O_RDWR | os.O_NONBLOCK)
        self._is_killing = False

    def keep(self) -> None:
        """Serve the agent, and whatever it leaves behind, until all have exited."""
        while self._reap():
            sources = {sink.source: sink for sink in self._sinks if sink.room}
            readable, writable, _ = select.select([self._bell, self._wake, *sources], self._feed.waits_for(), [])
            for fd in readable:
                if fd in sources:
                    sources[fd].copy()
                elif fd == self._bell:
                    self._feed.is_last |= LAST in os.read(fd, _CHUNK)
                else:
                    self._is_killing |= signal.SIGUSR1 in os.read(fd, _CHUNK)
            if writable:
                self._feed.push()
            if self._is_killing:
                _kill_children()
        self._drain()

    def _reap(self) -> bool:
        """Collect who has exited; return whether anyone is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._agent:
                self._drain()
                _write("exit", os.waitstatus_to_exitcode(status))

    def _drain(self) -> None:
        for sink in self._sinks:
            while sink.room and sink.copy():
                pass


def main() -> None:
    job: dict[str, Any] = json.load(sys.stdin.buffer)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake = _woken_by_signals()
    try:
        agent = _start(job)
    except (OSError, subprocess.SubprocessError) as error:
        os.write(1, str(getattr(error, "errno", "") or "").encode())
        return
    assert agent.stdin and agent.stdout and agent.stderr  # noqa: S101 - they are pipes
    sinks = [
        Sink(agent.stdout.fileno(), "events.jsonl", job["log_bytes"]),
        Sink(agent.stderr.fileno(), "stderr.log", job["stderr_bytes"]),
    ]
    keeper = Keeper(agent.pid, Feed(agent.stdin.fileno(), stays_open=job["stdin_stays_open"]), sinks, wake)
    _write("agent", agent.pid)
    os.write(1, STARTED)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    keeper.keep()
    os._exit(0)  # without closing what the agent's object still holds


def _woken_by_signals() -> int:
    """Let only SIGKILL end this process, and return where the numbers of other signals can be read."""
    for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # handled, not ignored, which the agent would inherit
    wake, rung = os.pipe()
    os.set_blocking(rung, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(rung, warn_on_full_buffer=False)
    return wake


def _start(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    import resource  # Windows has none, and imports this module

    def limit() -> None:
        for name, value in job["limits"].items():
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
        os.nice(job["nice"])

    return subprocess.Popen(
        job["argv"], env=job["environment"], cwd=job["cwd"], bufsize=0, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=limit,
    )  # fmt: skip


def _kill_children() -> None:
    """Kill who is below this process: what they leave behind is next, faster than any scan sees what forks on."""
    try:
        with open("/proc/thread-self/children") as listed:  # noqa: PTH123
            pids = [int(pid) for pid in listed.read().split()]
    except OSError:  # macOS
        return
    for pid in pids:  # none was collected yet, so none is another process by now
        os.kill(pid, signal.SIGKILL)


def _write(name: str, number: int) -> None:
    """Write a file whole, for readers that come at any time."""
    with suppress(OSError):  # the disk is full, or the agent has put something else there
        with open(f".{name}", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(str(number))
        os.rename(f".{name}", name)  # noqa: PTH104


if __name__ == "__main__":
    main()
