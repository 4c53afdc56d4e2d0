"""Shutdown flag that long loops poll."""

from __future__ import annotations

_is_shutting_down = False


def begin() -> None:
    """Start the shutdown; a signal handler may call it."""
    global _is_shutting_down
    _is_shutting_down = True


def has_begun() -> bool:
    return _is_shutting_down
