"""Throttle addresses that try many invalid tokens. Valid tokens are never throttled."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

FAILURES = 20
WINDOW_SECONDS = 60.0
_ADDRESSES = 4096


class FailureThrottle:
    """Counts failures by address in a fixed window, for a limited number of addresses."""

    def __init__(self, failures: int = FAILURES, window_seconds: float = WINDOW_SECONDS) -> None:
        self._failures = failures
        self._window = window_seconds
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def failed(self, address: str) -> int:
        """Count a failure; return how many seconds the address has to wait, 0 while it may try again."""
        now = time.monotonic()
        with self._lock:
            began, count = self._counted.pop(address, (now, 0))
            if now - began >= self._window:
                began, count = now, 0
            self._counted[address] = (began, count + 1)
            if len(self._counted) > _ADDRESSES:
                self._counted.popitem(last=False)
        return int(began + self._window - now) + 1 if count + 1 > self._failures else 0


failures = FailureThrottle()
"""Shared by MCP and the REST API."""
