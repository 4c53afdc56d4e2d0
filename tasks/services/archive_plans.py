"""Archive many plans in few short transactions, as maintenance does; `archive.py` says what archiving means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tasks import events
from tasks.choices import FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task, TaskQuerySet
from tasks.services import dependencies
from tasks.services.actions import seen_as
from tasks.services.archive import new_mark, record, tell_dependents

BATCH = 25
"""Plans in one transaction: a few hundred rows, about 20 ms."""
_Edge = tuple[Dependency, int, int]  # with the plans of both ends


def archive_plans(*, project: Project, plans: Mapping[int, str], actor: Actor, reason: str = "") -> list[Task]:
    """Archive whole plans, given by key with the state in which each was seen; return those that were.

    Left alone is a plan that changed since, is archived, has a task that is held, or one that an unfinished task
    elsewhere waits for.
    """
    keys = sorted(plans)
    archived: list[Task] = []
    for start in range(0, len(keys), BATCH):
        with transaction.atomic(), events.together():
            dependencies.lock_graph(project.pk)
            some = {key: plans[key] for key in keys[start : start + BATCH]}
            archived += _archive(project, some, actor, reason)
    return archived


def _archive(project: Project, plans: Mapping[int, str], actor: Actor, reason: str) -> list[Task]:
    locked = _trees(plans).select_for_update(of=("self",)).order_by("-position", "-pk")
    places = {pk: root or pk for pk, root in locked.values_list("pk", "root_id")}
    rows = (
        Task.objects.filter(pk__in=plans, project=project, parent=None)
        .on_board()
        .order_by("pk")
        .defer("description", "context")
    )
    roots = {row.pk: row for row in rows if seen_as(row) == plans[row.pk]}
    edges = _edges(roots, places)
    for key in {*_held(roots), *_needed(edges)}:
        roots.pop(key, None)
    numbers, mark = Counter(places.values()), new_mark(_trees(roots))
    _trees(roots).on_board().update(archived_at=mark, is_ready=False)
    for key, task in roots.items():
        task.archived_at, task.is_ready = mark, False
        record(Verb.ARCHIVE, task, actor, reason, numbers[key])
    gone = [edge for edge, waiting, need in edges if need in roots and waiting not in roots]
    tell_dependents(Verb.DEPENDENCY_ARCHIVED, gone, actor)
    return list(roots.values())


def _trees(plans: Iterable[int]) -> TaskQuerySet:
    keys = list(plans)
    return Task.objects.filter(Q(pk__in=keys) | Q(root__in=keys)).on_board()


def _held(plans: Iterable[int]) -> Iterable[int]:
    held = _trees(plans).filter(is_leaf__in=[True], status=Status.ACTIVE, lease_expires_at__gt=timezone.now())
    return (root or pk for pk, root in held.order_by().values_list("pk", "root_id"))


def _needed(edges: Iterable[_Edge]) -> Iterable[int]:
    for edge, _, need in edges:
        if edge.task.status not in FINISHED and edge.depends_on.status not in FINISHED:
            yield need


def _edges(plans: Iterable[int], places: Mapping[int, int]) -> list[_Edge]:
    """Return what other plans on the board depend on in these plans; few do, so only their rows are built."""
    inside = [pk for pk, plan in places.items() if plan in plans]
    edges = Dependency.objects.filter(depends_on__in=inside, task__archived_at__isnull=True).order_by()
    rows = edges.values_list("pk", "inherited_from_id", "task_id", "task__root_id", "depends_on_id")
    outside = [pk for pk, origin, task, root, need in rows if not origin and (root or task) != places[need]]
    found = Dependency.objects.filter(pk__in=outside).select_related("task", "depends_on").order_by("pk")
    return [(edge, edge.task.plan_id, places[edge.depends_on_id]) for edge in found]
