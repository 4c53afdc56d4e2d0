"""The admin door of what the site itself keeps."""

from __future__ import annotations

from django.contrib import admin

from orchestrator_site.models import SignInLink
from tasks.admin import ReadOnlyAdmin


@admin.register(SignInLink)
class SignInLinkAdmin(ReadOnlyAdmin):
    """Who was given a link, and whether it was used; the digest opens nothing and is left out."""

    list_display = ("user", "created_at", "expires_at", "used_at")
    list_filter = ("used_at",)
    search_fields = ("user__username",)
    exclude = ("digest",)
