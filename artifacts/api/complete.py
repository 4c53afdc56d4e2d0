"""POST /tasks/{task_id}/complete: store the result as an artifact and end the task, in one step."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts import paths
from artifacts.models import Kind
from artifacts.selectors.links import progress_of
from artifacts.serializers import info_of
from artifacts.services.deliver import (
    DEFAULT_ACTION,
    OUTCOMES,
    Delivery,
    DeliveryRequest,
    deliver,
    prepare_delivery,
)
from orchestrator_site.rest.fields import Body, BoundedList, Choice, Integer, String, StringList, Text
from orchestrator_site.rest.idempotency import Reply
from tasks.api.fields import EvidenceList, UsageBody
from tasks.api.serializers import ProgressShape, TaskDetail, TaskLine
from tasks.api.tasks import TaskApi
from tasks.api.verbs import HeldBody
from tasks.gates.definition import GATES_LIMIT
from tasks.gates.pieces import piece_of
from tasks.models import Task
from tasks.selectors import counts
from tasks.services.attempts import usage_of
from tasks.services.gates import completing
from tasks.services.look import Look
from tasks.services.notes import NOTES_LIMIT

_OTHER_FIELDS = 1024 * 1024
"""Bytes of a body besides the text."""


class DecisionBody(Body):
    text = String()
    because = String(required=False)
    instead_of = String(required=False)


class DecisionField(serializers.JSONField):
    """A decision: its text, or an object of `text`, `because` and `instead_of`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return data
        body = DecisionBody(data=data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class Decisions(BoundedList):
    child = DecisionField()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "array",
        "maxItems": NOTES_LIMIT,
        "items": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("text", "because", "instead_of")},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            ]
        },
    }


class CompleteBody(HeldBody):
    summary = Text()
    detailed_work = Text(required=False)
    upload_ids = StringList(required=False)
    next_action = Choice(OUTCOMES, required=False)
    artifact_type = Choice(Kind.values, required=False)
    file_paths = StringList(required=False, max_length=paths.PATHS_LIMIT)
    expected_size = Integer(required=False, min_value=1, max_value=2**53)
    decisions = Decisions(required=False, max_length=NOTES_LIMIT)
    learned = StringList(required=False, max_length=NOTES_LIMIT)
    evidence = EvidenceList(required=False, max_length=GATES_LIMIT)
    usage = UsageBody(required=False, allow_null=True)


class ArtifactInfo(serializers.Serializer[Any]):
    """A stored version."""

    artifact_id = serializers.CharField()
    version = serializers.IntegerField()
    size_chars = serializers.IntegerField(allow_null=True)
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class CompleteAnswer(serializers.Serializer[Any]):
    """The task, what was stored, what became ready, and the plan's progress.

    `artifact_info` is the first of `artifacts`, and null where a person gave only a summary.
    """

    task = TaskDetail()
    artifact_info = ArtifactInfo(allow_null=True)
    artifacts = ArtifactInfo(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    unblocked = TaskLine(many=True)
    plan_progress = ProgressShape()


class CompleteViews(TaskApi):
    """`complete` stores artifacts, which the app of the other verbs does not know."""

    bodies = {"complete": CompleteBody}
    answers = {"complete": CompleteAnswer}

    @property
    def body_limit(self) -> int:
        """The largest text, with every second character escaped, and the fields around it."""
        limit: int = settings.ORCHESTRATOR_MAX_DELIVERY_BYTES
        return 2 * limit + _OTHER_FIELDS

    def complete(self, _: Request, task_id: str) -> Response:
        """Store the result and end the task: completed (or in review), needs_revision or blocked."""
        task = self.task(task_id)
        given = self.given()
        request = DeliveryRequest(
            summary=given["summary"],
            text=given.get("detailed_work"),
            upload_ids=given.get("upload_ids", ()),
            outcome=OUTCOMES[given.get("next_action", DEFAULT_ACTION)],
            reason=given.get("reason", ""),
            kind=given.get("artifact_type", Kind.GENERAL),
            paths=given.get("file_paths", ()),
            expected_size=given.get("expected_size"),
            lease_number=given.get("lease_number"),
            decisions=given.get("decisions", ()),
            learned=given.get("learned", ()),
            evidence=[piece_of(each) for each in given.get("evidence", ())],
            usage=usage_of(given.get("usage")),
        )
        prepared = prepare_delivery(task=task, actor=self.actor(task.project), request=request)

        def produce(look: Look | None) -> Reply:
            done = deliver(prepared, look)
            return self._delivered(self.with_relations(done.completion.task, task), done, prepared.warnings)

        sha256, project = prepared.sha256, task.project
        return completing(lambda look: self.once(partial(produce, look), project=project, detailed_work=sha256))

    def _delivered(self, task: Task, done: Delivery, warnings: list[str]) -> Reply:
        stored = [info_of(version) for version in done.versions]
        facts = {
            "task": task,
            "artifact_info": stored[0] if stored else None,
            "artifacts": stored,
            "warnings": warnings,
            "unblocked": done.completion.unblocked,
            "plan_progress": progress_of(counts.of_plan(task.root or task)),
        }
        return Reply(self.shape(facts))
