"""Runs a command to its end, without a shell, and keeps the beginning and the end of what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from orchestrator_site.kernel.errors import Unavailable
from orchestrator_site.kernel.polling import poll
from orchestrator_site.kernel.processes import has_exited, kill_group, reap

KEPT_BYTES = 64 * 1024
_MARGIN = 8 * 1024
"""Kept besides at first, so that a secret that lies across the cut is seen as one."""
_EDGE = 1024  # where the half of a secret may be, which nothing recognizes
_GRACE_SECONDS = 5.0
_CHUNK = 64 * 1024
Show = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command. `exit_code` is None where it took too long, and was ended."""

    exit_code: int | None
    seconds: float
    output: Kept


class Kept:
    """The beginning and the end of what is printed, whatever its length."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._half = limit // 2
        self._head, self._tail, self._left_out = b"", bytearray(), 0

    def add(self, chunk: bytes) -> None:
        space = self._half + _MARGIN - len(self._head)
        self._head += chunk[:space] if space > 0 else b""
        self._tail += chunk[max(space, 0) :]
        if (surplus := len(self._tail) - self._half - _MARGIN) > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def text(self, clean: Callable[[str], str]) -> str:
        """Return it cleaned and then cut: in what is cut off nothing has to be recognized any more."""
        if not self._left_out:
            whole = clean((self._head + self._tail).decode("utf-8", "replace"))
            return whole if len(whole) <= 2 * self._half else _joined(whole, whole, self._half)
        head, tail = (clean(part.decode("utf-8", "replace")) for part in (self._head, bytes(self._tail)))
        return _joined(head[:-_EDGE], tail[_EDGE:], self._half)


def _joined(head: str, tail: str, half: int) -> str:
    return f"{head[:half]}\n… cut …\n{tail[-half:]}"


def run(
    argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout_seconds: float, show: Show
) -> Ran:
    """Run a command in a folder, and end with it everything that it started. Raises Unavailable for no such program."""
    began, kept = time.monotonic(), Kept()
    with _signals_raised():
        process = _started(argv, folder, environment)
        assert process.stdout  # noqa: S101 - it is a pipe
        reader = Thread(target=_pump, args=(process.stdout, kept, show), daemon=True)
        reader.start()
        try:
            is_over = poll(lambda: has_exited(process), seconds=timeout_seconds, interval=0.05)
            if not is_over:
                _ask_to_end(process)
            code = reap(process, grace_seconds=0 if is_over else _GRACE_SECONDS)
        except BaseException:  # we are ended; it is in a group of its own, which no terminal reaches
            kill_group(process.pid)
            process.wait()
            raise
    reader.join(_GRACE_SECONDS)  # what left the group may hold the pipe open
    return Ran(code if is_over else None, round(time.monotonic() - began, 1), kept)


def _started(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        words = [each.encode() for each in argv] if os.name == "posix" else argv  # whatever the locale
        return subprocess.Popen(
            words, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(
            f"{argv[0]} cannot be started: {error.strerror or 'the system refused it'}.",
            next="Install it, or correct the command in the project's settings.",
        ) from error


def _pump(pipe: IO[bytes], kept: Kept, show: Show) -> None:
    with pipe:
        while chunk := os.read(pipe.fileno(), _CHUNK):
            kept.add(chunk)
            show(chunk)


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise SystemExit for the signals that would end this process at once."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    ours = [each for each in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if each is not None]
    before = {each: signal.signal(each, leave) for each in ours}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
