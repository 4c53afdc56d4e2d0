"""An assistant as the demo needs one: the SDK's client on a server of its own, which says what it does."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation

from tests.demo.job import ROOT, sha256, work_on

Facts = dict[str, Any]


class DemoFailed(Exception):
    """A step did not do what it has to."""


class Assistant:
    """One connection. Every call has to succeed; what was done is printed with the time it took."""

    def __init__(self, client: Client, works: Path, began: float) -> None:
        self.protocol = client.protocol_version
        self._client = client
        self._works = works
        self._last = began

    def say(self, text: str) -> None:
        """Print a step, and the milliseconds since the one before."""
        now = monotonic()
        print(f"  {(now - self._last) * 1000:6.0f} ms  {text}", flush=True)
        self._last = now

    async def call(self, tool: str, **arguments: Any) -> Facts:
        """Call a tool and return its answer.

        Raises DemoFailed where it is an error.
        """
        is_error, facts = await self._answer(tool, arguments)
        require(not is_error, f"{tool}: {facts}")
        return facts

    async def refused(self, tool: str, **arguments: Any) -> Facts:
        """Call a tool that has to refuse.

        Raises DemoFailed where it does not.
        """
        is_error, facts = await self._answer(tool, arguments)
        require(is_error, f"{tool} was not refused: {facts}")
        return facts

    async def deliver(self, task: Facts, taken: Facts) -> Facts:
        """Complete a task with its whole work; check that the server names the right hash."""
        text = work_on(self._works, task["title"])
        done = await self.call(
            "complete_subtask",
            task_id=taken["task_id"],
            lease_number=taken["lease_number"],
            summary=f"{task['title']}: done, with every file that it speaks of.",
            detailed_work=text,
            next_action="complete",
            artifact_type="documentation",
            file_paths=[f"docs/review/{taken['task_id']}.md"],
        )
        stored: Facts = done["artifact_info"]
        require(stored["sha256"] == sha256(text), f"{stored['artifact_id']} has another sha256 than its work.")
        self.say(f"completed {taken['task_id']}, {task['title']}: {len(text):,} characters as {stored['artifact_id']}")
        return done

    async def _answer(self, tool: str, arguments: Facts) -> tuple[bool, Facts]:
        result = await self._client.call_tool(f"orchestrator_{tool}", arguments)
        return bool(result.is_error), dict(json.loads(result.content[0].text))  # type: ignore[union-attr]


@asynccontextmanager
async def connected(home: Path, name: str, log: TextIO, *, mode: str) -> AsyncIterator[Assistant]:
    """Start a server over real pipes and greet it, in either era of the protocol."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[str(ROOT / "manage.py"), "mcp_serve"],
        env={"ORCHESTRATOR_HOME": str(home), "DJANGO_SETTINGS_MODULE": "orchestrator_site.settings"},
        cwd=home,
    )
    began = monotonic()
    who = Implementation(name=name, version="1.0")
    async with Client(stdio_client(server, errlog=log), mode=mode, client_info=who) as client:
        yield Assistant(client, home / "work", began)


def require(is_so: object, otherwise: str) -> None:
    """Raise DemoFailed unless something is so."""
    if not is_so:
        raise DemoFailed(otherwise)
