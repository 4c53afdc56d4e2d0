"""/projects/{project}/findings: what the latest scans found."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from maintenance.api.serializers import FindingShape
from maintenance.choices import Cause, Severity
from maintenance.models import Finding, FindingQuerySet
from maintenance.selectors.open_findings import STATES, in_state
from maintenance.services.findings import snooze
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.filters import ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi

_LONGEST_ID = 18


class SnoozeBody(Body):
    until = serializers.DateTimeField(allow_null=True, help_text="Hidden until then; null shows it again.")
    session_id = String(required=False)


class FindingFilters(Filters):
    state = filters.ChoiceFilter(
        choices=[(word, word) for word in (*STATES, "any")],
        empty_label=None,
        null_label=None,
        method="_state",
        help_text="`open` by default, without snoozed ones.",
    )
    cause = ChoicesFilter([(word, word) for word in Cause.values], field_name="cause", help_text="Of some causes.")
    severity = ChoicesFilter(
        [(each.value, each.label) for each in Severity], field_name="severity", help_text="Of some severities."
    )

    def filter_queryset(self, queryset: FindingQuerySet) -> FindingQuerySet:
        found: FindingQuerySet = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["state"] else in_state(found, "open", timezone.now())

    def _state(self, queryset: FindingQuerySet, name: str, word: str) -> FindingQuerySet:
        return queryset if word == "any" else in_state(queryset, word, timezone.now())


class FindingViews(ProjectApi):
    """Findings by their number."""

    queryset = Finding.objects.all()
    serializer_class = FindingShape
    filterset_class = FindingFilters
    lookup_field = "pk"
    lookup_url_kwarg = "finding_id"
    lookup_value_regex = "[^/]+"
    bodies = {"snooze": SnoozeBody}
    orderings: ClassVar[dict[str, str]] = {"found_at": "pk", "since": "since", "severity": "severity"}
    ordering = "-severity"

    def list(self, request: Request, project: str) -> Response:
        """List the findings of a project, the most severe first."""
        return self.listed(self._rows(project))

    def retrieve(self, request: Request, project: str, finding_id: str) -> Response:
        """Read a finding."""
        return self.shown(self._finding(project, finding_id))

    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, project: str, finding_id: str) -> Response:
        """Hide a finding until a time, or show it again."""
        found = self._finding(project, finding_id)
        actor, until = self.actor(found.project), self.given()["until"]

        def produce() -> Reply:
            snooze(finding=found, until=until, actor=actor)
            return self.reply(self._finding(project, finding_id))

        return self.once(produce, project=found.project, actor=actor)

    def _rows(self, project: str) -> QuerySet[Finding]:
        return Finding.objects.filter(project=self.project(project)).select_related("project", "task")

    def _finding(self, project: str, finding_id: str) -> Finding:
        is_number = finding_id.isascii() and finding_id.isdigit() and len(finding_id) <= _LONGEST_ID
        rows = self._rows(project) if is_number else Finding.objects.none()
        listed_at = reverse("api-finding-list", args=[project])
        return self.one(rows, "finding", finding_id, field="pk" if is_number else "subject", listed_at=listed_at)
