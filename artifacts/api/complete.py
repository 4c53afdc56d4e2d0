"""POST /tasks/{task_id}/complete: store the whole work as an artifact and end the task with it, in one step."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts import paths
from artifacts.models import Kind
from artifacts.selectors.links import progress_of
from artifacts.selectors.uploads import upload_by_id, uploads_problems
from artifacts.serializers import info_of
from artifacts.services.deliver import Delivery, deliver, prepare_uploads, prepare_work
from artifacts.truncation import warnings_of
from orchestrator_site.kernel.errors import invalid
from orchestrator_site.rest.fields import Text, Texts, Whole, Word
from orchestrator_site.rest.idempotency import Reply
from tasks.api.serializers import ProgressShape, TaskDetail, TaskLine
from tasks.api.tasks import TaskApi
from tasks.api.verbs import HeldBody
from tasks.choices import Status
from tasks.models import Task
from tasks.selectors import counts
from tasks.services.complete import ending_problems

OUTCOMES = {
    "continue": Status.COMPLETED,
    "complete": Status.COMPLETED,
    "needs_revision": Status.NEEDS_REVISION,
    "blocked": Status.BLOCKED,
}
_ROOM = 1024 * 1024
"""Bytes of a body besides the work."""


class CompleteBody(HeldBody):
    summary = Text()
    detailed_work = Text(required=False)
    upload_ids = Texts(required=False)
    next_action = Word(OUTCOMES, required=False)
    artifact_type = Word(Kind.values, required=False)
    file_paths = Texts(required=False, max_length=paths.PATHS_LIMIT)
    expected_size = Whole(required=False, min_value=1, max_value=2**53)


class ArtifactInfo(serializers.Serializer[Any]):
    """What was stored."""

    artifact_id = serializers.CharField()
    version = serializers.IntegerField()
    size_chars = serializers.IntegerField(allow_null=True)
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class CompleteAnswer(serializers.Serializer[Any]):
    """The task as it stands now, what was stored, what became ready by it, and how far the plan is.

    `artifact_info` is the first of `artifacts`, and the only one but where several uploads were named.
    """

    task = TaskDetail()
    artifact_info = ArtifactInfo()
    artifacts = ArtifactInfo(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    unblocked = TaskLine(many=True)
    plan_progress = ProgressShape()


class CompleteViews(TaskApi):
    """Completing is a verb of tasks whose work is kept by this app, which is why it is a door of its own."""

    bodies = {"complete": CompleteBody}
    answers = {"complete": CompleteAnswer}

    @property
    def body_limit(self) -> int:
        """A work of the largest size, with every second character escaped, and what stands around it."""
        limit: int = settings.ORCHESTRATOR_MAX_DELIVERY_BYTES
        return 2 * limit + _ROOM

    def complete(self, request: Request, task_id: str) -> Response:
        """Store the work and end the task: completed (or in review), to be revised, or blocked."""
        task = self.task(task_id)
        given = self.given()
        outcome = OUTCOMES[given.get("next_action", "complete")]
        logical_paths, problems = paths.all_normalised(given.get("file_paths", []))
        problems += ending_problems(given["summary"], outcome, given.get("reason", ""))
        work, upload_ids = given.get("detailed_work"), given.get("upload_ids", [])
        problems += uploads_problems(work, upload_ids, logical_paths, given.get("expected_size"))
        if problems:
            raise invalid(problems, next="Nothing was stored or changed. Mend these and send it again.")
        actor = self.actor(task.project)
        prepared = None if work is None else prepare_work(work)
        found = [upload_by_id(task.project, each) for each in upload_ids]
        arrived = prepare_uploads(task, found, actor=actor, lease_number=given.get("lease_number"))
        kind = given.get("artifact_type", Kind.GENERAL)
        warnings = warnings_of(
            work,
            kind=kind,
            paths=logical_paths,
            uploads=[each.upload for each in arrived],
            expected_size=given.get("expected_size"),
        )

        def produce() -> Reply:
            return self._done(
                deliver(
                    task=task,
                    actor=actor,
                    prepared=prepared,
                    uploads=arrived,
                    summary=given["summary"],
                    outcome=outcome,
                    reason=given.get("reason", ""),
                    kind=kind,
                    paths=logical_paths,
                    lease_number=given.get("lease_number"),
                ),
                warnings,
            )

        return self.once(produce, project=task.project, detailed_work=prepared.sha256 if prepared else None)

    def _done(self, done: Delivery, warnings: list[str]) -> Reply:
        task = self.task(done.completion.task.public_id)
        plan: Task = task.root or task
        progress = progress_of(counts.of_plan(plan))
        ready = done.completion.unblocked
        stored = [info_of(version) for version in done.versions]
        facts = {
            "task": task,
            "artifact_info": stored[0],
            "artifacts": stored,
            "warnings": warnings,
        }
        return Reply(self.shape({**facts, "unblocked": ready, "plan_progress": progress}))
