"""Who was proved a moment ago, so that a client in full swing costs one look for its token a second.

A token that another process revokes is refused a second later, one that this process revokes at once.
"""

from __future__ import annotations

import time

from orchestrator_site.kernel.identity import Principal

SECONDS = 1.0
_ROOM = 1000

Memory = dict[str, tuple[float, Principal]]

_proved: Memory = {}


def memory() -> Memory:
    """Return what is remembered now. Take it before the look into the database whose answer is to be noted."""
    return _proved


def find(digest: str) -> Principal | None:
    """Return who the secret of a digest proves to be, where that was looked up less than a second ago."""
    until, principal = _proved.get(digest, (0.0, None))
    return principal if time.monotonic() < until else None


def note(into: Memory, digest: str, principal: Principal) -> None:
    """Remember it for a second; not, where everything was forgotten since the look began."""
    if len(into) >= _ROOM:
        into.clear()
    into[digest] = (time.monotonic() + SECONDS, principal)


def forget() -> None:
    """Look everybody up anew, those too whose look is under way."""
    global _proved
    _proved = {}
