"""Bearer tokens in the Authorization header (RFC 6750, section 2.1), the only place where they are accepted."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens import auth_cache
from orchestrator_site.tokens.service import digest_of, principal_of

logger = logging.getLogger(__name__)

FAILURES = 20
WINDOW_SECONDS = 60.0
_ADDRESSES = 4096
_LONGEST = 512


class FailureThrottle:
    """Counts failures by address in a fixed window, for a limited number of addresses. Valid tokens always pass."""

    def __init__(self, failures: int = FAILURES, window_seconds: float = WINDOW_SECONDS) -> None:
        self._failures = failures
        self._window = window_seconds
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def failed(self, address: str) -> int:
        """Count a failure; return how many seconds the address has to wait, 0 while it may try again."""
        now = time.monotonic()
        with self._lock:
            began, count = self._counted.pop(address, (now, 0))
            if now - began >= self._window:
                began, count = now, 0
            self._counted[address] = (began, count + 1)
            if len(self._counted) > _ADDRESSES:
                self._counted.popitem(last=False)
        return int(began + self._window - now) + 1 if count + 1 > self._failures else 0

    def forgive(self, address: str) -> None:
        """Take back what `failed` counted last."""
        with self._lock:
            if address in self._counted:
                began, count = self._counted[address]
                self._counted[address] = (began, max(0, count - 1))


failures = FailureThrottle()
"""Shared by MCP and the REST API."""


class TokenError(Exception):
    """There is no usable token: status 401, or 429 after too many attempts."""

    def __init__(self, message: str, *, retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.status = 429 if retry_after_seconds else 401

    @property
    def headers(self) -> dict[str, str]:
        if self.retry_after_seconds:
            return {"Retry-After": str(self.retry_after_seconds)}
        challenge = f'Bearer realm="task-orchestrator", error="invalid_token", error_description="{self.message}"'
        return {"WWW-Authenticate": challenge}


def bearer_of(header: str) -> str | None:
    scheme, _, secret = header.strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def recent_principal(secret: str | None) -> Principal | None:
    return auth_cache.find(digest_of(secret)) if secret else None


def authenticate(secret: str | None, *, address: str) -> Principal:
    """Return the principal of a secret. Raises TokenError, which like the log never holds any part of the secret."""
    cache = auth_cache.principals
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
