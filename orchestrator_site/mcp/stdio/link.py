"""What the proxy passes lines to: a worker of its own, or the site."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from threading import Event

from orchestrator_site.mcp.stdio.framing import LineWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Served:
    """What the proxy notes about a worker."""

    def __init__(self) -> None:
        self.is_useful = False
        self.has_ended = False
        self.started_at = time.monotonic()
        self.facts: dict[str, Any] = {}
        """What it says of itself once it serves, or `{"problem": why}` where it cannot."""
        self.has_reported = Event()
        """Set with the facts, or without any once it has ended."""


class Link(Served, ABC):
    """It sees the end of its input when the proxy ends, however that happens."""

    what = "the worker"

    def __init__(self, input: LineWriter) -> None:
        super().__init__()
        self._input = input

    def send(self, line: bytes) -> None:
        self._input.send(line)

    def send_first(self, lines: Callable[[], list[bytes]]) -> None:
        """Write lines before any that another thread sends."""
        with self._input.lock:
            for line in lines():
                self._input.write(line)

    @abstractmethod
    def lines(self) -> Iterator[bytes]:
        """Yield what it sends, to its end."""

    @abstractmethod
    def close_input(self) -> None:
        """Let it end, and the sessions of the connection with it."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once, and leave the sessions to what serves next."""

    @abstractmethod
    def reap(self, grace_seconds: float) -> int:
        """Free it after its end; return 0 if that was in order, with the sessions of a connection that ended."""
