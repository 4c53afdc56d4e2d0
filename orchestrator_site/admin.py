"""Admin of sign-in links, access tokens, restarts and the admin's own log."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator_site.accounts.forms import AdminSignInForm
from orchestrator_site.models import AccessToken, Restart, SignInLink
from orchestrator_site.tokens.service import revoke_token
from orchestrator_site.web.admin import ReadOnlyAdmin

admin.site.login_form = AdminSignInForm


@admin.register(SignInLink)
class SignInLinkAdmin(ReadOnlyAdmin):
    """Who was given a link, and whether it was used; the digest is left out."""

    list_display = ("user", "created_at", "expires_at", "used_at")
    list_filter = ("used_at",)
    search_fields = ("user__username",)
    exclude = ("digest",)


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnlyAdmin):
    """All access tokens; a superuser may revoke any."""

    list_display = ("public_id", "name", "owner", "scopes", "project", "last_used_at", "expires_at", "state")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("=public_id", "name", "owner__username")
    list_select_related = ("owner", "project")
    exclude = ("digest",)
    readonly_fields = ("state",)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and bool(getattr(request.user, "is_superuser", False))

    @admin.action(description="Revoke the selected access tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[AccessToken]) -> None:
        number = sum(revoke_token(token=token) for token in tokens)
        self.message_user(request, f"{number} revoked. Their next requests are refused.")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    list_filter = ("action_flag", ("content_type", admin.RelatedOnlyFieldListFilter))
    search_fields = ("object_repr", "user__username")
    list_select_related = ("user", "content_type")


@admin.register(Restart)
class RestartAdmin(ReadOnlyAdmin):
    """The history of restarts."""

    list_display = (
        "requested_at",
        "is_of_site",
        "who",
        "reason",
        "state",
        "seconds",
        "calls_finished",
        "calls_cut_off",
    )
    list_filter = ("state", "is_of_site")
    search_fields = ("who", "reason")
