"""Signing in with a password, as often as a person mistypes and not as often as a program guesses."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from orchestrator_site.tokens.bearer import FailureThrottle

logger = logging.getLogger(__name__)

FAILURES = 10
WINDOW_SECONDS = 60.0

by_address = FailureThrottle(FAILURES, WINDOW_SECONDS)
by_name = FailureThrottle(FAILURES, WINDOW_SECONDS)


class SignInForm(AuthenticationForm):
    """Counts each attempt before its password is checked, so that many at once are counted too."""

    wait_seconds = 0

    def clean(self) -> dict[str, Any]:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()
        self.wait_seconds = max(by_address.failed(address), by_name.failed(name))
        if self.wait_seconds:
            logger.warning("A password for %r from %r was not checked: too many were wrong.", name, address)
            raise ValidationError(f"Too many wrong passwords. Try again in {self.wait_seconds} seconds.", "throttled")
        try:
            checked = super().clean()
        except ValidationError:
            logger.warning("A password for %r from %r was rejected.", name, address)
            raise
        by_address.forgive(address)
        by_name.forgive(name)
        return checked


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    pass
