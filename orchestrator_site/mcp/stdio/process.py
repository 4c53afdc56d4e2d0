"""The worker as a child process: its pipes, its environment, and its exit with nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from orchestrator_site.kernel.processes import kill_group, module_command, module_environment, reap
from orchestrator_site.mcp.stdio.framing import LINE_LIMIT, LineWriter, log, read_lines, widen
from orchestrator_site.mcp.stdio.link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

WORKER_MODULE = "orchestrator_site.mcp.stdio.worker"


class Worker(Link):
    """A running worker."""

    def __init__(self, connection_id: str, arguments: list[str], *, is_trial: bool = False) -> None:
        """One on trial shows that it serves, and leaves the database as it is."""
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
        self._process, input, self._output = start(module_command(WORKER_MODULE, arguments), environment)
        super().__init__(input)

    @property
    def pid(self) -> int:
        return self._process.pid

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
    import subprocess

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
    import subprocess  # a tenth of the start of a proxy, which needs it only where no site runs

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
