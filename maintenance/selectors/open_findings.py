"""Findings as pages and REST show them: by state, how many are open, and which tasks of a page have one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet, Value
from django.utils import timezone

from maintenance.choices import Action, Cause, Outcome, Severity, State
from maintenance.models import Finding, FindingQuerySet, JobRun, Operation
from tasks.models import Project
from tasks.selectors.rows import Rows, page_of

SCAN_JOB = "scan_projects"
"""The job that scans every project, which checks the structure too."""
STATES = ("open", "snoozed", "resolved")
PER_PAGE = 20
COUNTED = 1_000
"""Counting stops here."""
_CAUSES = list(Cause)
STRUCTURE = frozenset(_CAUSES[_CAUSES.index(Cause.PARENT_LOOP) :])
"""What is wrong with the rows themselves or with stored content, not with the progress of tasks."""


@dataclass(slots=True)
class Serious:
    """What needs a person in one project: its open errors by cause, the worst first."""

    slug: str
    name: str
    severity: int
    causes: list[str] = field(default_factory=list)
    number: int = 0
    since: datetime | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self.causes.append(Cause(row["cause"]).label)
        self.number += row["number"]
        self.since = min(self.since or row["since"], row["since"])


@dataclass(frozen=True, slots=True)
class Health:
    """How many open problems the structure has, when it was last checked, and how many tasks were, if known."""

    problems: int
    checked_at: datetime | None
    tasks: int | None


def in_state(findings: FindingQuerySet, state: str, now: datetime) -> FindingQuerySet:
    """Narrow findings to those that are open, snoozed or resolved."""
    if state == "resolved":
        return findings.filter(resolved_at__isnull=False)
    return findings.unsnoozed(now) if state == "open" else findings.open().filter(snoozed_until__gt=now)


def listed(project: Project, state: str, *, page: int) -> Rows[Finding]:
    """Return a page of findings: the most severe first, of resolved ones the newest."""
    rows = in_state(Finding.objects.filter(project=project), state, timezone.now()).select_related("task__root")
    return page_of(rows.order_by("-id") if state == "resolved" else rows, page=page, size=PER_PAGE)


def count_open(project: Project, state: str = "open") -> int:
    rows = in_state(Finding.objects.filter(project=project), state, timezone.now())
    return rows.order_by()[:COUNTED].count()


def health(project: Project) -> Health:
    problems = Finding.objects.filter(project=project, cause__in=STRUCTURE).open().order_by()[:COUNTED].count()
    checks = Operation.objects.filter(project=project, state=State.SUCCEEDED, action=Action.VALIDATE_STRUCTURE)
    asked = checks.order_by("-id").values_list("finished_at", "answer").first()
    scan = JobRun.objects.of(SCAN_JOB).filter(outcome=Outcome.SUCCEEDED).values_list("finished_at", flat=True).first()
    if asked is None or (scan and asked[0] and scan > asked[0]):
        return Health(problems, scan, None)
    counts = asked[1].get("counts")
    return Health(problems, asked[0], counts.get("tasks") if isinstance(counts, dict) else None)


def marks(tasks: Iterable[int]) -> dict[int, str]:
    """Return what is wrong with some tasks, by their keys: the words of their most severe open finding."""
    rows = Finding.objects.unsnoozed(timezone.now()).filter(task__in=list(tasks)).order_by("severity", "-since")
    return {key: Cause(cause).label for key, cause in rows.values_list("task_id", "cause") if key}


def serious() -> list[Serious]:
    """Return the projects with open errors, the most severe and then the oldest first."""
    rows = _serious().values("cause", slug=F("project__slug"), name=F("project__name"))
    by_cause = rows.annotate(number=Count("pk"), severity=Max("severity"), since=Min("since"))
    found: dict[str, Serious] = {}
    for row in by_cause.order_by("-severity", "since"):
        found.setdefault(row["slug"], Serious(row["slug"], row["name"], row["severity"])).add(row)
    return list(found.values())


def count_serious() -> QuerySet[Any]:
    """Return a row for the count of the inbox: the projects with open errors are one each."""
    named = _serious().annotate(what=Value("findings")).values_list("what")
    return named.annotate(Count("project", distinct=True))


def _serious() -> FindingQuerySet:
    """Open errors of all projects; naming the projects lets the database use its index."""
    rows = Finding.objects.unsnoozed(timezone.now()).filter(severity__gte=Severity.ERROR)
    return rows.filter(project__in=Project.objects.order_by().values("pk")).order_by()
