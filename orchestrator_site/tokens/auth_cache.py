"""A cache of principals, so that a busy client costs one query for its token per second.

A token that another process revokes is rejected a second later, one that this process revokes at once.
"""

from __future__ import annotations

import time

from orchestrator_site.kernel.identity import Principal

SECONDS = 1.0
_LIMIT = 1000

Cache = dict[str, tuple[float, Principal]]

principals: Cache = {}


def find(digest: str) -> Principal | None:
    until, principal = principals.get(digest, (0.0, None))
    return principal if time.monotonic() < until else None


def note(into: Cache, digest: str, principal: Principal) -> None:
    """Cache a principal for a second. If it is no longer the cache, this has no effect."""
    if len(into) >= _LIMIT:
        into.clear()
    into[digest] = (time.monotonic() + SECONDS, principal)


def clear() -> None:
    """Discard all principals, also those that are being looked up."""
    global principals
    principals = {}
