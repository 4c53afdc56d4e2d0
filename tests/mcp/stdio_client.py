"""A raw client: lines to and from a real `manage.py mcp_serve`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from tests.homes import make_home

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE_SECONDS = 100.0
CLIENT = {"name": "raw", "version": "1.2"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def wait_for(question: Callable[[], Any], what: str) -> Any:
    """Poll until the answer is true, and return it; fail after the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < end, f"{what} did not come about in {DEADLINE_SECONDS} s"
        time.sleep(0.01)
    return answer


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, listing.read_text().split())
    return [child for child in found if is_alive(child)]


class StdioClient:
    """One connection. Every line that the server sends must be one JSON-RPC message."""

    def __init__(
        self,
        home: Path,
        *,
        modern: bool = False,
        trial: bool = True,
        toolsets: str = "core",
        code: Path = ROOT,
        words: tuple[str, ...] = (),
        **environ: str,
    ) -> None:
        self.is_modern = modern
        self.errors_file = home.parent / f"stderr-{time.monotonic_ns()}"
        with self.errors_file.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(code / "manage.py"), "mcp_serve", "--toolsets", toolsets, *words],
                env=environment(home, trial=trial) | environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._lines: Queue[bytes] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._last_id = 0
        self.messages: list[dict[str, Any]] = []

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    # Sending

    def send_raw(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def send(self, **message: Any) -> None:
        self.send_raw(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def start(self, method: str, **params: Any) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        if self.is_modern:
            params["_meta"] = MODERN
        self.send(id=self._last_id, method=method, params=params)
        return self._last_id

    def start_call(self, tool: str, **arguments: Any) -> int:
        return self.start("tools/call", name=tool, arguments=arguments)

    # Receiving

    def next_message(self) -> dict[str, Any]:
        line = self._lines.get(timeout=DEADLINE_SECONDS)
        assert line, f"the server ended: {self.errors()}"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        self.messages.append(message)
        return message

    def answer_to(self, id: int | str | None) -> dict[str, Any]:
        """Return the answer to a request, whatever comes before it or came already."""
        while True:
            for message in reversed(self.messages):
                if message.get("id", "") == id and "method" not in message:
                    return message
            self.next_message()

    def rest(self) -> list[dict[str, Any]]:
        """Return every message up to the end of the server's output."""
        found = []
        while line := self._lines.get(timeout=DEADLINE_SECONDS):
            found.append(json.loads(line))
        return found

    def waiting(self) -> int:
        """Return the number of lines that were not read yet."""
        return self._lines.qsize()

    # Both

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        return self.answer_to(self.start(method, **params))

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return what it says, the same as text and as structure."""
        return said(self.answer_to(self.start_call(tool, **arguments)))

    def handshake(self) -> dict[str, Any]:
        """Greet as clients before 2026-07-28 do."""
        answer = self.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=CLIENT)
        self.send(method="notifications/initialized")
        result: dict[str, Any] = answer["result"]
        return result

    # Processes

    def worker(self) -> int:
        """Return the process id of the worker that runs now."""
        pids: list[int] = wait_for(lambda: children(self.process.pid), "a worker")
        return pids[0]

    def has_worker(self) -> bool:
        """Return whether it has a worker of its own, once it has answered."""
        self.request("tools/list")
        return bool(children(self.process.pid))

    def kill_worker(self) -> int:
        pid = self.worker()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), "the worker's death")
        return pid

    def end(self) -> int:
        """Close the server's input and return its exit code."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(DEADLINE_SECONDS)

    def errors(self) -> str:
        return self.errors_file.read_text()


def said(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a result, after a check that a short one is both text and structured content."""
    result = answer["result"]
    text = result["content"][0]["text"]
    facts: dict[str, Any] = json.loads(text)
    assert result.get("structuredContent") == (facts if "structuredContent" in result or len(text) < 5_000 else None)
    assert bool(result.get("isError")) == ("code" in facts)
    return facts


def environment(home: Path, *, trial: bool = True) -> dict[str, str]:
    """Return the environment of a server: its data folder, and optionally the trial app."""
    settings = "tests.mcp.settings" if trial else "orchestrator_site.settings"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "DATABASE_"))}
    return kept | {
        "ORCHESTRATOR_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": settings,
        "TRIAL_FOLDER": str(home.parent),
    }


@contextmanager
def connected(home: Path, **options: Any) -> Iterator[StdioClient]:
    """Connect, with the handshake where the era has one; leave no process behind."""
    if not home.exists():
        make_home(home)
    client = StdioClient(home, **options)
    try:
        if not client.is_modern:
            client.handshake()
        yield client
    finally:
        left = children(client.process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.end()
        client.process.kill()
        client.process.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert client.process.stdout
        client._reader.join(DEADLINE_SECONDS)
        client.process.stdout.close()
