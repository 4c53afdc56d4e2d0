"""An assistant at a real server: the bridge over pipes, and what the server acknowledged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from tests.mcp.stdio_client import CLIENT, ROOT, children, environment, is_alive

ANSWER_SECONDS = 90.0
"""An answer comes within the time that a writer may wait for the database, on a busy machine too."""

Answer = dict[str, Any]


def wait_for(question: Callable[[], Any], what: str) -> Any:
    """Poll until the answer is true, and return it; fail when even a busy machine should have got there."""
    end = time.monotonic() + ANSWER_SECONDS
    while not (answer := question()):
        assert time.monotonic() < end, f"{what} did not come about in {ANSWER_SECONDS} s"
        time.sleep(0.01)
    return answer


class Gone(Exception):
    """The server has ended: what became of the call in flight is not known."""


class Server:
    """One server with its front and its worker; one call at a time."""

    def __init__(self, home: Path, project: Path, toolsets: str = "core", **environ: str) -> None:
        self.log = home.parent / f"stderr-{os.urandom(4).hex()}"
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "mcp_serve", "--toolsets", toolsets],
                env=environment(home, trial=False) | {"ORCHESTRATOR_PROJECT_DIR": str(project)} | environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self.has_answered = False
        self._lines: Queue[bytes] = Queue()
        Thread(target=self._read, daemon=True).start()
        self._last_id = 0

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                self._lines.put(line)
        self._lines.put(b"")

    def request(self, method: str, **params: Any) -> Answer:
        """Send a request and wait for its answer.

        Raises Gone where the server ended first.
        """
        self._last_id += 1
        self._send(id=self._last_id, method=method, params=params)
        while line := self._lines.get(timeout=ANSWER_SECONDS):
            message: Answer = json.loads(line)
            if message.get("id") == self._last_id and "method" not in message:
                self.has_answered = True
                return message
        self._lines.put(b"")
        raise Gone

    def _send(self, **message: Any) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Gone from error

    def greet(self) -> None:
        """Do the handshake."""
        self.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=CLIENT)
        self._send(method="notifications/initialized")

    def call(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool and return what it says, errors too: those have a `code`."""
        answer = self.request("tools/call", name=f"orchestrator_{tool}", arguments=arguments)
        facts: Answer = json.loads(answer["result"]["content"][0]["text"])
        return facts

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def kill(self, *, front: bool = True, worker: bool = True) -> None:
        """End it with -9, in whole or in part."""
        doomed = (self.workers() if worker else []) + ([self.process.pid] if front else [])
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """Close its input and see everything of it end."""
        left = self.workers()
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(ANSWER_SECONDS)
            wait_for(lambda: not any(is_alive(pid) for pid in left), "the end of the workers")
        finally:
            self.process.kill()
            self.process.wait()


def plan_of(name: str) -> list[Answer]:
    """Six subtasks: a beginning, a middle of two and a group of two, and an end that needs them all."""
    return [
        _subtask("begin", name),
        _subtask("left", name, dependencies=["begin"]),
        _subtask("right", name, dependencies=["begin"]),
        {
            "key": "group",
            "title": f"group of {name}",
            "description": "Parts",
            "dependencies": ["left"],
            "subtasks": [_subtask("part 1", name), _subtask("part 2", name)],
        },
        _subtask("end", name, dependencies=["right", "group"]),
    ]


def _subtask(key: str, name: str, **more: Any) -> Answer:
    return {"key": key, "title": f"{key} of {name}", "description": f"Do {key}", "specialist_type": "tester", **more}


TASKS_IN_A_PLAN = 8
"""The root, six leaves and their group."""
