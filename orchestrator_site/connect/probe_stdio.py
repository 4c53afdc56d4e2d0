"""Starts a configured command and speaks to it over its pipes, within a bounded time and leaving nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

from orchestrator_site.connect.diffs import masked
from orchestrator_site.connect.probe import ANSWER_LIMIT, DEADLINE_SECONDS, NotConnected, Seen, Wire, greet_and_list

_GRACE_SECONDS = 5.0
_SHORT_GRACE_SECONDS = 1.0
_WORDS_OF_STDERR = 600


def probe_command(
    command: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    folder: str | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Seen:
    """Start a command with this environment and return what it offers.

    Raises NotConnected, with the last words of its standard error.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = _start([command, *arguments], environ, errors, folder)
        pipes = _Pipes(process, began + deadline_seconds)
        try:
            return greet_and_list(pipes, began)
        except NotConnected as problem:
            pipes.close(_SHORT_GRACE_SECONDS)
            raise NotConnected(f"{problem.message}{_last_words(errors)}", next=problem.next) from problem
        finally:
            pipes.close()


def _start(
    words: list[str], environ: Mapping[str, str], errors: IO[bytes], folder: str | None
) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=errors, env=dict(environ), cwd=folder, start_new_session=True
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NotConnected(
            f"{words[0]} cannot be started: {why}.", next="Has it moved? Then connect the assistant again."
        ) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_words(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 8192))
    words = masked(errors.read().decode(errors="replace")).strip()[-_WORDS_OF_STDERR:]
    return f"\nIts last words: {words}" if words else ""


class _Pipes(Wire):
    def __init__(self, process: subprocess.Popen[bytes], ends_at: float) -> None:
        self._process = process
        self._ends_at = ends_at
        self._last_id = 0
        self._lines: Queue[bytes] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        """Close its input, which is how an assistant leaves, and end whatever stays behind."""
        assert self._process.stdin and self._process.stdout  # noqa: S101  it was started with pipes
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            _kill(self._process)
            self._process.wait(_GRACE_SECONDS)
        self._reader.join(grace_seconds)
        if self._reader.is_alive():  # a child of the command keeps its output open
            _kill(self._process)
            self._reader.join(_GRACE_SECONDS)
        if not self._reader.is_alive():
            self._process.stdout.close()

    def _read(self) -> None:
        """Read lines of a bounded length; the empty one means the end."""
        assert self._process.stdout  # noqa: S101  it was started with a pipe
        while line := self._process.stdout.readline(ANSWER_LIMIT):
            self._lines.put(line)
        self._lines.put(b"")

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        while (message := self._next(method)).get("id") != self._last_id or "method" in message:
            pass
        return message

    def notify(self, method: str) -> None:
        self._send({"jsonrpc": "2.0", "method": method})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            assert self._process.stdin  # noqa: S101  it was started with a pipe
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise NotConnected("The command ended before it was asked anything.") from error

    def _next(self, method: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=max(0.0, self._ends_at - time.monotonic()))
        except Empty:
            raise NotConnected(f"{method} was not answered in time.", next="Try the command in a terminal.") from None
        if not line:
            raise NotConnected(f"The command ended before it answered {method}.")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise NotConnected("The command wrote something to its standard output that is no message.")
        return message
