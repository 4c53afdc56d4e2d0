"""Base classes and helpers of all admin pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.identity import Scope, scopes_of

if TYPE_CHECKING:  # the classes are generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _Paginator = Paginator

MOST = 200
"""The most rows that one action changes, each in its own transaction."""
ERRORS_SHOWN = 20
"""Errors that are shown one by one."""
Action = Callable[..., Any]
Column = Callable[[Any, Any], SafeString | str]
COUNTED = 10_000
"""Rows that a list can page through; searches and filters find the others."""


class BoundedPaginator(_Paginator):
    """Counts only as far as anybody pages: a full count would read everything."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # lists of the admin are always querysets
        return min(rows.order_by().values("pk")[: COUNTED + 1].count(), COUNTED)


class ReadOnlyAdmin(_ModelAdmin):
    """For rows that only services change."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    linked_by: tuple[str, ...] = ()
    """Filters that links from other pages use, besides those of the sidebar."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in self.linked_by or super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def link_to(row: Model | None, words: str = "") -> SafeString | str:
    if row is None:
        return "-"
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}"><bdi>{}</bdi></a>', address, words or row)


def row_link(field: str) -> Column:
    """Return a column that links to the row in a field."""

    @admin.display(description=field.replace("_", " "))
    def column(_: Any, row: Model) -> SafeString | str:
        return link_to(getattr(row, field))

    return column


def list_link(model: str, words: str, field: str, *, description: str = "") -> Column:
    """Return a column that links to the admin list of another model, with the rows that name this one in a field."""

    @admin.display(description=description or words.lower())
    def column(_: Any, row: Model) -> SafeString:
        address = reverse(f"admin:{model}_changelist")
        return format_html('<a href="{}?{}__id__exact={}">{}</a>', address, field, row.pk, words)

    return column


def may(request: HttpRequest, scope: Scope) -> bool:
    """Whether the person's scopes allow something; Django's own permissions only decide what is visible."""
    return scope in scopes_of(request.user)


def chosen(request: HttpRequest, rows: QuerySet[Any]) -> list[Any]:
    """Return the rows of an action; none, with an error message, if there are too many."""
    found = list(rows.order_by("pk")[: MOST + 1])
    if len(found) <= MOST:
        return found
    messages.error(request, f"At most {MOST} rows at once. Nothing was changed. Select fewer.")
    return []


def do_each(request: HttpRequest, rows: Iterable[Model], action: Action, done: str) -> None:
    number, errors = 0, list[str]()
    for row in rows:
        try:
            number += action(row) is not False
        except OrchestratorError as error:
            errors.append(f"{row}: {error.message}")
    if number:
        messages.success(request, f"{number} {done}.")
    for message in errors[:ERRORS_SHOWN]:
        messages.error(request, message)
    if len(errors) > ERRORS_SHOWN:
        messages.error(request, f"{len(errors) - ERRORS_SHOWN} more failed.")
