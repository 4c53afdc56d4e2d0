"""Wait for what no system call waits for."""

from __future__ import annotations

import time
from collections.abc import Callable


def poll(question: Callable[[], bool], *, seconds: float, interval: float = 0.02) -> bool:
    """Ask until the answer is yes or the time is up; return the last answer."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True
