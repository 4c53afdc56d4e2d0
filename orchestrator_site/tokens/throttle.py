"""Slow down whoever tries token after token. A good token is never held back, however many bad ones came before it."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

FAILURES = 20
WINDOW_SECONDS = 60.0
_ADDRESSES = 4096


class FailureThrottle:
    """Counts failures by address in a fixed window, in this process (the site is one), for a bounded number of them."""

    def __init__(self, failures: int = FAILURES, window_seconds: float = WINDOW_SECONDS) -> None:
        self._failures = failures
        self._window = window_seconds
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def failed(self, address: str) -> int:
        """Note a failure; returns for how many seconds the address has to wait, 0 while it has tries left."""
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
"""The one of this process: the bridge and the REST API count together."""
