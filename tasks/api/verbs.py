"""What is done to a task over REST: one address per verb of the state machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.reports.brief import SMALLEST_CHARS, brief_of
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Flag, Text, Whole
from orchestrator_site.rest.idempotency import Reply
from tasks import roles
from tasks.api.serializers import LINKS, TaskDetail, TaskLine
from tasks.api.tasks import BRIEF_CHARS_LIMIT, TaskApi
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import review, steer
from tasks.services.claim import Claim, claim, claim_next
from tasks.services.complete import complete

LEASE_NUMBER_LIMIT = 2**31 - 1


class PlainBody(Body):
    session_id = Text(required=False)


class ReasonBody(PlainBody):
    reason = Text(required=False)


class HeldBody(ReasonBody):
    lease_number = Whole(required=False, min_value=1, max_value=LEASE_NUMBER_LIMIT)


class ClaimBody(PlainBody):
    take_over = Flag(required=False)
    max_chars = Whole(required=False, min_value=SMALLEST_CHARS, max_value=BRIEF_CHARS_LIMIT)


class ClaimNextBody(PlainBody):
    specialist_type = Text(required=False)
    max_chars = Whole(required=False, min_value=SMALLEST_CHARS, max_value=BRIEF_CHARS_LIMIT)


class HandBackBody(HeldBody):
    summary = Text()


class TaskAnswer(serializers.Serializer[Any]):
    """The task as it stands now."""

    task = TaskDetail()


class ClaimAnswer(TaskAnswer):
    """The task with its lease, and the brief to begin with. `renewed`: it was in this holder's hands already."""

    renewed = serializers.BooleanField()
    took_over = serializers.BooleanField()
    brief = serializers.CharField()
    omitted = serializers.ListField(child=serializers.CharField())
    role_problems = serializers.ListField(child=serializers.CharField())


class UnblockedAnswer(TaskAnswer):
    """The task, and what became ready by it."""

    unblocked = TaskLine(many=True)


class RevisionAnswer(TaskAnswer):
    """The task, and what was begun on the ground of it."""

    built_on_it = TaskLine(many=True)


class CancelAnswer(TaskAnswer):
    """The task, how many were cancelled with it, and what waits for them still."""

    cancelled_total = serializers.IntegerField()
    still_waiting = TaskLine(many=True)


Act = Callable[[Task, Actor, dict[str, Any]], dict[str, Any]]
"""Does a verb; returns what stands beside the task in the answer."""


class Claims(TaskApi):
    """What both ways to claim answer."""

    def claimed(self, made: Claim) -> Reply:
        """Return the reply to a claim."""
        task = self.task(made.task.public_id)
        catalogue = roles.catalogue(task.project)
        brief = brief_of(task, max_chars=self.given().get("max_chars"), roles=catalogue, links=LINKS)
        did = {"renewed": made.renewed, "took_over": made.took_over}
        told = {"brief": brief.text, "omitted": brief.omitted, "role_problems": catalogue.problems}
        return Reply(self.shape({"task": task, **did, **told}))


class ClaimNext(Claims):
    """POST /projects/{project}/claim-next."""

    bodies = {"claim_next": ClaimNextBody}
    answers = {"claim_next": ClaimAnswer}

    def claim_next(self, request: Request, project: str) -> Response:
        """Claim the best ready task of a project; answers the lease and the brief."""
        found = self.project(project)
        actor = self.actor(found)
        specialist = self.given().get("specialist_type")
        return self.once(
            lambda: self.claimed(claim_next(project=found, actor=actor, specialist=specialist)),
            project=found,
            actor=actor,
        )


class TaskVerbs(Claims):
    """POST /tasks/{task_id}/VERB."""

    serializer_class = TaskAnswer  # type: ignore[assignment]
    scopes = {"approve": Scope.REVIEW, "request_revision": Scope.REVIEW}
    bodies = {
        "claim": ClaimBody, "approve": ReasonBody, "request_revision": ReasonBody, "block": HeldBody,
        "unblock": PlainBody, "fail": HeldBody, "retry": PlainBody, "release": HeldBody, "cancel": ReasonBody,
        "hand_back": HandBackBody,
    }  # fmt: skip
    answers = {
        "claim": ClaimAnswer, "approve": UnblockedAnswer, "request_revision": RevisionAnswer, "cancel": CancelAnswer
    }  # fmt: skip

    @action(detail=True, methods=["post"])
    def claim(self, request: Request, task_id: str) -> Response:
        """Take a task, or renew one's lease on it; answers the lease and the brief."""
        task = self.task(task_id)
        actor = self.actor(task.project)
        take_over = self.given().get("take_over", False)
        return self.once(
            lambda: self.claimed(claim(task=task, actor=actor, take_over=take_over)),
            project=task.project,
            actor=actor,
        )

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, task_id: str) -> Response:
        """Accept delivered work."""
        return self._do(task_id, _approve)

    @action(detail=True, methods=["post"], url_path="request-revision")
    def request_revision(self, request: Request, task_id: str) -> Response:
        """Send delivered work back, with what to mend."""
        return self._do(task_id, _request_revision)

    @action(detail=True, methods=["post"])
    def block(self, request: Request, task_id: str) -> Response:
        """Stop a task until somebody unblocks it."""
        return self._do(task_id, _steered(steer.block, "reason", "lease_number"))

    @action(detail=True, methods=["post"])
    def unblock(self, request: Request, task_id: str) -> Response:
        """Put a blocked task back among the pending ones."""
        return self._do(task_id, _steered(steer.unblock))

    @action(detail=True, methods=["post"])
    def fail(self, request: Request, task_id: str) -> Response:
        """Give up on a task that was tried."""
        return self._do(task_id, _steered(steer.fail, "reason", "lease_number"))

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, task_id: str) -> Response:
        """Put a failed task back among the pending ones."""
        return self._do(task_id, _steered(steer.retry))

    @action(detail=True, methods=["post"])
    def release(self, request: Request, task_id: str) -> Response:
        """Give an active task back for somebody else to claim."""
        return self._do(task_id, _steered(steer.release, "reason", "lease_number"))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, task_id: str) -> Response:
        """Cancel a task and everything unfinished below it."""
        return self._do(task_id, _cancel)

    @action(detail=True, methods=["post"], url_path="hand-back")
    def hand_back(self, request: Request, task_id: str) -> Response:
        """End one's work on a task as something to be revised, with nothing delivered."""
        return self._do(task_id, _hand_back)

    def _do(self, task_id: str, act: Act) -> Response:
        task = self.task(task_id)
        actor = self.actor(task.project)
        given = {name: value for name, value in self.given().items() if name != "session_id"}

        def produce() -> Reply:
            did = act(task, actor, given)
            return Reply(self.shape({"task": self.task(task_id), **did}))

        return self.once(produce, project=task.project)


def _steered(service: Callable[..., Task], *needed: str) -> Act:
    """Return a verb that leaves nothing beside the task. A reason that is missing is for the service to ask for."""

    def act(task: Task, actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
        reason = {"reason": ""} if "reason" in needed else {}
        service(task=task, actor=actor, **{**reason, **given})
        return {}

    return act


def _approve(task: Task, actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
    return {"unblocked": review.approve(task=task, actor=actor, comment=given.get("reason", "")).unblocked}


def _request_revision(task: Task, actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
    return {"built_on_it": review.request_revision(task=task, actor=actor, comment=given.get("reason", "")).affected}


def _cancel(task: Task, actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
    cancelled = steer.cancel(task=task, actor=actor, reason=given.get("reason", ""))
    return {"cancelled_total": len(cancelled), "still_waiting": steer.dependents_of(cancelled)}


def _hand_back(task: Task, actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
    complete(task=task, actor=actor, outcome=Status.NEEDS_REVISION, **given)
    return {}
