"""Run the commands of the product as the processes that users run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE_SECONDS = 100


def manage(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )


def shared_database() -> dict[str, str]:
    """Return the variables by which a process gets the database of the running test, which must commit."""
    db = connection.settings_dict
    where = f"{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}" if connection.vendor == "postgresql" else ""
    return {"DATABASE_URL": f"{'postgres' if where else 'sqlite'}://{where}/{db['NAME']}"}


def group(leader: int) -> list[int]:
    """Return the running processes of a group."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == leader and not state.startswith("Z")]


def complaints(text: str) -> list[str]:
    """Return what a process wrote to stderr, except process events and the notice that it waits for a lock."""
    usual = ("Waiting: another process is bringing", " INFO orchestrator_site.up.")
    return [line for line in text.splitlines() if not any(words in line for words in usual)]


def wait_until(question: Callable[[], bool], what: str) -> None:
    """Poll until something is true; fail after a while."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not question():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE_SECONDS} s"
        time.sleep(0.02)


@dataclass
class Site:
    """A started site, with what it has written so far."""

    process: subprocess.Popen[str]
    out: Path
    err: Path

    def wait_until_greeted(self) -> None:
        """Wait for the greeting, which comes when requests are answered."""
        wait_until(lambda: "mcp_serve" in self.written() or self.process.poll() is not None, "the greeting")
        assert self.process.poll() is None, self.err.read_text()

    def written(self) -> str:
        """Return what it has written to stdout."""
        return self.out.read_text()

    @property
    def address(self) -> str:
        """The address that the greeting names."""
        return self._find(r"(http://\S+?)/ ")

    @property
    def link(self) -> str:
        """The sign-in link that the greeting names."""
        return self._find(r"(http://\S+/sign-in/\S+)")

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.written())
        assert found, self.written()
        return found[1]

    def end(self, sig: int = signal.SIGINT) -> float:
        """Send a signal and return how many seconds the process took to exit."""
        began = time.monotonic()
        self.process.send_signal(sig)
        self.process.wait(timeout=DEADLINE_SECONDS)
        return time.monotonic() - began


@contextmanager
def start(
    folder: Path, *command: str, through: Sequence[str] = (), environ: dict[str, str] | None = None
) -> Iterator[Site]:
    """Start a site, by default `manage.py up` without jobs on any free port; kill what is left of it afterwards.

    `through` is a program that executes the command, `environ` all its variables.
    """
    folder.mkdir(exist_ok=True)
    out, err = folder / "out", folder / "err"
    words = command or ("manage.py", "up", "--port", "0", "--no-worker")
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [*through, sys.executable, *words],
            cwd=ROOT,
            env=environ or dict(os.environ),
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
    try:
        yield Site(process, out, err)
    finally:
        process.kill()
        process.wait()
