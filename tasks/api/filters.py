"""Filters of the lists of tasks and plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django_filters import rest_framework as filters

from orchestrator_site.rest.filters import SEARCH_LIMIT, BooleanFilter, ChoicesFilter, Filters, TimeFilter
from tasks.choices import Priority, Status
from tasks.models import NEVER, Task, TaskQuerySet

STATUSES = [(status.value, status.value) for status in Status]
PRIORITIES = [(priority.value, priority.label) for priority in Priority]


class PlanFilters(Filters):
    """Filters of plans; the tasks have them too."""

    project = filters.CharFilter(field_name="project__slug", help_text="Of one project, by its slug.")
    status = ChoicesFilter(STATUSES, field_name="status", help_text="In one or several states.")
    archived = filters.ChoiceFilter(
        choices=[(word, word) for word in ("false", "true", "any")],
        empty_label=None,
        null_label=None,
        method="_archived",
        help_text="Only the archive (`true`), or that as well (`any`); by default it is left out.",
    )
    updated_after = TimeFilter(field_name="updated_at", lookup_expr="gt", help_text="Changed after a time.")
    search = filters.CharFilter(
        method="_search", max_length=SEARCH_LIMIT, help_text="With this in the title, the description or the id."
    )

    def filter_queryset(self, queryset: TaskQuerySet) -> TaskQuerySet:
        found: TaskQuerySet = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["archived"] else found.on_board()

    def _archived(self, queryset: TaskQuerySet, name: str, word: str) -> TaskQuerySet:
        return queryset if word == "any" else queryset.filter(archived_at__isnull=word == "false")

    def _search(self, queryset: TaskQuerySet, name: str, text: str) -> TaskQuerySet:
        found = Q(title__icontains=text) | Q(public_id__icontains=text) | Q(description__icontains=text)
        return queryset.filter(found)


class TaskFilters(PlanFilters):
    """Filters of tasks. `plan`, `parent` and `waits_for` take the id of a task."""

    specialist_type = filters.CharFilter(field_name="specialist", help_text="For one specialist.")
    priority = ChoicesFilter(PRIORITIES, field_name="priority", help_text="Of one or several priorities.")
    due_before = TimeFilter(method="_due_before", help_text="Due before a time.")
    is_leaf = BooleanFilter(field_name="is_leaf", help_text="Leaves (`true`), or tasks with subtasks (`false`).")
    is_ready = BooleanFilter(field_name="is_ready", help_text="Those that can be claimed now.")
    plan = filters.CharFilter(method="_plan", help_text="Of one plan, by the id of its root.")
    parent = filters.CharFilter(method="_parent", help_text="Directly below one task, by its id.")
    waits_for = filters.CharFilter(method="_waits_for", help_text="Those that wait for one task, by its id.")

    def _due_before(self, queryset: TaskQuerySet, name: str, at: datetime) -> TaskQuerySet:
        return queryset.filter(due_at__lt=min(at, NEVER))

    def _plan(self, queryset: TaskQuerySet, name: str, public_id: str) -> TaskQuerySet:
        plan = _key(public_id, parent__isnull=True)
        return queryset.filter(Q(root_id=plan) | Q(pk=plan))

    def _parent(self, queryset: TaskQuerySet, name: str, public_id: str) -> TaskQuerySet:
        return queryset.filter(parent_id=_key(public_id))

    def _waits_for(self, queryset: TaskQuerySet, name: str, public_id: str) -> TaskQuerySet:
        return queryset.filter(dependencies__depends_on=_key(public_id)).distinct()


def _key(public_id: str, **narrowed: Any) -> int:
    """Look a task's key up first: as a subquery it would hide the indexes. No row has the key 0."""
    return Task.objects.filter(public_id=public_id, **narrowed).values_list("pk", flat=True).first() or 0
