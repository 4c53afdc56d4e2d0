"""Who was proved a moment ago, so that a client in full swing costs one look for its token a second.

A token that another process revokes is refused a second later, one that this process revokes at once.
"""

from __future__ import annotations

import time

from tasks.principals import Principal

SECONDS = 1.0
_ROOM = 1000

_proved: dict[str, tuple[float, Principal]] = {}


def find(digest: str) -> Principal | None:
    """Return who the secret of a digest proves to be, where that was looked up less than a second ago."""
    until, principal = _proved.get(digest, (0.0, None))
    return principal if time.monotonic() < until else None


def note(digest: str, principal: Principal) -> None:
    """Remember it for a second."""
    if len(_proved) >= _ROOM:
        _proved.clear()
    _proved[digest] = (time.monotonic() + SECONDS, principal)


def forget() -> None:
    """Look everybody up anew."""
    _proved.clear()
