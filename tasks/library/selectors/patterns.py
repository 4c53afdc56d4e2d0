"""Finished plans as patterns: drafts made of them, how plans of each template went, and what drifted from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.text import shortened
from tasks.choices import Status, Verb
from tasks.library.catalogue import catalogue
from tasks.library.models import PlanOrigin
from tasks.library.patterns.comparing import Drift, Plan, Success, successes
from tasks.library.patterns.extracting import Draft, drafted
from tasks.library.selectors.outlines import LIKE_READ, like, outline_of, shapes_of, with_added
from tasks.library.templating.format import STEPS_LIMIT
from tasks.library.templating.reading import read
from tasks.models import Event, Project, Task

Row = dict[str, Any]
PLANS_READ = 200
"""How many of the newest plans are compared."""
DRIFT_READ = 50
TITLES_READ = 1000
_TITLE_LENGTH = 80
_COLUMNS = ("pk", "public_id", "title", "status", "created_at", "completed_at")
_OF_ORIGIN = ("template", "version", "sha256")
_SENT_BACK = (Verb.REQUEST_REVISION, Verb.HAND_BACK)


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished plan, with how many steps a template of it has, and the ids of others that are like it."""

    task_id: str
    title: str
    completed_at: datetime
    steps: int
    like: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    finished: list[Finished]
    success: list[Success]
    drift: list[Drift]


def analysis(project: Project) -> Analysis:
    library = catalogue(project).templates
    current = {name: (entry.template.version, entry.sha256) for name, entry in library.items()}
    plans = _newest_plans(project)
    return Analysis(_finished(plans), _successes(plans), drift_of(project, current))


def success_of(project: Project, template: str) -> list[Success]:
    """Return how the newest plans of a template went, by version; last the newest without any."""
    return _successes([*_newest_plans(project, Q(origin__template=template)), *_newest_plans(project, Q(origin=None))])


def draft_of(plan: Task) -> Draft:
    """Draft a template from a finished plan; nothing is saved. Raises Conflict where none can be made of it."""
    if plan.parent_id is not None or plan.status != Status.COMPLETED:
        what = "a subtask" if plan.parent_id else Status(plan.status).label.lower()
        raise Conflict(
            f"{plan.public_id} is {what}: a template is drafted from a plan that was completed.",
            next="Choose a completed plan.",
        )
    outline = outline_of(plan)
    if not 0 < len(outline.kept) <= STEPS_LIMIT:
        raise Conflict(
            f"{plan.public_id} has {len(outline.kept):,} steps that were done; a template has 1 to {STEPS_LIMIT}.",
            next="Choose another plan.",
        )
    draft = drafted(outline, like=like(outline, plan))
    if problems := read(draft.text).problems:
        raise Conflict(
            f"{plan.public_id} fits into no template: {shortened(problems[0].said('draft'), 300)}",
            next="Choose another plan, or write the template yourself.",
        )
    return draft


def drift_of(project: Project, current: Mapping[str, tuple[str, str]]) -> list[Drift]:
    """Return plans that differ from their template; `current` are the version and hash of each in effect, by name.

    As everywhere here, none of those below a task.
    """
    origins = PlanOrigin.objects.filter(plan__project=project, plan__parent=None).select_related("plan").order_by("-id")
    origins = origins.only("template", "version", "sha256", "plan__public_id", "plan__title")[:DRIFT_READ]
    titles = _titles([origin.plan_id for origin in origins])
    return list(filter(None, (_drift(origin, current.get(origin.template), titles) for origin in origins)))


def _newest_plans(project: Project, which: Q | None = None) -> list[Row]:
    plans = Task.objects.plans().filter(which or Q(), project=project).order_by("-id")
    return list(plans.values(*_COLUMNS, **{name: F(f"origin__{name}") for name in _OF_ORIGIN})[:PLANS_READ])


def _finished(plans: list[Row]) -> list[Finished]:
    completed = [plan for plan in plans if plan["status"] == Status.COMPLETED][:LIKE_READ]
    shapes = shapes_of([plan["pk"] for plan in completed])
    return [
        Finished(
            plan["public_id"],
            plan["title"],
            plan["completed_at"],
            len(shapes[plan["pk"]]),
            _like(plan, completed, shapes),
        )
        for plan in completed
    ]


def _like(plan: Row, others: list[Row], shapes: Mapping[int, list[str]]) -> tuple[str, ...]:
    alike = (other for other in others if other is not plan and shapes[other["pk"]] == shapes[plan["pk"]])
    return tuple(other["public_id"] for other in alike)


def _successes(plans: list[Row]) -> list[Success]:
    counted = _counts([plan["pk"] for plan in plans])
    return successes(_plan(plan, counted.get(plan["pk"], {})) for plan in plans)


def _plan(row: Row, counts: Mapping[str, int]) -> Plan:
    completed_at = row["completed_at"]
    return Plan(
        template=row["template"] or "",
        version=row["version"] or (row["sha256"] or "")[:8],
        is_completed=row["status"] == Status.COMPLETED,
        is_cancelled=row["status"] == Status.CANCELLED,
        lead_seconds=(completed_at - row["created_at"]).total_seconds() if completed_at else 0.0,
        **{name: counts.get(name, 0) for name in ("completed", "sent_back", "added", "cancelled")},
    )


def _counts(plans: list[int]) -> dict[int, dict[str, int]]:
    leaves = with_added(Task.objects.filter(root__in=plans).leaves()).order_by().values("root_id")
    completed, cancelled = Q(status=Status.COMPLETED), Q(status=Status.CANCELLED)
    rows = leaves.annotate(
        completed=Count("pk", filter=completed),
        cancelled=Count("pk", filter=cancelled),
        added_later=Count("pk", filter=Q(added=True) & ~cancelled),
    ).values("root_id", "completed", "cancelled", "added_later")
    back = Event.objects.filter(task__root__in=plans, task__status=Status.COMPLETED, verb__in=_SENT_BACK).order_by()
    sent_back = dict(back.values_list("task__root").annotate(number=Count("task", distinct=True)))
    return {
        row["root_id"]: {
            "completed": row["completed"], "cancelled": row["cancelled"], "added": row["added_later"],
            "sent_back": sent_back.get(row["root_id"], 0),
        }
        for row in rows
    }  # fmt: skip


def _titles(plans: list[int]) -> dict[tuple[int, str], list[str]]:
    """Return titles of steps by plan, and whether they were added or cancelled."""
    leaves = with_added(Task.objects.filter(root__in=plans).leaves())
    changed = leaves.filter(Q(status=Status.CANCELLED) | Q(added=True)).order_by("root_id", "position")
    found: dict[tuple[int, str], list[str]] = {}
    for plan, status, title in changed.values_list("root_id", "status", "title")[:TITLES_READ]:
        what = "cancelled" if status == Status.CANCELLED else "added"
        found.setdefault((plan, what), []).append(shortened(title, _TITLE_LENGTH))
    return found


def _drift(origin: PlanOrigin, current: tuple[str, str] | None, titles: Mapping[tuple[int, str], list[str]]) -> Drift:
    version, sha256 = current or ("", "")
    facts: dict[str, Any] = {what: tuple(titles.get((origin.plan_id, what), ())) for what in ("added", "cancelled")}
    return Drift(
        plan=origin.plan.public_id,
        title=origin.plan.title,
        template=origin.template,
        version=origin.version,
        is_changed=current is not None and version == origin.version and sha256 != origin.sha256,
        is_gone=current is None,
        **facts,
    )
