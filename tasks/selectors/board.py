"""Projects, plans and tasks for pages, in a constant number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from tasks.choices import FINISHED, WAITS_FOR_A_PERSON, Status, Verb
from tasks.due import time_in
from tasks.models import NEVER, Attempt, Event, Project, Task, TaskQuerySet
from tasks.project_settings import setting
from tasks.selectors.counts import of_plan
from tasks.selectors.rows import ROW_FIELDS, Counts, Rows, count_by, page_of

PROJECTS_PER_PAGE, PLANS_PER_PAGE, TASKS_PER_PAGE, EVENTS_PER_PAGE = 50, 25, 50, 20
PANEL_ROWS, SIDE_ROWS = 8, 5
LOOKED_AT = 200
PLANS_COUNTED = 1_000
PLANS_OFFERED, PLANS_SEARCHED, PLANS_NAMED = 50, 5_000, 6
LINK_ROWS = 50
TREE_ROWS, TREE_LEVELS = 400, 12
SUGGESTIONS_FROM = 500


@dataclass(frozen=True, slots=True)
class ProjectRow:
    project: Project
    counts: Counts


def projects(*, page: int) -> Rows[ProjectRow]:
    newest = Event.objects.filter(project=OuterRef("pk")).order_by("-id").values("created_at")[:1]
    found = Project.objects.annotate(last_activity_at=Subquery(newest)).order_by(
        F("last_activity_at").desc(nulls_last=True), "name", "id"
    )
    rows = page_of(found, page=page, size=PROJECTS_PER_PAGE)
    counts = count_by("project_id", [project.pk for project in rows.items])
    items = [ProjectRow(project, counts[project.pk]) for project in rows.items]
    return Rows(items, rows.page, rows.first, rows.has_next, rows.total)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page narrows its tasks to, as its address says it; `plan` is an id, a title, or a part of one."""

    q: str = ""
    plan: str = ""
    status: str = ""
    kind: str = ""
    specialist: str = ""
    holder: str = ""
    priority: str = ""
    ready: str = ""
    client: str = ""
    model: str = ""
    planned_since: str = ""
    claimed_since: str = ""
    completed_since: str = ""
    attempted_since: str = ""
    reviewed_since: str = ""
    reopened_since: str = ""
    only: str = ""

    @property
    def any(self) -> bool:
        return self != Filters()


LOOKUPS = {
    "specialist": "specialist",
    "status": "status",
    "planned_since": "created_at__gte",
    "claimed_since": "started_at__gte",
    "completed_since": "completed_at__gte",
}
LOOKUPS_OF_ATTEMPTS = {"client": "client", "model": "model", "attempted_since": "ended_at__gte"}
VERDICTS = {
    "reviewed_since": Q(verb__in=(Verb.APPROVE, Verb.REQUEST_REVISION)),
    "reopened_since": Q(verb=Verb.REQUEST_REVISION, before__status=Status.COMPLETED),
}
ONLY = {
    "overdue": Q(due_at__lt=Now()) & ~Q(status__in=FINISHED),
    "due": ~Q(due_at=NEVER),
    "estimated": Q(effort_minutes__isnull=False),
    "gated": ~Q(gates=[]),
}
ONLY_ATTEMPTED = {
    "tokens": Q(read_tokens__isnull=False) | Q(written_tokens__isnull=False),
    "cost": Q(cost_usd__isnull=False),
}


def _matching(tasks: TaskQuerySet, text: str, matches: Sequence[int]) -> TaskQuerySet:
    return tasks.filter(Q(pk__in=matches) | Q(public_id__startswith=text)) if text else tasks


@dataclass(frozen=True, slots=True)
class PlanRow:
    task: Task
    counts: Counts


def plans(project: Project, *, filters: Filters, page: int, matches: Sequence[int] = ()) -> Rows[PlanRow]:
    """Return a project's plans with their progress, newest first; `matches` are what a search for `q` found."""
    found = _matching(Task.objects.filter(project=project).on_board().plans(), filters.q, matches)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.specialist:
        below = Task.objects.on_board().filter(root=OuterRef("pk"), specialist=filters.specialist)
        found = found.filter(Q(specialist=filters.specialist) | Q(Exists(below)))
    shown = found.only(*ROW_FIELDS).order_by("-id")
    total = None if filters.any else _count_of(shown)
    rows = page_of(shown, page=page, size=PLANS_PER_PAGE, total=total)
    counts = count_by("root_id", [task.pk for task in rows.items if not task.is_leaf])
    items = [PlanRow(task, counts.get(task.pk) or Counts({task.status: 1})) for task in rows.items]
    return Rows(items, rows.page, rows.first, rows.has_next, rows.total)


def _count_of(rows: TaskQuerySet) -> int | None:
    """Count ordered rows up to a limit; the order makes the database use the index of plans."""
    number = rows[: PLANS_COUNTED + 1].count()
    return number if number <= PLANS_COUNTED else None


def waiting(project: Project) -> list[Task]:
    """Return the tasks in review, blocked or failed, in this order, of each the oldest first.

    One query per status: only then the index returns the oldest without sorting all of them.
    """
    found: list[Task] = []
    for status in WAITS_FOR_A_PERSON:
        rows = Task.objects.filter(project=project, status=status).on_board().only(*ROW_FIELDS, "reason")
        found += rows.order_by("updated_at", "-id")[:PANEL_ROWS]
    return found[:PANEL_ROWS]


def tasks(
    project: Project, *, filters: Filters, plan: Task | None, page: int, matches: Sequence[int] = ()
) -> Rows[Task]:
    """Return a project's tasks: by last change for a single status (its index), else newest first."""
    found = Task.objects.filter(project=project).on_board()
    if filters.plan:
        # Narrow by the plan's key: as a subquery it would hide the index of plans.
        found = Task.objects.filter(Q(root=plan) | Q(pk=plan.pk)).on_board() if plan else Task.objects.none()
    found = _matching(found, filters.q, matches)
    if filters.kind == "plan":
        found = found.plans()
    elif filters.kind == "leaf":
        found = found.leaves()
    found = _asked_for(found, filters, setting(project, "time_zone"))
    shown = found.select_related("root", "lease_session").only(
        *ROW_FIELDS, "root__public_id", "root__title", "lease_session__principal"
    )
    order = ("-updated_at", "-id") if filters.status else ("-id",)
    total = None
    if not replace(filters, plan="", kind="", status="").any:  # for the others no index can count
        total = _count_of(found.order_by("-id")) if filters.kind == "plan" else found.count()
    return page_of(shown.order_by(*order), page=page, size=TASKS_PER_PAGE, total=total)


def _asked_for(found: TaskQuerySet, filters: Filters, zone: str) -> TaskQuerySet:
    found = found.filter(ONLY.get(filters.only, Q()), **_asked(filters, LOOKUPS, zone))
    reported, by = ONLY_ATTEMPTED.get(filters.only, Q()), _asked(filters, LOOKUPS_OF_ATTEMPTS, zone)
    if reported or by:
        # Attempts are read once, and looked up by a sum: by the key itself, all their tasks would be read and sorted.
        attempted = Attempt.objects.filter(reported, **by).order_by().values("task")
        found = found.alias(key=F("pk") + 0).filter(key__in=attempted)
    for name, verdict in VERDICTS.items():
        if since := time_in(getattr(filters, name), zone=zone, ends=False):
            found = found.filter(Exists(Event.objects.filter(verdict, task=OuterRef("pk"), created_at__gte=since)))
    return found


def _asked(filters: Filters, lookups: dict[str, str], zone: str) -> dict[str, Any]:
    """Return the lookups of those filters that are set; a day counts from its begin."""
    given = {name: text for name in lookups if (text := getattr(filters, name))}
    return {
        lookups[name]: time_in(text, zone=zone, ends=False) if name.endswith("_since") else text
        for name, text in given.items()
    }


def specialists_seen(project: Project) -> list[str]:
    newest = Task.objects.filter(project=project).order_by("-id").values_list("specialist", flat=True)
    return sorted(set(newest[:SUGGESTIONS_FROM]) - {""})


def plan_titles(project: Project) -> list[str]:
    newest = Task.objects.filter(project=project).plans().on_board().order_by("-id").values_list("title", flat=True)
    return list(newest[:PLANS_OFFERED])


def plans_named(project: Project, text: str) -> list[Task]:
    """Return the plan with this id, else those with this title, else those whose title contains the text."""
    plans = Task.objects.filter(project=project).plans()
    if exact := plans.filter(public_id=text).first() if text else None:
        return [exact]
    if not text:
        return []
    titles = plans.on_board().order_by("-id").values_list("pk", "title")[:PLANS_SEARCHED]
    found = [(pk, title) for pk, title in titles if text.casefold() in title.casefold()]
    keys = [pk for pk, title in found if title.casefold() == text.casefold()] or [pk for pk, _ in found]
    return list(Task.objects.filter(pk__in=keys[:PLANS_NAMED]).order_by("-id"))


@dataclass(slots=True)
class Node:
    """A row of a tree: `opens` its subtasks, then `closes` that many levels.

    The first of some completed rows `folds` so many together, and the last `unfolds`. Pages fill in the numbers.
    """

    task: Task
    changed_at: datetime
    counts: Counts | None = None
    waits_for: int = 0
    needed_by: int = 0
    artifacts: int = 0
    finding: str = ""
    opens: bool = False
    closes: int = 0
    folds: int = 0
    unfolds: bool = False
    is_cut: bool = False

    @property
    def closing(self) -> range:
        return range(self.closes)


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: list[Node]
    is_cut: bool


_TREE_FIELDS = (*ROW_FIELDS, "effort", "effort_minutes", "complexity", "lease_session__principal")


def tree(top: Task) -> Tree:
    children: dict[int, list[Task]] = {}
    parents, left, is_cut = [top.pk], TREE_ROWS, True
    for _ in range(TREE_LEVELS):
        level = Task.objects.beside(top).filter(parent_id__in=parents).select_related("lease_session")
        found = list(level.only(*_TREE_FIELDS).order_by("parent_id", "position", "id")[: left + 1])
        for task in found[:left]:
            children.setdefault(task.parent_id or 0, []).append(task)
        if len(found) > left:
            break
        parents, left = [task.pk for task in found if not task.is_leaf], left - len(found)
        if not parents:
            is_cut = False
            break
    return Tree(list(_walk(children.get(top.pk, []), children, is_cut)), is_cut)


def _walk(siblings: list[Task], children: dict[int, list[Task]], is_cut: bool) -> Iterator[Node]:
    done = sum(map(_is_done, siblings))
    folded = done if done < len(siblings) else 0  # what is finished altogether is folded as a group
    order = sorted(siblings, key=lambda task: (not (folded and _is_done(task)), task.position, task.pk))
    for place, task in enumerate(order, start=1):
        below = list(_walk(children.get(task.pk, []), children, is_cut))
        node = Node(task, max([task.updated_at, *(each.changed_at for each in below)]), opens=bool(below))
        node.is_cut = is_cut and not task.is_leaf and not below
        node.folds, node.unfolds = folded if place == 1 else 0, place == folded
        if below:
            below[-1].closes += 1
            node.counts = None if is_cut else _sum_of(below)
        yield node
        yield from below


def _is_done(task: Task) -> bool:
    return task.is_leaf and task.status == Status.COMPLETED


def _sum_of(nodes: list[Node]) -> Counts:
    return Counts(Counter(node.task.status for node in nodes if node.task.is_leaf))


def progress(task: Task, shown: Tree) -> Counts:
    return Counts(of_plan(task)) if task.is_plan or shown.is_cut else _sum_of(shown.nodes)


def outlook(top: Task, shown: Tree, counts: Counts) -> dict[str, Any]:
    """Return the first tasks below one that wait for a person, and that are ready to start, with the totals.

    They come from the task's tree if that is complete, else from the indexes of the plan. The query for what waits
    has no order: with one, the database would walk the whole plan by position.
    """
    leaves = Task.objects.within(top).beside(top).leaves().only(*ROW_FIELDS)
    if shown.is_cut and top.is_plan:
        waits = list(leaves.filter(status__in=WAITS_FOR_A_PERSON).order_by()[:LOOKED_AT])
        ready = list(leaves.ready()[:LOOKED_AT])
    else:
        found = [node.task for node in shown.nodes if node.task.is_leaf]
        waits = [task for task in found if task.status in WAITS_FOR_A_PERSON]
        ready = sorted((task for task in found if task.is_ready), key=lambda task: (-task.priority, task.position))
    return {
        "waits": sorted(waits, key=lambda task: task.updated_at)[:SIDE_ROWS],
        "waits_total": counts.waiting,
        "ready": ready[:SIDE_ROWS],
        "ready_total": len(ready),
    }


@dataclass(slots=True)
class Link:
    """The other end of a dependency, and the parents it was inherited from."""

    task: Task
    is_own: bool = False
    inherited_from: list[Task] = field(default_factory=list)


def needs(task: Task) -> list[Link]:
    return _links(task.dependencies.all(), "depends_on")


def needed_by(task: Task) -> list[Link]:
    return _links(task.dependents.all(), "task")


def _links(dependencies: QuerySet[Any], end: str) -> list[Link]:
    fields = [f"{end}__{name}" for name in ("public_id", "title", "status", "specialist", "is_leaf")]
    fields += ["inherited_from__public_id", "inherited_from__title", "task", "depends_on"]
    rows = dependencies.select_related(end, "inherited_from").only(*fields)
    found: dict[int, Link] = {}
    for dependency in rows.order_by("id")[: 2 * LINK_ROWS]:
        other: Task = getattr(dependency, end)
        link = found.setdefault(other.pk, Link(other))
        if dependency.inherited_from is None:
            link.is_own = True
        else:
            link.inherited_from.append(dependency.inherited_from)
    return list(found.values())


def history(task: Task, *, page: int) -> Rows[Event]:
    return page_of(task.events.select_related("session").order_by("-id"), page=page, size=EVENTS_PER_PAGE)
