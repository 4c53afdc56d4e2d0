"""What the pages show of projects, plans and tasks, in a number of queries that does not grow with the board."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from tasks import words
from tasks.choices import Status
from tasks.models import Event, Project, Task, TaskQuerySet
from tasks.selectors.counts import of_plan

PROJECTS_PER_PAGE, PLANS_PER_PAGE, TASKS_PER_PAGE, EVENTS_PER_PAGE = 50, 25, 50, 20
PANEL_ROWS = 8
PLANS_COUNTED = 1_000
LINK_ROWS = 50
TREE_ROWS, TREE_LEVELS = 400, 12
SUGGESTIONS_FROM = 500

WAITS_FOR_A_PERSON = (Status.IN_REVIEW, Status.BLOCKED, Status.FAILED)
ROW_FIELDS = (
    "public_id", "title", "status", "specialist", "is_leaf", "parent_id", "root_id", "project_id", "position",
    "priority", "is_ready", "lease_holder", "lease_expires_at", "updated_at", "created_at", "archived_at",
)  # fmt: skip

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """One page of rows. The total is None where counting would mean reading everything."""

    items: list[Row]
    page: int
    first: int
    has_next: bool
    total: int | None = None

    @property
    def last(self) -> int:
        """The place of the last row that is shown."""
        return self.first + len(self.items) - 1

    @property
    def has_others(self) -> bool:
        """Whether there is any other page."""
        return self.has_next or self.page > 1


def page_of(rows: QuerySet[Any], *, page: int, size: int, total: int | None = None) -> Rows[Any]:
    """Read one page and one row more, which tells whether there is a next page without counting."""
    start = (page - 1) * size
    found = list(rows[start : start + size + 1])
    if total is None and len(found) <= size and (found or page == 1):
        total = start + len(found)
    return Rows(items=found[:size], page=page, first=start + 1, has_next=len(found) > size, total=total)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many leaves stand in each state."""

    by_status: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All leaves that still count; cancelled ones are no longer part of the work."""
        return sum(self.by_status.values()) - self.by_status.get(Status.CANCELLED, 0)

    @property
    def done(self) -> int:
        """Leaves that are completed."""
        return self.by_status.get(Status.COMPLETED, 0)

    @property
    def percent(self) -> int:
        """Whole percent done; 100 only where everything is."""
        return self.done * 100 // self.total if self.total else 0

    @property
    def states(self) -> list[tuple[str, int]]:
        """The states that occur, in the order of their life."""
        return [(str(status), self.by_status[status]) for status in Status if self.by_status.get(status)]


def count_by(column: str, keys: Iterable[int]) -> dict[int, Counts]:
    """Count the leaves on the board by state, for each project (`project_id`) or plan (`root_id`)."""
    found: dict[int, dict[str, int]] = {key: {} for key in keys}
    # `IN (true)` instead of a bare `is_leaf`, because only a comparison lets SQLite stay within the index of counts.
    leaves = Task.objects.on_board().filter(**{f"{column}__in": list(found), "is_leaf__in": [True]}).order_by()
    for key, status, number in leaves.values_list(column, "status").annotate(Count("pk")):
        found[key][status] = number
    return {key: Counts(by_status) for key, by_status in found.items()}


@dataclass(frozen=True, slots=True)
class ProjectRow:
    project: Project
    counts: Counts


def projects(*, page: int) -> Rows[ProjectRow]:
    """Return the projects, those where something happened last first."""
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
    """What a person narrows a list by; empty means everything."""

    status: str = ""
    specialist: str = ""
    plan: str = ""
    kind: str = ""
    q: str = ""

    @property
    def any(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.status or self.specialist or self.plan or self.kind or self.q)


def _matching(tasks: TaskQuerySet, project: Project, text: str) -> TaskQuerySet:
    """Keep what some words fit; the beginning of an id is enough."""
    if not text:
        return tasks
    return tasks.filter(Q(pk__in=words.find(project, text)) | Q(public_id__startswith=text))


@dataclass(frozen=True, slots=True)
class PlanRow:
    task: Task
    counts: Counts


def plans(project: Project, *, filters: Filters, page: int) -> Rows[PlanRow]:
    """Return a project's plans with their progress, newest first."""
    found = _matching(Task.objects.filter(project=project).on_board().plans(), project, filters.q)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.specialist:
        found = found.filter(_has_work_of(filters.specialist))
    shown = found.only(*ROW_FIELDS).order_by("-id")
    total = None if filters.any else _count_of(shown)
    rows = page_of(shown, page=page, size=PLANS_PER_PAGE, total=total)
    items = [PlanRow(task, counts) for task, counts in _with_progress(rows.items)]
    return Rows(items, rows.page, rows.first, rows.has_next, rows.total)


def _count_of(rows: TaskQuerySet) -> int | None:
    """Count ordered rows as far as a person would; the order makes the database take the index of plans."""
    number = rows[: PLANS_COUNTED + 1].count()
    return number if number <= PLANS_COUNTED else None


def _has_work_of(specialist: str) -> Q:
    below = Task.objects.on_board().filter(root=OuterRef("pk"), specialist=specialist)
    return Q(specialist=specialist) | Q(Exists(below))


def _with_progress(plans_shown: list[Task]) -> Iterator[tuple[Task, Counts]]:
    counts = count_by("root_id", [task.pk for task in plans_shown if not task.is_leaf])
    for task in plans_shown:
        yield task, counts.get(task.pk) or Counts({task.status: 1})


def waiting(project: Project) -> list[Task]:
    """Return what waits for a person: to review, to unblock, to decide after a failure; last changed first.

    Each state is asked for by itself, because only so its index gives the newest without sorting them all.
    """
    found: list[Task] = []
    for status in WAITS_FOR_A_PERSON:
        rows = Task.objects.filter(project=project, status=status).on_board().only(*ROW_FIELDS, "reason")
        found += rows.order_by("-updated_at")[:PANEL_ROWS]
    return sorted(found, key=lambda task: task.updated_at, reverse=True)[:PANEL_ROWS]


def recent_artifacts(project: Project) -> list[Any]:
    """Return what was delivered last, each with `size_bytes` of its latest version."""
    return list(with_size(project.artifacts.order_by("-updated_at"))[:PANEL_ROWS])


def artifacts_of(task: Task) -> list[Any]:
    """Return the newest artifacts of a task, one more than a page shows."""
    return list(with_size(task.artifacts.order_by("-id"))[: LINK_ROWS + 1])


def with_size(artifacts: QuerySet[Any]) -> QuerySet[Any]:
    latest = artifacts.filter(versions__number=F("version"))
    sized: QuerySet[Any] = latest.annotate(size_bytes=F("versions__content__size_bytes"))
    return sized.select_related("task").prefetch_related("paths")


def tasks(project: Project, *, filters: Filters, page: int) -> Rows[Task]:
    """Return a project's tasks: by last change where one state is asked for (its index), else newest first."""
    found = _narrowed(_of_plan(project, filters.plan), project, filters)
    shown = found.select_related("root").only(*ROW_FIELDS, "root__public_id", "root__title")
    order = ("-updated_at", "-id") if filters.status else ("-id",)
    return page_of(shown.order_by(*order), page=page, size=TASKS_PER_PAGE, total=_total(found, filters))


def _total(found: TaskQuerySet, filters: Filters) -> int | None:
    """Count where an index can; text and specialist are in none, so that counting them would read every row."""
    if filters.q or filters.specialist:
        return None
    return _count_of(found.order_by("-id")) if filters.kind == "plan" else found.count()


def _of_plan(project: Project, public_id: str) -> TaskQuerySet:
    """Narrow to a plan by its key, which is looked up first: as a subquery it would hide the index of plans."""
    if not public_id:
        return Task.objects.filter(project=project).on_board()
    plan = Task.objects.plans().filter(project=project, public_id=public_id).first()
    return Task.objects.filter(Q(root=plan) | Q(pk=plan.pk)).on_board() if plan else Task.objects.none()


def _narrowed(found: TaskQuerySet, project: Project, filters: Filters) -> TaskQuerySet:
    if filters.kind == "plan":
        found = found.plans()
    elif filters.kind == "leaf":
        found = found.leaves()
    if filters.specialist:
        found = found.filter(specialist=filters.specialist)
    if filters.status:
        found = found.filter(status=filters.status)
    return _matching(found, project, filters.q)


def specialists_seen(project: Project) -> list[str]:
    """Return the specialists of the newest tasks, to suggest in filters."""
    newest = Task.objects.filter(project=project).order_by("-id").values_list("specialist", flat=True)
    return sorted(set(newest[:SUGGESTIONS_FROM]) - {""})


@dataclass(slots=True)
class Node:
    """A line of a tree: `opens` its subtasks, then `closes` that many levels."""

    task: Task
    counts: Counts | None = None
    artifacts: int = 0
    opens: bool = False
    closes: int = 0
    is_cut: bool = False

    @property
    def closing(self) -> range:
        """Something to loop over in a template."""
        return range(self.closes)


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: list[Node]
    is_cut: bool


def tree(top: Task) -> Tree:
    """Return the subtasks below a task, depth first; a huge tree is cut, its upper levels kept."""
    children, is_cut = _levels_below(top)
    nodes = list(_walk(children.get(top.pk, []), children, is_cut))
    for node, number in _artifact_counts(nodes):
        node.artifacts = number
    return Tree(nodes, is_cut)


def _levels_below(top: Task) -> tuple[dict[int, list[Task]], bool]:
    children: dict[int, list[Task]] = {}
    parents, room = [top.pk], TREE_ROWS
    for _ in range(TREE_LEVELS):
        level = Task.objects.on_board().filter(parent_id__in=parents).only(*ROW_FIELDS)
        found = list(level.order_by("parent_id", "position", "id")[: room + 1])
        for task in found[:room]:
            children.setdefault(task.parent_id or 0, []).append(task)
        if len(found) > room:
            return children, True
        parents, room = [task.pk for task in found if not task.is_leaf], room - len(found)
        if not parents:
            return children, False
    return children, True


def _walk(siblings: list[Task], children: dict[int, list[Task]], is_cut: bool) -> Iterator[Node]:
    for task in sorted(siblings, key=lambda task: (task.position, task.pk)):
        below = list(_walk(children.get(task.pk, []), children, is_cut))
        node = Node(task, opens=bool(below), is_cut=is_cut and not task.is_leaf and not below)
        if below:
            below[-1].closes += 1
            node.counts = None if is_cut else _sum_of(below)
        yield node
        yield from below


def _sum_of(nodes: list[Node]) -> Counts:
    by_status: dict[str, int] = {}
    for node in nodes:
        if node.task.is_leaf:
            by_status[node.task.status] = by_status.get(node.task.status, 0) + 1
    return Counts(by_status)


def _artifact_counts(nodes: list[Node]) -> Iterator[tuple[Node, int]]:
    by_id = {node.task.pk: node for node in nodes}
    counted = Task.objects.filter(pk__in=by_id).annotate(number=Count("artifacts")).filter(number__gt=0)
    for key, number in counted.order_by().values_list("pk", "number"):
        yield by_id[key], number


def progress(task: Task, shown: Tree) -> Counts | None:
    """Count the leaves below a task, whether its whole tree is shown or not."""
    if task.is_leaf:
        return None
    return Counts(of_plan(task)) if task.is_plan or shown.is_cut else _sum_of(shown.nodes)


@dataclass(slots=True)
class Link:
    """A task at the other end of a dependency, and the parents through which it came, if it did not come directly."""

    task: Task
    is_own: bool = False
    inherited_from: list[Task] = field(default_factory=list)


def needs(task: Task) -> list[Link]:
    """Return what a task depends on, directly or through its parents, each once."""
    return _links(task.dependencies.all(), "depends_on")


def needed_by(task: Task) -> list[Link]:
    """Return the tasks that depend on a task, each once."""
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
    """Return a task's events, newest first."""
    return page_of(task.events.select_related("session").order_by("-id"), page=page, size=EVENTS_PER_PAGE)
