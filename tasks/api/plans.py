"""/plans: create plans, list them with their progress, read one, its status and its synthesis."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.selectors.links import progress_of_plans
from orchestrator_site.kernel.bodies import LARGE_BODY
from orchestrator_site.rest.base import MarkdownRenderer
from orchestrator_site.rest.fields import Body, Boolean, Choice, String, StringList, Text
from orchestrator_site.rest.idempotency import Reply
from tasks import roles
from tasks.api.base import ProjectApi
from tasks.api.fields import Gates
from tasks.api.filters import PlanFilters
from tasks.api.serializers import PRIORITIES, PlanRow, TaskLine
from tasks.api.status import StatusAnswer, status_of
from tasks.api.tasks import DETAIL, SynthesisAnswer, TaskApi, row_columns, synthesized
from tasks.choices import Complexity
from tasks.gates.definition import GATES_LIMIT
from tasks.models import Project, Task
from tasks.serializers import subtask_of
from tasks.services.plan import Plan, plan
from tasks.services.plan_check import DEPENDENCIES_LIMIT, PATHS_LIMIT, RESOURCES_LIMIT, SUBTASKS_LIMIT

_AT_MOST: dict[str, Any] = {"max_length": SUBTASKS_LIMIT}
"""For the list that the framework makes of a body with many=True, which its types do not know."""


class SubtaskBody(Body):
    """A subtask; `key` names it for the dependencies of others, which take keys, titles and ids of tasks."""

    title = String()
    description = Text(required=False)
    specialist_type = String(required=False)
    key = String(required=False)
    dependencies = StringList(required=False, max_length=DEPENDENCIES_LIMIT)
    estimated_effort = String(required=False)
    priority = Choice(PRIORITIES, required=False, allow_null=True)
    complexity_level = Choice(Complexity.values, required=False, allow_null=True)
    context = Text(required=False)  # type: ignore[assignment]  # a field is no attribute of the class in the end
    review = Boolean(required=False, allow_null=True)
    gates = Gates(required=False, max_length=GATES_LIMIT)
    file_paths = StringList(required=False, max_length=PATHS_LIMIT)
    resources = StringList(required=False, max_length=RESOURCES_LIMIT)
    due_at = String(required=False, allow_null=True)
    not_before = String(required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Subtasks have subtasks of the same shape, to any depth."""
        return {**super().get_fields(), "subtasks": SubtaskBody(many=True, required=False, **_AT_MOST)}


class PlanBody(Body):
    """A plan. A token that is bound to a project may leave `project` out."""

    project = String(required=False)
    description = Text()
    subtasks = SubtaskBody(many=True, **_AT_MOST)
    complexity_level = Choice(Complexity.values, required=False)
    context = Text(required=False, allow_null=True)  # type: ignore[assignment]
    parent_task_id = String(required=False, allow_null=True)
    session_id = String(required=False)


class PlannedSubtask(serializers.Serializer[Any]):
    """A new task, with its key in the request."""

    task_id = serializers.CharField()
    title = serializers.CharField()
    key = serializers.CharField()
    parent_task_id = serializers.CharField()
    specialist_type = serializers.CharField()
    dependencies = serializers.ListField(child=serializers.CharField())


class PlanAnswer(serializers.Serializer[Any]):
    """The new root, and every task below it, depth first."""

    parent_task_id = serializers.CharField()
    plan = serializers.CharField()
    project = serializers.CharField()
    title = serializers.CharField()
    status = serializers.CharField()
    subtasks = PlannedSubtask(many=True)


class PlanViews(TaskApi):
    """Plans by the id of their root."""

    filterset_class = PlanFilters
    answers = {"list": PlanRow, "create": PlanAnswer, "synthesis": SynthesisAnswer, "status": StatusAnswer}
    statuses = {"create": 201}
    bodies = {"create": PlanBody}
    parameters = {"synthesis": (DETAIL,)}
    limits = {"create": LARGE_BODY}
    orderings = {"created_at": "pk", "updated_at": "updated_at"}

    def rows(self) -> QuerySet[Task]:
        return super().rows().filter(parent__isnull=True)

    def list(self, request: Request) -> Response:
        """List plans with their progress."""
        page = self.paginate_queryset(self.filter_queryset(self.rows().only(*row_columns()))) or []
        progress = progress_of_plans(page)
        for each in page:
            vars(each)["progress"] = progress[each.pk]
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, task_id: str) -> Response:
        """Read a plan with its progress."""
        return self.shown(self.task(task_id))

    def create(self, request: Request) -> Response:
        """Create a plan with its tree of subtasks, all or nothing."""
        project = self.project_said()
        actor = self.actor(project)
        sent = self.given().get("parent_task_id")
        parent = self.one(super().rows().filter(project=project), "task", sent) if sent else None
        return self.once(lambda: self._planned(project, actor, parent), project=project)

    @action(detail=True)
    def status(self, request: Request, task_id: str) -> Response:
        """Read a plan's status: counts, what needs attention, what is ready next."""
        task = self.task(task_id)
        return Response(self.shape(status_of(task.project, self.reading_session(task.project), plan=task)))

    @action(detail=True, renderer_classes=[JSONRenderer, MarkdownRenderer])
    def synthesis(self, request: Request, task_id: str) -> Response:
        """Read the report on a plan, with more of each part for `detail=full`."""
        return Response(synthesized(self.task(task_id), DETAIL.read(request)))

    def _planned(self, project: Project, actor: Any, parent: Task | None) -> Reply:
        given = self.given()
        made = plan(
            project=project,
            actor=actor,
            catalogue=roles.catalogue(project),
            description=given["description"],
            subtasks=[subtask_of(each) for each in given["subtasks"]],
            complexity=given.get("complexity_level", Complexity.MODERATE),
            context=given.get("context") or "",
            parent=parent,
        )
        return planned_reply(self, made, project)


def planned_reply(view: ProjectApi, made: Plan, project: Project) -> Reply:
    """Return the response to what made a plan, or a group below a task."""
    name = "api-plan-detail" if made.root.is_plan else "api-task-detail"
    return Reply(view.shape(_facts(made, project)), 201, {"Location": reverse(name, args=[made.root.public_id])})


def _facts(made: Plan, project: Project) -> dict[str, Any]:
    root = made.root
    rows = zip(made.tasks, made.keys, made.needs, strict=True)
    return {
        "parent_task_id": root.public_id,
        "plan": root.root.public_id if root.root else root.public_id,
        "project": project.slug,
        "title": root.title,
        "status": root.status,
        "subtasks": [
            {
                **TaskLine(task).data,
                "key": key,
                "parent_task_id": task.parent.public_id if task.parent else None,
                "dependencies": needs,
            }
            for task, key, needs in rows
        ],
    }
