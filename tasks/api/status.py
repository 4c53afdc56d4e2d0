"""The status of a project or a plan."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from artifacts.selectors.links import progress_of
from tasks.api.serializers import ProgressShape, TaskLine
from tasks.models import Project, Session, Task
from tasks.selectors.overview import overview
from tasks.serializers import why_stopped


class StandingShape(TaskLine):
    """An active task: `yours`, `free` (its holder is gone), or `held` by another session."""

    whose = serializers.CharField()

    class Meta(TaskLine.Meta):
        fields = (*TaskLine.Meta.fields, "lease_holder", "lease_expires_at", "whose")


class StoppedShape(TaskLine):
    """A task that waits for a decision, with the reason."""

    reason = serializers.CharField(source="why")

    class Meta(TaskLine.Meta):
        fields = (*TaskLine.Meta.fields, "reason")


class OpenPlanShape(TaskLine):
    """An open plan: its progress, and how many of its tasks are ready, active, in review and so on."""

    completed_subtasks = serializers.IntegerField()
    total_subtasks = serializers.IntegerField()
    waits_for = serializers.DictField(child=serializers.IntegerField())

    class Meta(TaskLine.Meta):
        fields = (*TaskLine.Meta.fields, "completed_subtasks", "total_subtasks", "waits_for")


class StatusAnswer(serializers.Serializer[Any]):
    """Counts, and the first few tasks of each kind with the totals."""

    project = serializers.CharField()
    plan = serializers.CharField(allow_null=True)
    progress = ProgressShape()
    in_progress = StandingShape(many=True)
    needs_revision = StoppedShape(many=True)
    needs_revision_total = serializers.IntegerField()
    waits_for_a_person = StoppedShape(many=True)
    waits_for_a_person_total = serializers.IntegerField()
    next_ready = TaskLine(allow_null=True)


class ProjectStatusAnswer(StatusAnswer):
    """The status of a project names the open plans that were active last."""

    open_plans = OpenPlanShape(many=True)
    open_plans_total = serializers.IntegerField()


def status_of(project: Project, session: Session | None, *, plan: Task | None = None) -> dict[str, Any]:
    seen = overview(project, session, plan=plan)
    for each in seen.active:
        vars(each.task)["whose"] = each.whose
    for task in (*seen.needs_revision.tasks, *seen.waits_for_a_person.tasks):
        vars(task)["why"] = why_stopped(task)
    plans = seen.plans.plans if seen.plans else []
    for shown in plans:
        done = {"completed_subtasks": shown.counts.done, "total_subtasks": shown.counts.total}
        shown.plan.__dict__.update(done, waits_for=shown.waits_for)
    return {
        "project": project.slug,
        "plan": plan.public_id if plan else None,
        "progress": progress_of(seen.counts),
        "in_progress": [each.task for each in seen.active],
        "needs_revision": seen.needs_revision.tasks,
        "needs_revision_total": seen.needs_revision.total,
        "waits_for_a_person": seen.waits_for_a_person.tasks,
        "waits_for_a_person_total": seen.waits_for_a_person.total,
        "next_ready": seen.next_ready,
        "open_plans": [each.plan for each in plans],
        "open_plans_total": seen.plans.total if seen.plans else 0,
    }
