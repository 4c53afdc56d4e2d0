"""Whether this process was told to end: what would go on for ever asks."""

from __future__ import annotations

import threading

_told = threading.Event()


def begin() -> None:
    """Note that the end has come; safe in a signal handler's frame."""
    _told.set()


def has_begun() -> bool:
    """Tell whether it has."""
    return _told.is_set()
