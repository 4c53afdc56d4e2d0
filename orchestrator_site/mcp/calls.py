"""One call of a tool: repair and parse its arguments, run its handler, shape what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator_site.mcp.registry import Tool
from tasks.callers import Caller


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the client gets: the same facts as text and as structure."""

    payload: dict[str, Any]
    is_error: bool = False


def run(tool: Tool, arguments: dict[str, Any], caller: Caller) -> Outcome:
    """Run one call to its end; never raises."""
    raise NotImplementedError
