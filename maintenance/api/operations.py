"""/projects/{project}/operations: ask the coordinator, follow what it does, undo it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.decorators import action
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from maintenance.api.serializers import CoordinatorAnswer, OperationRow, OperationShape
from maintenance.choices import Action, Level, ScopeWord, State
from maintenance.models import Operation
from maintenance.selectors.runs import is_running
from maintenance.services import undo as undoing
from maintenance.services.coordinate import Answer, Request, coordinate
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Boolean, Choice, Integer, String, StringList
from orchestrator_site.rest.filters import ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.models import Project
from tasks.selectors.find import task_by_id

TASKS_LIMIT = 100
SHOWN = 50
"""How many findings, proposals and changes an answer lists; the report of the operation has more."""
CHARS = (2_000, 100_000)


class OperationBody(Body):
    """Without `apply` it previews: the answer has the `plan_token` to apply exactly that."""

    action = Choice(Action.values)
    scope = Choice(ScopeWord.values, required=False)
    validation_level = Choice(Level.values, required=False)
    target_task_id = String(required=False)
    task_ids = StringList(required=False, max_length=TASKS_LIMIT)
    apply = Boolean(required=False)
    plan_token = String(required=False)
    since = Integer(required=False, min_value=1)
    max_chars = Integer(required=False, min_value=CHARS[0], max_value=CHARS[1])
    session_id = String(required=False)


class UndoBody(Body):
    session_id = String(required=False)


class OperationFilters(Filters):
    action = ChoicesFilter([(word, word) for word in Action.values], field_name="action", help_text="Of some actions.")
    state = ChoicesFilter([(word, word) for word in State.values], field_name="state", help_text="In some states.")


class OperationViews(ProjectApi):
    """Operations by their id."""

    queryset = Operation.objects.all()
    serializer_class = OperationShape
    filterset_class = OperationFilters
    lookup_field = "public_id"
    lookup_url_kwarg = "operation_id"
    lookup_value_regex = "[^/]+"
    bodies = {"create": OperationBody, "undo": UndoBody}
    may_queue = ("create", "undo")
    answers = {"list": OperationRow, "create": CoordinatorAnswer}

    def list(self, request: HttpRequest, project: str) -> Response:
        """List the operations of a project."""
        return self.listed(self._rows(project).defer("report", "answer"))

    def retrieve(self, request: HttpRequest, project: str, operation_id: str) -> Response:
        """Read an operation: its progress, then its full report."""
        return self.shown(self._operation(project, operation_id))

    def create(self, request: HttpRequest, project: str) -> Response:
        """Scan, validate, archive, restore, purge, prepare a handover or update the status documents.

        Answers 202 where the worker does it: follow the operation. `purge` needs the scope `admin`.
        """
        found = self.project(project)
        actor, asked = self.actor(found), self._asked(found)
        if asked.action == Action.PURGE:
            actor.require(Scope.ADMIN)

        def produce() -> Reply:
            answer = coordinate(project=found, actor=actor, request=asked)
            made = answer.operation
            status = 202 if made and is_running(made) else 200
            return Reply(self.shape(_shown(answer)), status, {"Location": _address(made)} if made else {})

        return self.once(produce, project=found, actor=actor)

    @action(detail=True, methods=["post"])
    def undo(self, request: HttpRequest, project: str, operation_id: str) -> Response:
        """Undo what an operation changed, and answer the operation that does so: with 202 where the worker does.

        A change that cannot be undone any more has a `conflict` instead.
        """
        found = self._operation(project, operation_id)
        actor = self.actor(found.project)

        def produce() -> Reply:
            made = undoing.undo(operation=found, actor=actor)
            return self.reply(made, status=202 if is_running(made) else 200, location=_address(made))

        return self.once(produce, project=found.project, actor=actor)

    def _rows(self, project: str) -> QuerySet[Operation]:
        return Operation.objects.filter(project=self.project(project)).select_related("project")

    def _operation(self, project: str, operation_id: str) -> Operation:
        listed_at = reverse("api-operation-list", args=[project])
        return self.one(self._rows(project), "operation", operation_id, listed_at=listed_at)

    def _asked(self, project: Project) -> Request:
        given: dict[str, Any] = self.given()
        target = given.get("target_task_id")
        names = ("apply", "plan_token", "since", "max_chars")
        return Request(
            action=Action(given["action"]),
            scope=ScopeWord(given.get("scope", ScopeWord.CURRENT_SESSION)),
            level=Level(given.get("validation_level", Level.BASIC)),
            target=task_by_id(project, target) if target else None,
            task_ids=tuple(given.get("task_ids", ())),
            **{name: given[name] for name in names if name in given},
        )


def _address(operation: Operation) -> str:
    return reverse("api-operation-detail", args=[operation.project.slug, operation.public_id])


def _shown(answer: Answer) -> dict[str, Any]:
    lists = {"findings": answer.findings, "proposals": answer.proposals, "changes": answer.changes}
    firsts = {name: rows[:SHOWN] for name, rows in lists.items()}  # type: ignore[index]
    names = ("operation", "counts", "plan_token", "handover", "documents", "notes", "text")
    totals = {f"{name}_total": len(rows) for name, rows in lists.items()}  # type: ignore[arg-type]
    return {name: getattr(answer, name) for name in names} | firsts | totals
