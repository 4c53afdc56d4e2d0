"""The worker as a child process: its pipes, its environment, and its exit with nothing left behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

from orchestrator_site.kernel.processes import kill_group, module_command, module_environment, reap
from orchestrator_site.mcp.stdio.framing import LINE_LIMIT, LineWriter, log, read_lines, widen

WORKER_MODULE = "orchestrator_site.mcp.stdio.worker"


class Served:
    """What the proxy notes about a worker."""

    def __init__(self) -> None:
        self.is_useful = False
        self.has_ended = False
        self.started_at = time.monotonic()
        self.facts: dict[str, Any] = {}
        """What it says of itself once it serves, or `{"problem": why}` where it cannot."""
        self.has_reported = Event()
        """Set with the facts, or without any once it has ended."""


class Worker(Served):
    """A running worker. It sees the end of its input when the proxy ends, however that happens."""

    def __init__(self, connection_id: str, arguments: list[str], *, is_trial: bool = False) -> None:
        """One on trial shows that it serves, and leaves the database as it is."""
        super().__init__()
        environment = module_environment()
        # Without our compiled files every start would compile again.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["ORCHESTRATOR_CONNECTION_ID"] = connection_id
        if is_trial:
            environment["ORCHESTRATOR_TRIAL"] = "1"
        # One heap for all threads (glibc): they take turns, so memory that one has freed serves the next.
        environment.setdefault("MALLOC_ARENA_MAX", "1")
        with suppress(FileNotFoundError):  # the client's directory may be gone
            environment["ORCHESTRATOR_CLIENT_DIRECTORY"] = os.getcwd()  # noqa: PTH109
        start = _start_with_private_wire if os.name == "posix" else _start_with_standard_streams
        self._process, self._input, self._output = start(module_command(WORKER_MODULE, arguments), environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, line: bytes) -> None:
        self._input.send(line)

    def send_first(self, lines: Callable[[], list[bytes]]) -> None:
        """Write lines before any that another thread sends."""
        with self._input.lock:
            for line in lines():
                self._input.write(line)

    def lines(self) -> Iterator[bytes]:
        return read_lines(self._output, lambda: log("a line of the worker was too long"), limit=4 * LINE_LIMIT)

    def close_input(self) -> None:
        self._input.close()

    def kill(self) -> None:
        kill_group(self.pid)

    def reap(self, grace_seconds: float) -> int:
        """Wait for its exit, kill what is left of its group, free its pipes; return its exit code."""
        code = reap(self._process, grace_seconds=grace_seconds)
        self._input.close()
        os.close(self._output)
        return code


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
        return process, LineWriter(os.dup(process.stdin.fileno()), lambda: None), os.dup(process.stdout.fileno())


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
    # A worker that has gone is noticed at the end of its output.
    return process, LineWriter(our_output, lambda: None), our_input
