"""Sign-in links, access tokens and the history of restarts."""

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


class RestartState(models.TextChoices):
    REQUESTED = "requested", "Requested"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Restart(models.Model):
    """A restart of the site, or of what serves one assistant: who asked for it, why, and what became of it."""

    is_of_site = models.BooleanField(help_text="Otherwise of the process behind one connection over stdio.")
    who = models.CharField(max_length=200)
    reason = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16, choices=RestartState.choices)
    problem = models.TextField(blank=True, help_text="Why the process before went on.")
    seconds = models.FloatField(null=True, blank=True, help_text="From the request to the last call carried over.")
    calls_finished = models.PositiveIntegerField(default=0, help_text="Calls in flight that were carried over.")
    calls_cut_off = models.PositiveIntegerField(default=0, help_text="Those that were not finished in time.")
    facts = models.JSONField(default=dict, blank=True, help_text="Processes, versions and times as measured.")
    requested_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RestartState.values), name="restart_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.who}, {self.requested_at:%Y-%m-%d %H:%M:%S}"
