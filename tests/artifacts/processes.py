"""Talks to processes that take uploads in and die (uploader.py)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mcp.stdio_client import ROOT, environment

BEFORE = ("half written", "not synced", "not acknowledged")
"""Points of an append at which nothing is acknowledged yet."""
UNCOMMITTED = ("counting", "kept", "in the transaction")
"""Points of a commit at which nothing is stored yet."""


class Uploader:
    """Sends commands, each of which runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout and process.stdin
        self._out, self._in = process.stdout, process.stdin
        self.pid = int(self._answer()["pid"])

    def do(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Run one command and return its answer."""
        self.start(what, **arguments)
        return self._answer()

    def start(self, what: str, **arguments: Any) -> None:
        """Send one command without waiting for its answer."""
        self._in.write(json.dumps({"do": what, **arguments}) + "\n")
        self._in.flush()

    def append(self, upload: str, offset: int, data: bytes, die: str | None = None) -> dict[str, Any]:
        """Send a part."""
        return self.do("append", upload=upload, offset=offset, data=base64.b64encode(data).decode(), die=die)

    def answer(self) -> dict[str, Any]:
        """Return the answer to a command that was only started."""
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._out.readline()
        assert line, "the processes have ended"
        return dict(json.loads(line))


@contextmanager
def uploader(home: Path, *, within: Sequence[str] = (), **environ: str) -> Iterator[Uploader]:
    """Start one on a data folder; `within` is a command that runs it in surroundings of its own."""
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "tests.artifacts.uploader"],
        cwd=ROOT,
        env=environment(home, trial=False) | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield Uploader(process)
            assert process.stdin
            process.stdin.close()
    finally:
        process.kill()
