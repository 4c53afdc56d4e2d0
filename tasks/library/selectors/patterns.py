"""Finished plans as patterns: drafts made of them, how plans of each template went, and what drifted from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.text import shortened
from tasks.choices import Status, Verb
from tasks.library.catalogue import catalogue
from tasks.library.models import PlanOrigin
from tasks.library.patterns.comparing import Drift, Plan, Success, successes
from tasks.library.patterns.extracting import Draft, drafted
from tasks.library.patterns.outline import Outline
from tasks.library.selectors.outlines import LIKE_READ, finished_plans, like, outline_of, outlines_of, with_added
from tasks.library.templating.format import STEPS_LIMIT
from tasks.models import Event, Project, Task

PLANS_READ = 200
"""How many of the newest plans are compared."""
DRIFT_READ = 50
TITLES_READ = 1000
_TITLE_LENGTH = 80
_SENT_BACK = (Verb.REQUEST_REVISION, Verb.HAND_BACK)


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished plan, with how many steps a template of it has, and the ids of others that are like it."""

    plan: Task
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
    return Analysis(finished_of(project), success_of(project), drift_of(project, current))


def finished_of(project: Project) -> list[Finished]:
    """Return the newest finished plans of which a template can be made."""
    plans = list(finished_plans(project)[:LIKE_READ])
    by_shape: dict[Any, list[Outline]] = {}
    outlines = outlines_of(plans)
    for outline in outlines:
        by_shape.setdefault(outline.shape, []).append(outline)
    return [
        Finished(plan, len(each.kept), tuple(other.id for other in by_shape[each.shape] if other is not each))
        for plan, each in zip(plans, outlines, strict=True)
    ]


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
    return drafted(outline, like=like(outline, plan))


def success_of(project: Project, template: str = "") -> list[Success]:
    """Return how plans of a template went, or of every one, by version; last those without a template."""
    plans = Task.objects.plans().filter(project=project)
    if template:
        plans = plans.filter(Q(origin__template=template) | Q(origin=None))
    rows = list(plans.select_related("origin").order_by("-id")[:PLANS_READ])
    counted = _counts(rows)
    return successes(_plan(row, counted.get(row.pk, {})) for row in rows)


def drift_of(project: Project, current: Mapping[str, tuple[str, str]]) -> list[Drift]:
    """Return plans that differ from their template; `current` are the version and hash of each in effect, by name."""
    origins = PlanOrigin.objects.filter(plan__project=project).select_related("plan").order_by("-id")[:DRIFT_READ]
    titles = _titles([origin.plan for origin in origins])
    return list(filter(None, (_drift(origin, current.get(origin.template), titles) for origin in origins)))


def _plan(row: Task, counts: Mapping[str, int]) -> Plan:
    origin = getattr(row, "origin", None)
    lead = (row.completed_at - row.created_at).total_seconds() if row.completed_at else 0.0
    return Plan(
        template=origin.template if origin else "",
        version=(origin.version or origin.sha256[:8]) if origin else "",
        is_completed=row.status == Status.COMPLETED,
        is_cancelled=row.status == Status.CANCELLED,
        lead_seconds=lead,
        **{name: counts.get(name, 0) for name in ("completed", "sent_back", "added", "cancelled")},
    )


def _counts(plans: list[Task]) -> dict[int, dict[str, int]]:
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


def _titles(plans: list[Task]) -> dict[tuple[int, str], list[str]]:
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
