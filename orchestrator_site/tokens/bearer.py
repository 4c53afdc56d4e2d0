"""Bearer tokens in the Authorization header (RFC 6750, section 2.1), the only place where they are accepted."""

from __future__ import annotations

import logging

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens import auth_cache
from orchestrator_site.tokens.service import digest_of, principal_of
from orchestrator_site.tokens.throttle import failures

logger = logging.getLogger(__name__)

_LONGEST = 512


class TokenError(Exception):
    """There is no usable token: status 401, or 429 after too many attempts."""

    def __init__(self, message: str, *, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.status = 429 if retry_after_seconds else 401

    @property
    def headers(self) -> dict[str, str]:
        """Headers for the response."""
        if self.retry_after_seconds:
            return {"Retry-After": str(self.retry_after_seconds)}
        challenge = f'Bearer realm="task-orchestrator", error="invalid_token", error_description="{self.message}"'
        return {"WWW-Authenticate": challenge}


def bearer_of(header: str) -> str | None:
    """Return the secret in an Authorization header; None without one or for another scheme."""
    scheme, _, secret = header.strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def recent_principal(secret: str | None) -> Principal | None:
    """Return the principal of a secret that was checked within the last second."""
    return auth_cache.find(digest_of(secret)) if secret else None


def authenticate(secret: str | None, *, address: str) -> Principal:
    """Return the principal of a secret. Raises TokenError, which like the log never holds any part of the secret."""
    cache = auth_cache.current()
    principal = principal_of(secret) if secret and len(secret) <= _LONGEST else None
    if principal is not None and secret is not None:
        auth_cache.note(cache, digest_of(secret), principal)
        return principal
    if secret is None:
        raise TokenError("An access token is required: send Authorization: Bearer TOKEN.")
    wait = failures.failed(address)
    logger.warning("An access token from %r was rejected.", address)
    if wait:
        raise TokenError("Too many requests with invalid access tokens.", retry_after_seconds=wait)
    raise TokenError("The access token is unknown, expired or revoked.")
