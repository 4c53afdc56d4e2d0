"""The worker as a child process: its pipes, its environment, and its end with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from orchestrator_site.mcp.stdio.framing import LINE_LIMIT, LineWriter, log, read_lines, widen

WORKER_MODULE = "orchestrator_site.mcp.stdio.worker"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120
_POLL_SECONDS = 0.01


class Worker:
    """A running worker. It sees the end of its input when the proxy ends, however that happens."""

    def __init__(self, connection_id: str, arguments: list[str]) -> None:
        """Start it. Raises OSError where the system refuses."""
        self.is_useful = False
        self.started_at = time.monotonic()
        self._process, self._input, self._output = _start(connection_id, arguments)

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Write one whole line; a worker that has gone is noticed at the end of its output."""
        self._input.send(line)

    def send_first(self, lines: Callable[[], list[bytes]]) -> None:
        """Write lines before any that another thread sends."""
        with self._input.lock:
            for line in lines():
                self._input.write(line)

    def lines(self) -> Iterator[bytes]:
        """Yield its lines until it ends."""
        return read_lines(self._output, lambda: log("a line of the worker was too long"), limit=4 * LINE_LIMIT)

    def close_input(self) -> None:
        """Signal that the connection has ended."""
        self._input.close()

    def kill(self) -> None:
        """End it and its children at once."""
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def reap(self, grace_seconds: float) -> int:
        """Wait for its end, kill what is left of its group, free its pipes; return its exit code."""
        self._wait_unreaped(grace_seconds)
        self.kill()
        code = self._process.wait()
        self._input.close()
        os.close(self._output)
        return code

    def _wait_unreaped(self, seconds: float) -> None:
        """Wait without collecting the exit code: until then the process group cannot be somebody else's."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._has_exited():
            time.sleep(_POLL_SECONDS)

    def _has_exited(self) -> bool:
        if not hasattr(os, "waitid"):  # Windows, and macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _start(connection_id: str, arguments: list[str]) -> tuple[subprocess.Popen[bytes], LineWriter, int]:
    command = [sys.executable, "-P", "-m", WORKER_MODULE, *arguments]
    environment = _environment(connection_id)
    if os.name == "posix":
        return _start_with_private_wire(command, environment)
    return _start_with_standard_streams(command, environment)


def _start_with_standard_streams(
    command: list[str], environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], LineWriter, int]:
    """Start it on systems that pass on only the standard streams; it makes them private itself."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # A Ctrl-C is for the proxy, which ends the worker in its own way.
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    assert process.stdin and process.stdout  # noqa: S101 - both are pipes, as asked for
    with process.stdin, process.stdout:
        return process, LineWriter(os.dup(process.stdin.fileno()), _ignore), os.dup(process.stdout.fileno())


def _start_with_private_wire(
    command: list[str], environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], LineWriter, int]:
    """Start it with extra descriptors for messages, so that all it prints goes to standard error."""
    their_input, our_output = os.pipe()
    our_input, their_output = os.pipe()
    for end in (our_output, our_input):
        widen(end)
    environment["ORCHESTRATOR_WIRE"] = f"{their_input},{their_output}"
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(their_input, their_output),
            start_new_session=True,
        )
    except OSError:
        os.close(our_output)
        os.close(our_input)
        raise
    finally:
        os.close(their_input)
        os.close(their_output)
    return process, LineWriter(our_output, _ignore), our_input


def _environment(connection_id: str) -> dict[str, str]:
    """Return the environment of the worker: ours, and facts about the connection."""
    environment = dict(os.environ)
    # Compiled files make the next start faster.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, environment.get("PYTHONPATH"))))
    environment["ORCHESTRATOR_CONNECTION_ID"] = connection_id
    # One glibc heap for all threads, so that each can reuse what another has freed.
    environment.setdefault("MALLOC_ARENA_MAX", "1")
    with suppress(FileNotFoundError):  # the client's directory may be gone
        environment["ORCHESTRATOR_CLIENT_DIRECTORY"] = os.getcwd()  # noqa: PTH109
    return environment


def _ignore() -> None:
    """A worker that has gone is noticed at the end of its output."""
