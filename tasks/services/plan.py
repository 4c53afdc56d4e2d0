"""Plan a job: a whole tree of subtasks, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from orchestrator_site.kernel import ids
from orchestrator_site.kernel.compiled import Compiled, insert, insert_all
from orchestrator_site.kernel.errors import Conflict, Invalid, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.signals import tasks_changed
from orchestrator_site.kernel.text import shortened
from tasks import events
from tasks.choices import CLAIMABLE, Complexity, Status, Verb
from tasks.due import time_in
from tasks.effort import minutes_in
from tasks.gates.definition import GATES_LIMIT, normalised, with_defaults
from tasks.identity.actor import Actor
from tasks.models import NEVER, Dependency, Project, Task
from tasks.project_settings import setting
from tasks.roles import Catalogue
from tasks.selectors.descendants import descendants_of, waits_for
from tasks.selectors.find import tasks_by_ids
from tasks.services import chains, dependencies, holds, leases, plan_check, readiness, rollup, transitions
from tasks.services import needs as needs_of_tasks
from tasks.services.claim import locked
from tasks.services.plan_check import Draft, Subtask

__all__ = ["Plan", "Subtask", "plan"]

_CHUNK = 500
_TITLE_LENGTH = 120
_public_ids_in = Compiled(
    lambda candidates: Task.objects.filter(public_id__in=candidates).order_by().values_list("public_id", flat=True)
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned tree: its root, every task below it in order, and what each waits for (by public id)."""

    root: Task
    tasks: list[Task]
    keys: list[str]
    needs: list[list[str]]


def plan(
    *,
    project: Project,
    actor: Actor,
    catalogue: Catalogue,
    description: str,
    subtasks: Sequence[Subtask],
    complexity: str = Complexity.MODERATE,
    context: str = "",
    parent: Task | None = None,
) -> Plan:
    """Create a plan and all its subtasks, or a group below `parent`.

    Raises Invalid with every mistake and its place, Conflict where the parent cannot be divided or a dependency is
    archived; then nothing is created.
    """
    draft = plan_check.flatten(subtasks)
    problems = plan_check.root_problems(description, context, complexity)
    resources = needs_of_tasks.named_in(project, draft)
    problems += plan_check.problems(draft, catalogue, resources)
    outside = tasks_by_ids(project, plan_check.references(draft))
    problems += plan_check.resolve(draft, outside)
    usual = normalised(setting(project, "gates.default"))[0]
    if problems := problems or _too_many_gates(draft, usual):
        raise invalid(problems, next="Fix these and send the plan again.")
    with transaction.atomic(), events.together():
        dependencies.lock_graph(project.pk)
        holds.lock_all(project.pk)
        dependencies.lock_needed(need.pk for need in outside.values())
        if outside:
            dependencies.require_on_board(outside.values())
        root = _root(project, description, complexity, context, parent, actor)
        tasks = _insert(root, draft, usual, actor)
        _connect(root, tasks, draft, outside)
        needs_of_tasks.connect(tasks, draft, resources, parent=root.parent)
        readiness.refresh_plan(root=root.plan_id, first=tasks[0].position)
        # A cycle through the parent leads out of the plan and back; others were found before.
        if parent is not None and outside:
            below = descendants_of([root.pk]) | {root.pk}
            if waits_for(need.pk for need in outside.values()) & below:
                raise Invalid(
                    "A subtask depends on a task that depends on its parent, so neither could start.",
                    next="Omit that dependency.",
                )
        if parent is not None or outside:
            chains.refresh(task.pk for task in tasks)
        tasks_changed.send(Task, tasks=[root, *tasks], renamed=False)
        for task in (root, *tasks):
            events.record(actor=actor, verb=Verb.PLAN, project=project.pk, task=task, after={"status": task.status})
        rollup.settle(root, actor=actor)
    keys = [entry.spec.key for entry in draft]
    needs = [[tasks[need].public_id if isinstance(need, int) else need for need in entry.needs] for entry in draft]
    return Plan(root, tasks, keys, needs)


def _root(project: Project, description: str, complexity: str, context: str, parent: Task | None, actor: Actor) -> Task:
    title = shortened(next(line for line in description.splitlines() if line.strip()), _TITLE_LENGTH)
    root = Task(
        project=project,
        public_id=ids.task_ids([""], taken=_taken)[0],
        title=title,
        description=description,
        complexity=complexity,
        context=context,
        is_leaf=False,
    )
    if parent is not None:
        parent = divide(parent, actor=actor)
        root.parent, root.root_id, root.depth = parent, parent.plan_id, parent.depth + 1
        root.position = _last_position(parent.plan_id) + 1
        for name in ("priority", "not_before", "for_client", "for_model"):
            setattr(root, name, getattr(parent, name))
    insert(root)
    inherited = dependencies.inherited_from(parent) if parent is not None else []
    dependencies.lock_needed(need for need, _ in inherited)
    insert_all([Dependency(task=root, depends_on_id=need, inherited_from_id=origin) for need, origin in inherited])
    return root


def divide(task: Task, *, actor: Actor) -> Task:
    """Make a task the parent of new subtasks. Its lease ends, since the subtasks are claimed instead.

    Raises Conflict where it is finished or stopped, its parent was cancelled, or another session holds it.
    """
    task = locked(task)
    rollup.require_alive(task)
    if not task.is_leaf and task.status != Status.CANCELLED and task.archived_at is None:
        return task
    if task.archived_at is not None or task.status not in (*CLAIMABLE, Status.ACTIVE):
        raise Conflict(
            f"{task.public_id} is {'archived' if task.archived_at else task.status}: it cannot have subtasks.",
            next="Plan without parent_task_id, or below an unfinished task.",
        )
    leases.require_holder(task, actor)
    if attempt := transitions.end_attempt(task, Verb.SPLIT):
        insert(attempt)
    task.is_leaf = task.is_ready = False
    task.lease_session, task.lease_holder, task.lease_expires_at = None, "", None
    task.save(update_fields=["is_leaf", "is_ready", "lease_session", "lease_holder", "lease_expires_at"])
    events.record(actor=actor, verb=Verb.SPLIT, project=task.project_id, task=task)
    return task


def _insert(root: Task, draft: list[Draft], usual: list[dict[str, Any]], actor: Actor) -> list[Task]:
    """Insert the tasks level by level, since a child's row needs its parent's key."""
    tasks = _build(root, draft, usual, may_leave_out_review=Scope.REVIEW in actor.scopes)
    deepest = max(entry.depth for entry in draft)
    for depth in range(deepest + 1):
        level = [(task, entry.parent) for task, entry in zip(tasks, draft, strict=True) if entry.depth == depth]
        for task, parent in level:
            task.parent = root if parent is None else tasks[parent]
        insert_all([task for task, _ in level])
    return tasks


def _build(root: Task, draft: list[Draft], usual: list[dict[str, Any]], *, may_leave_out_review: bool) -> list[Task]:
    public_ids = ids.task_ids([entry.spec.specialist for entry in draft], taken=_taken)
    first = _last_position(root.plan_id) + 1 if root.root_id else 1
    reviews_all = bool(setting(root.project, "review"))
    zone, now = setting(root.project, "time_zone"), root.created_at
    tasks: list[Task] = []
    for entry, public_id, reach in zip(draft, public_ids, chains.foreseen(draft), strict=True):
        spec, above = entry.spec, root if entry.parent is None else tasks[entry.parent]
        task = Task(
            project_id=root.project_id,
            public_id=public_id,
            root_id=root.plan_id,
            depth=root.depth + 1 + entry.depth,
            position=first + len(tasks),
            is_leaf=not spec.subtasks,
            title=spec.title.strip(),
            description=spec.description,
            specialist=spec.specialist,
            complexity=spec.complexity or root.complexity,
            effort=spec.effort,
            effort_minutes=minutes_in(spec.effort),
            created_at=now,
            updated_at=now,
            active_at=now,
            due_at=time_in(spec.due_at, zone=zone) or NEVER,
            not_before=time_in(spec.not_before, zone=zone, ends=False) or above.not_before,
            priority=spec.priority or above.priority,
            for_client=above.for_client,
            for_model=above.for_model,
            context=spec.context,
            paths=list(spec.paths),
            chain=reach.chain,
            unblocks=reach.unblocks,
            gates=_gates(spec, usual),
            requires_review=_review(spec.review, reviews_all, may_leave_out=may_leave_out_review),
        )
        tasks.append(task)
    return tasks


def _too_many_gates(draft: list[Draft], usual: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asking = [entry for entry in draft if usual and entry.spec.gates]
    counted = [(f"{entry.place}.gates", len(_gates(entry.spec, usual))) for entry in asking]
    return [
        {"at": at, "problem": f"has {count} gates with those of the project, {GATES_LIMIT} are allowed"}
        for at, count in counted
        if count > GATES_LIMIT
    ][: plan_check.PROBLEMS_LIMIT]


def _gates(spec: Subtask, usual: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the gates of a leaf: its own, and those of its project. They stay as they are now."""
    if not spec.gates and not usual:
        return []
    return with_defaults(normalised(spec.gates)[0], [] if spec.subtasks else usual)


def _review(asked: bool | None, reviews_all: bool, *, may_leave_out: bool) -> bool | None:
    """Return what is stored: only who may review decides against it; without a decision the project's setting holds."""
    if asked is False and may_leave_out:
        return False
    return True if asked or reviews_all else None


def _connect(root: Task, tasks: list[Task], draft: list[Draft], outside: dict[str, Task]) -> None:
    above = dict.fromkeys(dependencies.inherited_from(root) if root.parent_id else [])
    rows: list[Dependency] = []
    lines: list[dict[tuple[int, int], None]] = []
    for task, entry in zip(tasks, draft, strict=True):
        needs = [tasks[n].pk if isinstance(n, int) else outside[n].pk for n in entry.needs]
        line = above if entry.parent is None else lines[entry.parent]
        rows += [Dependency(task=task, depends_on_id=need) for need in needs]
        rows += [Dependency(task=task, depends_on_id=need, inherited_from_id=origin) for need, origin in line]
        lines.append(line | dict.fromkeys((need, task.pk) for need in needs) if entry.spec.subtasks else {})
    insert_all(rows)


def _last_position(plan_pk: int) -> int:
    return Task.objects.filter(root_id=plan_pk).aggregate(last=Max("position"))["last"] or 0


def _taken(candidates: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(candidates), _CHUNK):
        found.update(_public_ids_in(candidates=candidates[start : start + _CHUNK]))
    return found
