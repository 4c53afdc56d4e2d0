"""The process that serves a caller: what it knows of itself, and how another one takes its place."""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

import orchestrator_site

_STARTED_AT = time.monotonic()


class Serving(Protocol):
    @property
    def in_flight(self) -> int:
        """How many requests this process has not answered yet, with the one that asks."""

    def restart(self, *, timeout: float, is_trial: bool, reason: str, who: str) -> dict[str, Any]:
        """Have another process take the place of this one, or only show that it could; return what was measured.

        Blocks until the other one serves and this one has finished its calls, for at most `timeout` seconds after the
        switch. Returns `{"problem": why, "retry_after_ms"}` where this one goes on.
        """


def process_facts() -> dict[str, Any]:
    return {"pid": os.getpid(), "version": orchestrator_site.__version__}


def uptime_seconds() -> float:
    return round(time.monotonic() - _STARTED_AT, 1)
