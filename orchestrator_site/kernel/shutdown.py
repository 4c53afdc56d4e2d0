"""Whether this process is shutting down: loops without an end ask."""

from __future__ import annotations

_is_shutting_down = False


def begin() -> None:
    """Note that the shutdown has begun; a signal handler may call it."""
    global _is_shutting_down
    _is_shutting_down = True


def has_begun() -> bool:
    """Tell whether the shutdown has begun."""
    return _is_shutting_down
