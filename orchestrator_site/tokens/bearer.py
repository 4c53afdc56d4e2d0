"""Read a bearer token from a request's headers (RFC 6750, section 2.1): the only place where one may be."""

from __future__ import annotations

import logging

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens import auth_cache
from orchestrator_site.tokens.service import digest_of, principal_of
from orchestrator_site.tokens.throttle import failures

logger = logging.getLogger(__name__)

_LONGEST = 512


class Refused(Exception):
    """No usable token. `status` is 401, or 429 with `retry_after_seconds` where there were too many of these."""

    def __init__(self, message: str, *, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.status = 429 if retry_after_seconds else 401

    @property
    def headers(self) -> dict[str, str]:
        """What tells a client how to do better."""
        if self.retry_after_seconds:
            return {"Retry-After": str(self.retry_after_seconds)}
        challenge = f'Bearer realm="task-orchestrator", error="invalid_token", error_description="{self.message}"'
        return {"WWW-Authenticate": challenge}


def bearer_of(header: str) -> str | None:
    """Return the secret of an Authorization header; None where it speaks of another scheme or of nothing."""
    scheme, _, secret = header.strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def proved_recently(secret: str | None) -> Principal | None:
    """Return who a secret proves to be, without a look into the database, where there was one a moment ago."""
    return auth_cache.find(digest_of(secret)) if secret else None


def authenticate(secret: str | None, *, address: str) -> Principal:
    """Return who a secret proves to be. It takes a look into the database.

    Raises Refused. Neither the answer nor the log holds any part of what was sent.
    """
    memory = auth_cache.memory()
    principal = principal_of(secret) if secret and len(secret) <= _LONGEST else None
    if principal is not None and secret is not None:
        auth_cache.note(memory, digest_of(secret), principal)
        return principal
    if secret is None:
        raise Refused("An access token is needed: send Authorization: Bearer TOKEN.")
    wait = failures.failed(address)
    logger.warning("An access token was refused; it came from %r.", address)
    if wait:
        raise Refused("Too many requests with unknown access tokens.", retry_after_seconds=wait)
    raise Refused("The access token is unknown, has expired or was revoked.")
