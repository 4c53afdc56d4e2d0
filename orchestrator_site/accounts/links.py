"""One-time sign-in links."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from orchestrator_site.models import SLACK, SignInLink
from orchestrator_site.tokens.service import digest_of

LIFETIME = timedelta(minutes=15)
FORGET_AFTER = timedelta(days=1)
TOKEN_BYTES = 32


def make_link(user: User) -> str:
    """Return the path of a new link for a user. Only a digest of its token is stored."""
    now = timezone.now()
    forget_old_links()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    SignInLink.objects.create(digest=digest_of(token), user=user, created_at=now, expires_at=now + LIFETIME)
    return reverse("sign-in-link", "orchestrator_site.accounts.urls", [token])


def forget_old_links() -> int:
    return SignInLink.objects.filter(expires_at__lt=timezone.now() - FORGET_AFTER).delete()[0]


def is_usable(token: str) -> bool:
    link = SignInLink.objects.select_related("user").filter(digest=digest_of(token)).first()
    return link is not None and link.user.is_active and link.is_usable(timezone.now())


def use_link(token: str) -> User | None:
    """Use up a link and return its user; None if it is unknown, used or expired, or its user is inactive."""
    now = timezone.now()
    # A conditional UPDATE without a join, so that one of two simultaneous requests wins: PostgreSQL would not evaluate
    # the subquery of a join again after it has waited for the row.
    links = SignInLink.objects.filter(digest=digest_of(token))
    if not links.filter(used_at__isnull=True, created_at__lte=now + SLACK, expires_at__gt=now).update(used_at=now):
        return None
    user = links.select_related("user").get().user
    return user if user.is_active else None
