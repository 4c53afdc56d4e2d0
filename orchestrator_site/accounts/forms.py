"""Signing in with a password, as often as a person mistypes and not as often as a program guesses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from orchestrator_site.tokens.bearer import FailureThrottle

logger = logging.getLogger(__name__)

FAILURES = 10
WINDOW_SECONDS = 60.0
CHECKS_AT_ONCE = 2
"""Passwords that a process checks at once: each takes half a second of a processor."""
CHECK_WAIT_SECONDS = 2.0

by_address = FailureThrottle(FAILURES, WINDOW_SECONDS)
by_name = FailureThrottle(FAILURES, WINDOW_SECONDS)
checks = BoundedSemaphore(CHECKS_AT_ONCE)


class SignInForm(AuthenticationForm):
    """Counts each attempt before its password is checked, so that many at once are counted too.

    A name is counted only where it is that of a password which may be checked: so no one can make the throttle forget
    others by naming many.
    """

    wait_seconds = 0

    def clean(self) -> dict[str, Any]:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()
        self._require(by_address.failed(address), "Too many wrong passwords.", name, address)
        with _check() as may_check:
            if not may_check:
                by_address.forgive(address)
                self._require(1 + int(CHECK_WAIT_SECONDS), "Too many people sign in at once.", name, address)
            self._require(by_name.failed(name), "Too many wrong passwords.", name, address)
            try:
                checked = super().clean()
            except ValidationError:
                logger.warning("A password for %r from %r was rejected.", name, address)
                raise
        by_address.forgive(address)
        by_name.forgive(name)
        return checked

    def _require(self, wait_seconds: int, why: str, name: str, address: str) -> None:
        """Check that there is nothing to wait for. Raises ValidationError."""
        if wait_seconds:
            self.wait_seconds = wait_seconds
            logger.warning("A password for %r from %r was not checked: %s", name, address, why)
            raise ValidationError(f"{why} Try again in {wait_seconds} seconds.", "throttled")


@contextmanager
def _check() -> Iterator[bool]:
    """Hold one of few checks; False where none was free in time."""
    is_free = checks.acquire(timeout=CHECK_WAIT_SECONDS)
    try:
        yield is_free
    finally:
        if is_free:
            checks.release()


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    pass
