"""Sign-in links and access tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

SLACK = timedelta(minutes=1)
"""How far clocks are corrected; a link that was made later than that was made before the clock was set back."""


class SignInLink(models.Model):
    """A link that signs its user in once. Only a digest of its token is stored."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="sign_in_link_has_a_lifetime"),
        ]

    def __str__(self) -> str:
        return f"sign-in link of {self.user.get_username()}, {self.created_at:%Y-%m-%d %H:%M}"

    def is_usable(self, now: datetime) -> bool:
        return self.used_at is None and self.created_at - SLACK <= now < self.expires_at


class AccessToken(models.Model):
    """Grants its owner MCP over HTTP and the REST API. Only a digest is stored; the secret is shown once."""

    public_id = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(
        "tasks.Project", null=True, blank=True, on_delete=models.CASCADE, related_name="access_tokens"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="access_token_has_a_name"),
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(revoked_at__isnull=True), name="access_token_name_once_per_owner"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="access_token_has_a_lifetime",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner.get_username()}/{self.name}"

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def state(self) -> str:
        """active, revoked, expired, or suspended while its owner may not sign in."""
        if self.revoked_at is not None:
            return "revoked"
        if not self.is_usable(timezone.now()):
            return "expired"
        return "active" if self.owner.is_active else "suspended"
