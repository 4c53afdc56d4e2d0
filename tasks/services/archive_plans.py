"""Archive many plans together, as maintenance does; `archive.py` says what archiving means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from tasks import events
from tasks.choices import FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task, TaskQuerySet
from tasks.services import chains, dependencies, holds
from tasks.services.actions import seen_as
from tasks.services.archive import new_mark, record, tell_dependents

_ROW = ("pk", "root_id", "archived_at", "status", "is_leaf", "lease_expires_at")
_NAMED = ("public_id", "project_id", "status", "lease_number", "archived_at", "is_ready")
_NAMED_OF_EDGES = [f"{end}__{name}" for end in ("task", "depends_on") for name in (*_NAMED, "root_id")]


def _trees(keys: Any) -> TaskQuerySet:
    return Task.objects.filter(Q(pk__in=keys) | Q(root__pk__in=keys))


def _edges(keys: Any) -> QuerySet[Dependency]:
    """Return what other plans on the board depend on in these plans."""
    needed = _trees(keys).on_board().order_by().values("pk")
    edges = Dependency.objects.filter(depends_on__in=needed, task__archived_at__isnull=True)
    plan, other = Coalesce("depends_on__root", "depends_on"), Coalesce("task__root", "task")
    across = edges.annotate(plan=plan, other=other).exclude(plan=F("other")).order_by("pk")
    return across.select_related("task", "depends_on").only("inherited_from", *_NAMED_OF_EDGES)


_locked = Compiled(lambda keys: _trees(keys).locked_upwards().values_list(*_ROW))
_named = Compiled(
    lambda project, keys: (
        Task.objects.filter(project=project, pk__in=keys, parent=None).on_board().order_by("pk").only(*_NAMED)
    )
)
_across = Compiled(_edges)
_on_board = CompiledUpdate(lambda keys: _trees(keys).on_board())


def archive_plans(*, project: Project, plans: Mapping[int, str], actor: Actor, reason: str = "") -> list[Task]:
    """Archive whole plans in one transaction, given by key with the state in which each was seen; return those it did.

    Left alone is a plan that changed since, is archived, has a task that is held, or one that an unfinished task
    elsewhere waits for.
    """
    with transaction.atomic(), events.together():
        dependencies.lock_graph(project.pk)
        holds.lock_all(project.pk)
        return _archive(project, plans, actor, reason)


def _archive(project: Project, plans: Mapping[int, str], actor: Actor, reason: str) -> list[Task]:
    keys = list(plans)
    rows = _locked(keys=keys)
    numbers = Counter(root or pk for pk, root, archived_at, *_ in rows if archived_at is None)
    named = _named(project=project.pk, keys=keys)
    roots = {row.pk: row for row in named if seen_as(row) == plans[row.pk]}
    # Asked for in the query, this would send SQLite to the index of everything that is not inherited.
    edges = [edge for edge in _across(keys=keys) if edge.inherited_from_id is None]
    for key in {*_held(rows), *_needed(edges)}:
        roots.pop(key, None)
    mark = new_mark(archived_at for _, _, archived_at, *_ in rows)
    _on_board({"archived_at": mark, "is_ready": False}, keys=list(roots))
    holds.let_go_below(_trees(list(roots)))
    chains.refresh(_unfinished(rows, roots))
    for key, task in roots.items():
        task.archived_at, task.is_ready = mark, False
        record(Verb.ARCHIVE, task, actor, reason, numbers[key])
    gone = [edge for edge in edges if edge.depends_on.plan_id in roots and edge.task.plan_id not in roots]
    tell_dependents(Verb.DEPENDENCY_ARCHIVED, gone, actor)
    return list(roots.values())


def _held(rows: Iterable[tuple[Any, ...]]) -> Iterable[int]:
    now = timezone.now()
    for pk, root, archived_at, status, is_leaf, expires_at in rows:
        if archived_at is None and is_leaf and status == Status.ACTIVE and expires_at and expires_at > now:
            yield root or pk


def _unfinished(rows: Iterable[tuple[Any, ...]], roots: Collection[int]) -> Iterable[int]:
    for pk, root, archived_at, status, is_leaf, _ in rows:
        if archived_at is None and is_leaf and status not in FINISHED and (root or pk) in roots:
            yield pk


def _needed(edges: Iterable[Dependency]) -> Iterable[int]:
    for edge in edges:
        if edge.task.status not in FINISHED and edge.depends_on.status not in FINISHED:
            yield edge.depends_on.plan_id
