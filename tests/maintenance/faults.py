"""Faults of the structure, each made directly in the database, past every service.

Constraints make these impossible, so nothing looks for them: a task that is its own parent or root, a plan with a root
or a depth, a subtask without them, an active leaf without the end of a lease, a lease on anything else, a ready mark on
what cannot be claimed, a completed task without a time, a dependency on itself, and the same dependency twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from artifacts.models import Artifact, Content, SearchBacklog
from maintenance.choices import Cause
from tasks.choices import Status
from tasks.models import Project, Task
from tests.factories import make_artifact, make_dependency, make_plan, make_project, make_task

OLD = timedelta(hours=2)
Fault = Callable[[Project], str]
"""Makes a fault in a project, and returns the subject of what a check finds."""


def change(task: Task, **columns: object) -> str:
    Task.objects.filter(pk=task.pk).update(**columns)
    return task.public_id


def leaves(project: Project, number: int = 2, **fields: object) -> list[Task]:
    """Make a plan and return its subtasks, marked ready as they are."""
    plan = make_plan(project, number, **fields)
    children = Task.objects.filter(parent=plan)
    children.update(is_ready=True)
    return list(children)


def active_plan(project: Project, *statuses: str) -> Task:
    """Make a plan that has started, with a subtask in each of some states."""
    no_lease = {"lease_number": 0, "lease_holder": "", "lease_expires_at": None}
    return make_plan(project, len(statuses), statuses=statuses, status=Status.ACTIVE, **no_lease)


def nested(project: Project) -> tuple[Task, Task, Task]:
    """Make a plan with a group of one leaf, and return the three."""
    plan = make_task(project, is_leaf=False)
    group = make_task(project, parent=plan, is_leaf=False)
    return plan, group, make_task(project, parent=group, is_ready=True)


def parent_loop(project: Project) -> str:
    plan, group, leaf = nested(project)
    make_task(project, parent=plan, is_ready=True)
    Task.objects.filter(pk=leaf.pk).update(is_leaf=False, is_ready=False)
    return change(group, parent=leaf)


def wrong_root(project: Project) -> str:
    other = leaves(project)[0]
    return change(leaves(project)[0], root=other.root)


def wrong_depth(project: Project) -> str:
    return change(leaves(project)[0], depth=7)


def leaf_with_children(project: Project) -> str:
    return change(nested(project)[1], is_leaf=True)


def group_without_children(project: Project) -> str:
    return change(leaves(project)[0], is_leaf=False, is_ready=False)


def finished_group(project: Project) -> str:
    plan = leaves(project)[0].parent
    assert plan is not None
    return change(plan, status=Status.COMPLETED, completed_at=timezone.now())


def unfinished_group(project: Project) -> str:
    plan = active_plan(project, Status.COMPLETED, Status.COMPLETED)
    Task.objects.filter(parent=plan).update(summary="Done.")
    return plan.public_id


def ready_but_waiting(project: Project) -> str:
    first, second = leaves(project)
    make_dependency(second, first)
    return second.public_id


def not_marked_ready(project: Project) -> str:
    return change(leaves(project)[0], is_ready=False)


def miscounted_chain(project: Project) -> str:
    first, second = leaves(project)
    make_dependency(second, first)
    change(second, is_ready=False)
    return change(first, chain=3)


def inherited_is_missing(project: Project) -> str:
    plan, group, leaf = nested(project)
    make_dependency(group, make_task(project, parent=plan, is_ready=True))
    return leaf.public_id


def inherited_is_left_over(project: Project) -> str:
    plan, group, leaf = nested(project)
    make_dependency(leaf, make_task(project, parent=plan, is_ready=True), inherited_from=group)
    return change(leaf, is_ready=False)


def dependency_cycle(project: Project) -> str:
    first, second = leaves(project)
    make_dependency(first, second)
    make_dependency(second, first)
    Task.objects.filter(pk__in=[first.pk, second.pk]).update(is_ready=False)
    return first.public_id


def foreign_dependency(project: Project) -> str:
    task, need = leaves(project, 1)[0], leaves(make_project(), 1)[0]
    make_dependency(task, need)
    change(task, is_ready=False)
    return f"{task.public_id} {need.public_id}"


def waits_for_archived(project: Project) -> str:
    first, second = leaves(project)
    make_dependency(second, first)
    change(second, is_ready=False)
    change(first, archived_at=timezone.now(), is_ready=False)
    return f"{second.public_id} {first.public_id}"


def active_without_lease(project: Project) -> str:
    plan = active_plan(project, Status.ACTIVE)
    task = Task.objects.get(parent=plan)
    return change(task, lease_holder="", lease_session=None, lease_expires_at=timezone.now() - OLD)


def review_without_delivery(project: Project) -> str:
    plan = active_plan(project, Status.IN_REVIEW)
    return Task.objects.get(parent=plan).public_id


def completed_without_summary(project: Project) -> str:
    plan = make_plan(project, 1, statuses=[Status.COMPLETED], status=Status.COMPLETED)
    return Task.objects.get(parent=plan).public_id


def completed_without_evidence(project: Project) -> str:
    plan = make_plan(project, 1, statuses=[Status.COMPLETED], status=Status.COMPLETED)
    task = Task.objects.get(parent=plan)
    Task.objects.filter(pk=task.pk).update(
        gates=[{"name": "report", "kind": "report", "rung": "reported"}], summary="All of it"
    )
    return task.public_id


def version_is_missing(project: Project) -> str:
    artifact = make_artifact(leaves(project)[0], "one", "two")
    artifact.versions.filter(number=1).delete()
    return artifact.public_id


def unknown_specialist(project: Project) -> str:
    return change(leaves(project)[0], specialist="astrologer")


def future_time(project: Project) -> str:
    return change(leaves(project)[0], updated_at=timezone.now() + timedelta(days=2))


def index_backlog(project: Project) -> str:
    task = leaves(project)[0]
    SearchBacklog.objects.create(owner=task.pk * 2)
    return change(task, updated_at=timezone.now() - OLD)


def artifact_in_backlog(project: Project) -> str:
    artifact = make_artifact(leaves(project)[0])
    SearchBacklog.objects.create(owner=artifact.pk * 2 + 1)
    Artifact.objects.filter(pk=artifact.pk).update(updated_at=timezone.now() - OLD)
    return artifact.public_id


def damaged_content(project: Project) -> str:
    artifact = make_artifact(leaves(project)[0], f"Damaged in {project.slug}.")
    Content.objects.filter(versions__artifact=artifact).update(data=b"Something else.")
    return f"{artifact.public_id} v1"


def miscounted_content(project: Project) -> str:
    artifact = make_artifact(leaves(project)[0], f"Miscounted in {project.slug}.")
    Content.objects.filter(versions__artifact=artifact).update(size_lines=77)
    return f"{artifact.public_id} v1"


def unnamed_content(project: Project) -> str:
    artifact = make_artifact(leaves(project)[0], f"Unnamed in {project.slug}.")
    Content.objects.filter(versions__artifact=artifact).update(stored_at=timezone.now() - timedelta(days=2))
    artifact.delete()
    return "content"


BASIC: dict[str, tuple[Cause, Fault]] = {
    "active_without_lease": (Cause.ACTIVE_WITHOUT_LEASE, active_without_lease),
    "ready_but_waiting": (Cause.READY_MARK, ready_but_waiting),
    "finished_group": (Cause.GROUP_STATE, finished_group),
    "unfinished_group": (Cause.GROUP_STATE, unfinished_group),
    "waits_for_archived": (Cause.WAITS_FOR_ARCHIVED, waits_for_archived),
    "future_time": (Cause.FUTURE_TIME, future_time),
    "index_backlog": (Cause.INDEX_BACKLOG, index_backlog),
    "artifact_in_backlog": (Cause.INDEX_BACKLOG, artifact_in_backlog),
}
COMPREHENSIVE: dict[str, tuple[Cause, Fault]] = {
    "parent_loop": (Cause.PARENT_LOOP, parent_loop),
    "wrong_root": (Cause.WRONG_ROOT, wrong_root),
    "wrong_depth": (Cause.WRONG_ROOT, wrong_depth),
    "leaf_with_children": (Cause.LEAF_WITH_CHILDREN, leaf_with_children),
    "group_without_children": (Cause.LEAF_WITH_CHILDREN, group_without_children),
    "not_marked_ready": (Cause.READY_MARK, not_marked_ready),
    "miscounted_chain": (Cause.CHAIN, miscounted_chain),
    "inherited_is_missing": (Cause.INHERITED_DEPENDENCY, inherited_is_missing),
    "inherited_is_left_over": (Cause.INHERITED_DEPENDENCY, inherited_is_left_over),
    "dependency_cycle": (Cause.DEPENDENCY_CYCLE, dependency_cycle),
    "foreign_dependency": (Cause.FOREIGN_DEPENDENCY, foreign_dependency),
    "unknown_specialist": (Cause.UNKNOWN_SPECIALIST, unknown_specialist),
    "review_without_delivery": (Cause.REVIEW_WITHOUT_DELIVERY, review_without_delivery),
    "completed_without_summary": (Cause.COMPLETED_WITHOUT_WORK, completed_without_summary),
    "completed_without_evidence": (Cause.COMPLETED_WITHOUT_EVIDENCE, completed_without_evidence),
    "version_is_missing": (Cause.VERSION_COUNT, version_is_missing),
}
FULL_AUDIT: dict[str, tuple[Cause, Fault]] = {
    "damaged_content": (Cause.CONTENT_DAMAGED, damaged_content),
    "miscounted_content": (Cause.CONTENT_DAMAGED, miscounted_content),
    "unnamed_content": (Cause.CONTENT_UNNAMED, unnamed_content),
}
ALL = {**BASIC, **COMPREHENSIVE, **FULL_AUDIT}
