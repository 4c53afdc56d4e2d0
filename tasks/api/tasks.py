"""/tasks: list, read and edit them; their brief and their synthesis."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.reports.brief import SMALLEST_CHARS, brief_of
from artifacts.reports.markdown import report
from artifacts.reports.synthesis import headline, synthesis_of
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.rest.base import MarkdownRenderer
from orchestrator_site.rest.fields import Body, Choice, String, StringList, Text
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ChoiceParameter, IntegerParameter
from tasks import roles
from tasks.api.base import ProjectApi
from tasks.api.fields import Gates
from tasks.api.filters import TaskFilters
from tasks.api.serializers import LINKS, PRIORITIES, TaskDetail, TaskLine, TaskRow, TriedShape
from tasks.gates.definition import GATES_LIMIT
from tasks.models import Task, knowing_needs
from tasks.selectors.attempts import attempts_of
from tasks.serializers import columns_of
from tasks.services.edit import Changes, edit
from tasks.services.plan_check import PATHS_LIMIT, RESOURCES_LIMIT

LONG_TEXTS = ("description", "context", "summary", "review_comment", "answer", "gates", "paths")
BRIEF_CHARS_LIMIT = 200_000
ATTEMPTS_SHOWN = 200
DETAIL = ChoiceParameter("detail", "How much of each part.", ("brief", "full"))
MAX_CHARS = IntegerParameter("max_chars", "The longest brief.", least=SMALLEST_CHARS, most=BRIEF_CHARS_LIMIT)


class TaskEdit(Body):
    title = String(required=False)
    description = Text(required=False, allow_null=True)
    specialist_type = String(required=False)
    priority = Choice(PRIORITIES, required=False, allow_null=True)
    estimated_effort = String(required=False, allow_null=True)
    due_at = String(required=False, allow_null=True)
    gates = Gates(required=False, allow_null=True, max_length=GATES_LIMIT)
    file_paths = StringList(required=False, allow_null=True, max_length=PATHS_LIMIT)
    resources = StringList(required=False, max_length=RESOURCES_LIMIT, allow_null=True)
    session_id = String(required=False)


class BriefAnswer(serializers.Serializer[Any]):
    """A task's brief; `omitted` names what did not fit."""

    task_id = serializers.CharField()
    brief = serializers.CharField()
    omitted = serializers.ListField(child=serializers.CharField())
    role_problems = serializers.ListField(child=serializers.CharField())


class SynthesisAnswer(serializers.Serializer[Any]):
    """The report on everything below a task, in dependency order."""

    task_id = serializers.CharField()
    complete = serializers.BooleanField()
    headline = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField())
    parts = TaskLine(many=True)
    report = serializers.CharField()
    parts_not_shown = serializers.IntegerField()


class AttemptsAnswer(serializers.Serializer[Any]):
    """The attempts at a task, the newest first."""

    results = TriedShape(many=True)


class TaskApi(ProjectApi):
    """The base of URLs below a task."""

    queryset = Task.objects.all()
    serializer_class = TaskDetail
    lookup_field = "public_id"
    lookup_url_kwarg = "task_id"
    lookup_value_regex = "[^/]+"

    def rows(self) -> QuerySet[Task]:
        return self.visible(knowing_needs(Task.objects.select_related("project", "root", "parent")))

    def task(self, task_id: str) -> Task:
        return self.one(self.rows(), "task", task_id)

    def with_relations(self, changed: Task, read: Task) -> Task:
        """Give a task that a service returned the relations that were read before it, which no verb changes."""
        changed.root, changed.parent = read.root, read.parent
        return changed


class TaskViews(TaskApi):
    """Tasks by their id."""

    filterset_class = TaskFilters
    answers = {"list": TaskRow, "brief": BriefAnswer, "synthesis": SynthesisAnswer, "attempts": AttemptsAnswer}
    bodies = {"partial_update": TaskEdit}
    parameters = {"brief": (MAX_CHARS,), "synthesis": (DETAIL,)}
    orderings: ClassVar[dict[str, str]] = {
        "created_at": "pk", "updated_at": "updated_at", "priority": "priority", "position": "position",
        "due_at": "due_at",
    }  # fmt: skip

    def list(self, request: Request) -> Response:
        """List tasks, without their long texts."""
        return self.listed(self.rows().only(*row_columns()))

    def retrieve(self, request: Request, task_id: str) -> Response:
        """Read a task."""
        return self.shown(self.task(task_id))

    def partial_update(self, request: Request, task_id: str) -> Response:
        """Edit a task; omitted fields stay as they are, null clears."""
        task = self.task(task_id)
        actor = self.actor(task.project)
        given = self.given()
        changes = Changes(columns_of(given), resources=(given["resources"] or []) if "resources" in given else None)
        if not changes:
            raise Invalid("Nothing to change.", next="Send a field to edit.")
        catalogue = roles.catalogue(task.project)
        guard = self.guard()

        def produce() -> Reply:
            edited = edit(task=task, actor=actor, changes=changes, catalogue=catalogue, guard=guard)
            return self.reply(self.with_relations(edited, task))

        return self.once(produce, project=task.project)

    @action(detail=True, renderer_classes=[JSONRenderer, MarkdownRenderer])
    def brief(self, request: Request, task_id: str) -> Response:
        """Read the brief of a task, without a claim."""
        task = self.task(task_id)
        catalogue = roles.catalogue(task.project)
        made = brief_of(task, max_chars=MAX_CHARS.read(request), roles=catalogue, links=LINKS)
        answer = {"task_id": task.public_id, "brief": made.text, "omitted": made.omitted}
        return Response({**answer, "role_problems": catalogue.problems})

    @action(detail=True)
    def attempts(self, request: Request, task_id: str) -> Response:
        """List the newest attempts at a task, and what came of them."""
        return Response(self.shape({"results": attempts_of(self.task(task_id))[:ATTEMPTS_SHOWN]}))

    @action(detail=True, renderer_classes=[JSONRenderer, MarkdownRenderer])
    def synthesis(self, request: Request, task_id: str) -> Response:
        """Read the report on a plan or group, with more of each part for `detail=full`."""
        return Response(synthesized(self.task(task_id), DETAIL.read(request)))


def synthesized(task: Task, detail: str) -> dict[str, Any]:
    synthesis = synthesis_of(task)
    text, left_out = report(synthesis, full=detail == "full")
    return {
        "task_id": task.public_id,
        "complete": synthesis.complete,
        "headline": headline(synthesis),
        "counts": synthesis.counts,
        "parts": TaskLine([part.task for part in synthesis.parts], many=True).data,
        "report": text,
        "parts_not_shown": left_out,
    }


def row_columns() -> list[str]:
    own = [field.name for field in Task._meta.concrete_fields if field.name not in LONG_TEXTS]
    return [*own, "project__slug", "project__settings", "root__public_id", "parent__public_id"]
