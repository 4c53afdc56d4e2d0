"""Repair: correct what follows from other rows, a finding at a time, each looked at again with its task locked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from artifacts.models import Artifact, SearchBacklog
from artifacts.search import index
from artifacts.search.documents import owner_of
from artifacts.services.verify import repair_row
from maintenance.choices import Cause
from maintenance.found import Found
from maintenance.selectors.structure_rows import not_following
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.signals import tasks_changed
from tasks import events
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task
from tasks.services import chains, dependencies, holds, leases, readiness, rollup

Facts = dict[str, Any]
Change = Callable[[Task, Actor], Facts]
"""Repairs a task whose row is locked; returns what is so now. Raises Conflict where nothing is wrong with it."""


def repair(*, project: Project, found: Iterable[Found], actor: Actor) -> list[Facts]:
    """Repair each finding that proposes it, in a short transaction of its own.

    Returns, for each, `{"verb": "repair", "cause", "task_id", …}` with what is so now, or with `conflict` where it is
    not as it was found any more; of these, nothing was changed.
    """
    changes: list[Facts] = []
    for each in found:
        if each.proposal == "repair":
            facts: Facts = {"verb": "repair", "cause": each.cause.value, "task_id": each.subject.partition(" ")[0]}
            try:
                facts |= repair_one(project=project, found=each, actor=actor)
            except Conflict as conflict:
                facts["conflict"] = conflict.message
            changes.append(facts)
    return changes


def repair_one(*, project: Project, found: Found, actor: Actor) -> Facts:
    """Repair one finding and return what is so now. Raises Conflict where it is not as it was found any more."""
    outside = _OUTSIDE.get(found.cause)
    facts = outside(project, found) if outside else {}
    with transaction.atomic(), events.together():
        task = _locked(project, found)
        if outside is None:
            if found.cause not in _INSIDE:
                raise Conflict(f"{found.cause.label}: there is no safe repair.", next=found.advice)
            facts = _INSIDE[found.cause](task, actor)
        after = {"repaired": found.cause.value, **facts}
        events.record(actor=actor, verb=Verb.EDIT, project=project, task=task, before=_before(found), after=after)
    return {"task_id": task.public_id, **facts}


def _locked(project: Project, found: Found) -> Task:
    dependencies.lock_graph(project.pk)
    holds.lock_all(project.pk)
    rows = Task.objects.select_related("project").select_for_update(of=("self",))
    task = rows.filter(project=project, pk=found.task_pk or 0).first()
    if task is None:
        raise Conflict(f"{found.subject} is not there any more.", next="Validate the structure again.")
    return task


def _before(found: Found) -> Facts:
    return {name: value for name, value in found.evidence.items() if name != "total"}


def _as_it_should_be(task: Task) -> Conflict:
    return Conflict(f"{task.public_id} is not as it was found.", next="Validate the structure again.")


def _ready_mark(task: Task, actor: Actor) -> Facts:
    before = task.is_ready
    readiness.refresh_by_keys([task.pk])
    task.refresh_from_db(fields=["is_ready"])
    if task.is_ready == before:
        raise _as_it_should_be(task)
    return {"is_ready": task.is_ready}


def _group_state(task: Task, actor: Actor) -> Facts:
    child = Task.objects.on_board().filter(parent=task).select_related("project").first()
    if child is None or not not_following(Task.objects.filter(pk=task.pk)).exists():
        raise _as_it_should_be(task)
    rollup.settle(child, actor=actor)
    task.refresh_from_db(fields=["status"])
    return {"status": task.status}


def _leaf_flag(task: Task, actor: Actor) -> Facts:
    child = Task.objects.filter(parent=task).select_related("project").order_by("archived_at").first()
    if task.is_leaf != (child is not None):
        raise _as_it_should_be(task)
    if task.status == Status.ACTIVE and not (task.is_leaf and task.lease_is_over(timezone.now())):
        raise leases.held(task)
    holds.let_go_of(task)
    no_lease = {"lease_session": None, "lease_holder": "", "lease_expires_at": None}
    Task.objects.filter(pk=task.pk).update(is_leaf=child is None, is_ready=False, **no_lease)
    chains.refresh([task.pk])
    if child is None:
        readiness.refresh_by_keys([task.pk])
    elif child.archived_at is None:
        rollup.settle(child, actor=actor)
    return {"is_leaf": child is None}


def _inherited(task: Task, actor: Actor) -> Facts:
    """Give a task the dependencies of its parents as they are now, as rows of its own."""
    above = [parent.pk for parent in _parents(task)]
    own = Dependency.objects.filter(task__in=above, inherited_from__isnull=True).exclude(depends_on=task)
    expected = {(need, origin) for origin, need in own.values_list("task_id", "depends_on_id")}
    rows = Dependency.objects.filter(task=task, inherited_from__isnull=False)
    present = {(need, origin): pk for pk, need, origin in rows.values_list("pk", "depends_on_id", "inherited_from_id")}
    missing, left_over = sorted(expected - present.keys()), present.keys() - expected
    if not missing and not left_over:
        raise _as_it_should_be(task)
    dependencies.lock_needed(need for need, _ in missing)
    Dependency.objects.filter(pk__in=[present[pair] for pair in left_over]).delete()
    Dependency.objects.bulk_create(
        Dependency(task=task, depends_on_id=need, inherited_from_id=origin) for need, origin in missing
    )
    readiness.refresh_by_keys([task.pk])
    chains.refresh([task.pk, *(need for need, _ in left_over)])
    return {"added": len(missing), "removed": len(left_over)}


def _root_and_depth(task: Task, actor: Actor) -> Facts:
    above = _parents(task)
    root = above[-1] if above else None
    if root is None or (task.root_id, task.depth) == (root.pk, len(above)):
        raise _as_it_should_be(task)
    Task.objects.filter(pk=task.pk).update(root=root, depth=len(above))
    task.root, task.depth = root, len(above)
    tasks_changed.send(Task, tasks=[task], renamed=True)  # search knows the plan of everything
    return {"plan": root.public_id, "depth": len(above)}


def _parents(task: Task) -> list[Task]:
    """Return the tasks above a task, its parent first. Raises Conflict where they are a loop, or of other projects."""
    above: list[Task] = []
    passed, key = {task.pk}, task.parent_id
    while key is not None:
        parent = Task.objects.get(pk=key)
        if key in passed or parent.project_id != task.project_id:
            raise Conflict(
                f"The parents of {task.public_id} are a loop, or of another project.", next="Restore a backup."
            )
        passed.add(key)
        above.append(parent)
        key = parent.parent_id
    return above


def _chain(task: Task, actor: Actor) -> Facts:
    before = task.chain, task.unblocks
    chains.refresh([task.pk])
    task.refresh_from_db(fields=["chain", "unblocks"])
    if (task.chain, task.unblocks) == before:
        raise _as_it_should_be(task)
    return {"chain": task.chain, "unblocks": task.unblocks}


def _lease(task: Task, actor: Actor) -> Facts:
    if task.status != Status.ACTIVE or not task.is_leaf or not task.lease_is_over(timezone.now()):
        raise _as_it_should_be(task)
    leases.free(task, actor=actor, why="Its lease was over.")
    rollup.settle(task, actor=actor)
    return {"status": task.status}


def _index(project: Project, found: Found) -> Facts:
    """Index what was found: a task, or an artifact that is the subject."""
    artifact = Artifact.objects.filter(project=project, public_id=found.subject).first()
    owner = owner_of(artifact=artifact.pk) if artifact else owner_of(task=found.task_pk)
    if not SearchBacklog.objects.filter(owner=owner).exists():
        raise Conflict(f"{found.subject} is in the search index.", next="Validate the structure again.")
    if artifact:
        index.catch_up_with(owner)
    else:
        index.catch_up_with_tasks([owner // 2])
    return {"indexed": found.subject}


def _content(project: Project, found: Found) -> Facts:
    if not repair_row(sha256=str(found.evidence.get("sha256"))):
        raise Conflict(f"{found.subject} has no row that could be corrected.", next="Validate the structure again.")
    return {"corrected": found.subject}


_INSIDE: dict[Cause, Change] = {
    Cause.ACTIVE_WITHOUT_LEASE: _lease,
    Cause.READY_MARK: _ready_mark,
    Cause.GROUP_STATE: _group_state,
    Cause.CHAIN: _chain,
    Cause.LEAF_WITH_CHILDREN: _leaf_flag,
    Cause.INHERITED_DEPENDENCY: _inherited,
    Cause.WRONG_ROOT: _root_and_depth,
}
_OUTSIDE: dict[Cause, Callable[[Project, Found], Facts]] = {
    Cause.INDEX_BACKLOG: _index,
    Cause.CONTENT_DAMAGED: _content,
}
"""Repairs that read long, before the transaction of their event."""
