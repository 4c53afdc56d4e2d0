"""POST /tasks/{task_id}/VERB: one URL per verb of the state machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.reports.brief import SMALLEST_CHARS, brief_of
from orchestrator_site.rest.fields import Body, Boolean, Choice, Integer, String, Text
from orchestrator_site.rest.idempotency import Reply
from tasks import roles
from tasks.api.fields import UsageBody
from tasks.api.serializers import LINKS, PRIORITIES, TaskDetail, TaskLine
from tasks.api.tasks import BRIEF_CHARS_LIMIT, TaskApi
from tasks.choices import Priority, Status, Verb
from tasks.due import begin_of
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.project_settings import setting
from tasks.services import order
from tasks.services.actions import ACTIONS, perform
from tasks.services.attempts import usage_of
from tasks.services.claim import Claim, claim, claim_next
from tasks.services.complete import complete
from tasks.services.effect import Effect
from tasks.state_machine import TABLE

LEASE_NUMBER_LIMIT = 2**31 - 1


class PlainBody(Body):
    session_id = String(required=False)


class ReasonBody(PlainBody):
    reason = Text(required=False)


class AnswerBody(PlainBody):
    answer = Text(required=False)


class HeldBody(ReasonBody):
    lease_number = Integer(required=False, min_value=1, max_value=LEASE_NUMBER_LIMIT)


class ClaimBody(PlainBody):
    take_over = Boolean(required=False)
    max_chars = Integer(required=False, min_value=SMALLEST_CHARS, max_value=BRIEF_CHARS_LIMIT)


class ClaimNextBody(PlainBody):
    specialist_type = String(required=False)
    max_chars = Integer(required=False, min_value=SMALLEST_CHARS, max_value=BRIEF_CHARS_LIMIT)


class HandBackBody(HeldBody):
    summary = Text()
    usage = UsageBody(required=False, allow_null=True)


class DeferBody(PlainBody):
    """With null, it is deferred no longer."""

    until = String(allow_null=True)


class BoostBody(PlainBody):
    priority = Choice(PRIORITIES)


class AssignBody(PlainBody):
    """A client or a model; null or an empty one takes the wish back."""

    client = String(required=False, allow_null=True)
    model = String(required=False, allow_null=True)


class TaskAnswer(serializers.Serializer[Any]):
    """The task."""

    task = TaskDetail()


class OrderAnswer(TaskAnswer):
    """The task, and how many changed: of a group, tasks below it do."""

    changed_total = serializers.IntegerField()


class ClaimAnswer(TaskAnswer):
    """The task with its lease, and the brief. `renewed`: the caller held it already."""

    renewed = serializers.BooleanField()
    took_over = serializers.BooleanField()
    brief = serializers.CharField()
    omitted = serializers.ListField(child=serializers.CharField())
    role_problems = serializers.ListField(child=serializers.CharField())


class UnblockedAnswer(TaskAnswer):
    """The task, and what became ready."""

    unblocked = TaskLine(many=True)


class RevisionAnswer(TaskAnswer):
    """The task, and its dependents that have started already."""

    built_on_it = TaskLine(many=True)


class CancelAnswer(TaskAnswer):
    """The task, how many were cancelled with it, and what still waits for them."""

    cancelled_total = serializers.IntegerField()
    still_waiting = TaskLine(many=True)


class ReopenAnswer(TaskAnswer):
    """The task, and how many were reopened with it."""

    reopened_total = serializers.IntegerField()


class ArchiveAnswer(TaskAnswer):
    """The task, and how many were archived or restored together, itself included."""

    tasks_total = serializers.IntegerField()


BODIES: dict[tuple[str, ...], type[Body]] = {
    (): PlainBody,
    ("reason",): ReasonBody,
    ("reason", "lease_number"): HeldBody,
    ("take_over",): ClaimBody,
    ("answer",): AnswerBody,
}
"""By the fields that a verb takes."""


class Claims(TaskApi):
    """What both ways to claim return."""

    def claimed(self, made: Claim) -> Reply:
        task = self.task(made.task.public_id)
        catalogue = roles.catalogue(task.project)
        max_chars = self.given().get("max_chars")
        brief = brief_of(task, max_chars=max_chars, roles=catalogue, links=LINKS, is_claimed=True)
        facts = {
            "task": task,
            "renewed": made.renewed,
            "took_over": made.took_over,
            "brief": brief.text,
            "omitted": brief.omitted,
            "role_problems": catalogue.problems,
        }
        return Reply(self.shape(facts))


class ClaimNext(Claims):
    """POST /projects/{project}/claim-next."""

    bodies = {"claim_next": ClaimNextBody}
    answers = {"claim_next": ClaimAnswer}

    def claim_next(self, request: Request, project: str) -> Response:
        """Claim the best ready task of a project."""
        found = self.project(project)
        actor = self.actor(found)
        specialist = self.given().get("specialist_type")
        return self.once(
            lambda: self.claimed(claim_next(project=found, actor=actor, specialist=specialist)),
            project=found,
            actor=actor,
        )


class TaskVerbs(Claims):
    """POST /tasks/{task_id}/VERB: `hand-back`, and a URL for each row of ACTIONS, added below."""

    serializer_class = TaskAnswer  # type: ignore[assignment]
    scopes = {verb.value: TABLE[verb].scope for verb in ACTIONS}
    bodies = {
        **{verb.value: BODIES[action.fields] for verb, action in ACTIONS.items()},
        "hand_back": HandBackBody, "defer": DeferBody, "boost": BoostBody, "assign": AssignBody,
    }  # fmt: skip
    answers = {
        "claim": ClaimAnswer, "approve": UnblockedAnswer, "request_revision": RevisionAnswer, "cancel": CancelAnswer,
        "reopen": ReopenAnswer, "archive": ArchiveAnswer, "restore": ArchiveAnswer, "defer": OrderAnswer,
        "boost": OrderAnswer, "assign": OrderAnswer,
    }  # fmt: skip

    @action(detail=True, methods=["post"], url_path="hand-back")
    def hand_back(self, request: Request, task_id: str) -> Response:
        """End the work on a task as needs_revision, with nothing delivered."""
        return self.act(task_id, _handed_back)

    @action(detail=True, methods=["post"])
    def defer(self, request: Request, task_id: str) -> Response:
        """Let a task start at a time, not before."""

        def service(*, task: Task, actor: Actor, until: str | None) -> Effect:
            time = begin_of(until, at="until", zone=setting(task.project, "time_zone"))
            return order.defer(task=task, actor=actor, until=time)

        return self.act(task_id, service)

    @action(detail=True, methods=["post"])
    def boost(self, request: Request, task_id: str) -> Response:
        """Give a task a priority."""

        def service(*, task: Task, actor: Actor, priority: str) -> Effect:
            return order.boost(task=task, actor=actor, priority=Priority[priority.upper()])

        return self.act(task_id, service)

    @action(detail=True, methods=["post"])
    def assign(self, request: Request, task_id: str) -> Response:
        """Wish for the client or the model that does a task; claims by others pass over it."""

        def service(*, task: Task, actor: Actor, **names: str | None) -> Effect:
            return order.assign(task=task, actor=actor, **{name: value or "" for name, value in names.items()})

        return self.act(task_id, service)

    def perform(self, task_id: str, verb: Verb) -> Response:
        """Do a verb; the answer of a claim has the brief."""
        if verb != Verb.CLAIM:
            return self.act(task_id, partial(perform, verb=verb))
        task = self.task(task_id)
        actor = self.actor(task.project)
        take_over = self.given().get("take_over", False)
        claiming = partial(claim, task=task, actor=actor, take_over=take_over)
        return self.once(lambda: self.claimed(claiming()), project=task.project, actor=actor)

    def act(self, task_id: str, service: Callable[..., Effect]) -> Response:
        """Do something to a task with the fields of the body; answer the task, and the others that it concerns."""
        task = self.task(task_id)
        actor = self.actor(task.project)
        given = {name: value for name, value in self.given().items() if name != "session_id"}

        def produce() -> Reply:
            did = service(task=task, actor=actor, **given)
            facts = {
                "task": self.with_relations(did.task, task),
                "unblocked": did.unblocked,
                "built_on_it": did.built_on_it,
                "cancelled_total": len(did.cancelled),
                "reopened_total": len(did.reopened),
                "tasks_total": did.tasks_total,
                "changed_total": did.changed_total,
                "still_waiting": did.still_waiting,
            }
            return Reply(self.shape(facts))

        return self.once(produce, project=task.project)


def _handed_back(*, usage: dict[str, Any] | None = None, **given: Any) -> Effect:
    return Effect(complete(outcome=Status.NEEDS_REVISION, usage=usage_of(usage), **given).task)


def _url_of(verb: Verb, about: str) -> Callable[..., Response]:
    def do(self: TaskVerbs, request: Request, task_id: str) -> Response:
        return self.perform(task_id, verb)

    do.__name__, do.__doc__ = verb.value, about
    return action(detail=True, methods=["post"], url_path=verb.value.replace("_", "-"))(do)


for _verb, _action in ACTIONS.items():
    setattr(TaskVerbs, _verb.value, _url_of(_verb, _action.about))
