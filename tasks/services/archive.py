"""Archive a task with everything below it, and restore exactly that.

Archiving moves nothing: one time marks all rows that went together, and restoring clears the rows with that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Hint
from orchestrator_site.kernel.limits import require_texts
from tasks import events
from tasks.choices import FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, ResourceNeed, Task, TaskQuerySet
from tasks.selectors.descendants import descendants_of
from tasks.services import chains, dependencies, holds, leases, readiness, rollup
from tasks.services.claim import Guard, locked
from tasks.services.effect import Effect

_KEYS = 20_000  # values in one query, below what SQLite takes; no group is near it
_INSTANT = timedelta(microseconds=1)


def archive(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Take a task and everything below it off the board, hiding it from boards, counts and what is ready.

    Raises Conflict where it is archived already, is held, is still needed by an unfinished task elsewhere, or is the
    last that its parent has on the board.
    """
    require_texts(reason=reason)
    with transaction.atomic(), events.together():
        dependencies.lock_graph(task.project_id)
        holds.lock_all(task.project_id)
        tree = _tree(task)
        _lock(tree)
        task = locked(task, guard)
        if task.archived_at is not None:
            raise Conflict(f"{task.public_id} is archived already.", hint=Hint.SEE_TASK)
        _require_company(task)
        marks = tree.filter(archived_at__isnull=False).order_by().values_list("archived_at", flat=True)
        task.archived_at, task.is_ready = new_mark(marks.distinct()), False
        number = tree.on_board().update(archived_at=task.archived_at, is_ready=False)
        moved = tree.filter(archived_at=task.archived_at)
        _require_free(moved, actor)
        holds.let_go_below(moved)
        edges = _edges(moved)
        _require_unneeded(edges)
        record(Verb.ARCHIVE, task, actor, reason, number)
        tell_dependents(Verb.DEPENDENCY_ARCHIVED, edges, actor)
        chains.refresh(unfinished_leaves(moved))
        if task.status not in FINISHED:
            rollup.settle_without(task, actor=actor)
    return Effect(task, tasks_total=number)


def restore(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Bring a task back, with everything that was archived together with it.

    Raises Conflict where it is on the board, or a task above it is archived.
    """
    require_texts(reason=reason)
    with transaction.atomic(), events.together():
        dependencies.lock_graph(task.project_id)
        holds.lock_all(task.project_id)
        tree = _tree(task)
        _lock(tree)
        task = locked(task, guard)
        mark = task.archived_at
        if mark is None:
            raise Conflict(f"{task.public_id} is not archived.", hint=Hint.SEE_TASK)
        _require_parent(task)
        together = tree.filter(archived_at=mark)
        keys = list(together.order_by().values_list("pk", flat=True))
        unfinished = unfinished_leaves(together)
        tell_dependents(Verb.DEPENDENCY_RESTORED, _edges(together), actor)
        number = together.update(archived_at=None)
        readiness.refresh_by_keys(keys)
        chains.refresh(unfinished)
        over = tree.on_board().lease_over(max(mark, timezone.now()))
        needing = Exists(ResourceNeed.objects.filter(task=OuterRef("pk")))
        leases.free_over(over.filter(needing))  # what they held was let go when they went
        task.refresh_from_db()
        record(Verb.RESTORE, task, actor, reason, number)
        if task.status not in FINISHED:
            rollup.settle(task, actor=actor)
    return Effect(task, tasks_total=number)


def _tree(task: Task) -> TaskQuerySet:
    """Return the rows of a task and of everything below it. Raises Conflict for a group that is too large."""
    if task.is_plan:
        return Task.objects.filter(Q(pk=task.pk) | Q(root=task.pk))
    keys = [task.pk, *sorted(descendants_of([task.pk]))]
    if len(keys) > _KEYS:
        raise Conflict(
            f"{task.public_id} has {len(keys) - 1:,} tasks below it; at most {_KEYS:,} go at once.",
            next="Act on the groups below it, or on its plan.",
        )
    return Task.objects.filter(pk__in=keys)


def unfinished_leaves(moved: TaskQuerySet) -> list[int]:
    return list(moved.leaves().exclude(status__in=FINISHED).order_by().values_list("pk", flat=True))


def _lock(tree: TaskQuerySet) -> None:
    """SQLite runs one transaction at a time anyway."""
    if connection.features.has_select_for_update:
        list(tree.locked_upwards().values_list("pk"))


def new_mark(earlier: Iterable[datetime | None]) -> datetime:
    """Return the time of an archiving, different from that of every earlier one in the tree; a clock may go back."""
    taken, now = set(earlier), timezone.now()
    while now in taken:
        now += _INSTANT
    return now


def _require_company(task: Task) -> None:
    """Check that the parent keeps a task on the board: one that was not cancelled, if this one is unfinished."""
    if task.parent_id is None:
        return
    others = Task.objects.on_board().filter(parent=task.parent_id).exclude(pk=task.pk)
    if task.status not in FINISHED:
        others = others.exclude(status=Status.CANCELLED)
    parent = Task.objects.get(pk=task.parent_id)
    is_orphan = task.status not in FINISHED and (parent.archived_at is not None or parent.status in FINISHED)
    if not is_orphan and not others.exists():
        raise Conflict(
            f"{task.public_id} is the last of {parent.public_id} that is left to do or done.",
            next=f"Archive {parent.public_id} instead.",
            details={"parent_task_id": parent.public_id},
        )


def _require_free(moved: TaskQuerySet, actor: Actor) -> None:
    active = moved.filter(is_leaf__in=[True], status=Status.ACTIVE, lease_expires_at__gt=timezone.now())
    held = active.select_related("lease_session").first()
    if held is not None and leases.is_holder(held, actor):
        raise Conflict(f"You hold {held.public_id}.", next="Complete or release it first.", hint=Hint.FINISH_YOURS)
    if held is not None:
        raise leases.held(held)


def _require_unneeded(edges: Iterable[Dependency]) -> None:
    """Check that no unfinished task elsewhere waits for an unfinished one that went."""
    for edge in edges:
        if edge.task.status not in FINISHED and edge.depends_on.status not in FINISHED:
            waiting, need = edge.task.public_id, edge.depends_on.public_id
            raise Conflict(
                f"{waiting} waits for {need}, which is unfinished.",
                next=f"Complete or cancel {need} first, or remove the dependency.",
                hint=Hint.SEE_TASK,
                details={"waiting": waiting, "waits_for": need},
            )


def tell_dependents(verb: Verb, edges: Iterable[Dependency], actor: Actor) -> None:
    for edge in edges:
        after = {"task_id": edge.depends_on.public_id}
        events.record(actor=actor, verb=verb, project=edge.task.project_id, task=edge.task, after=after)


def _edges(moved: TaskQuerySet) -> list[Dependency]:
    """Return what tasks elsewhere on the board wait for among archived ones; nothing archived waits for them."""
    edges = Dependency.objects.filter(depends_on__in=moved.order_by().values("pk"), task__archived_at__isnull=True)
    named = ("public_id", "project_id", "status")
    fields = [f"{end}__{name}" for end in ("task", "depends_on") for name in named]
    rows = edges.select_related("task", "depends_on").only("inherited_from", *fields).order_by("pk")
    # Asked for in the query, this would send SQLite to the index of everything that is not inherited.
    return [edge for edge in rows if edge.inherited_from_id is None]


def _require_parent(task: Task) -> None:
    """Check that the tasks above are on the board. Raises Conflict, naming the highest that is not."""
    highest, above = None, task.parent
    while above is not None:
        highest, above = (above if above.archived_at else highest), above.parent
    if highest is not None:
        raise Conflict(
            f"{task.public_id} belongs to {highest.public_id}, which is archived.",
            next=f"Restore {highest.public_id} first.",
            details={"archived": highest.public_id},
        )


def record(verb: Verb, task: Task, actor: Actor, reason: str, number: int) -> None:
    after = {"reason": reason, "tasks": number, "task_id": task.public_id}
    events.record(actor=actor, verb=verb, project=task.project_id, task=task, after=after)
