"""/tasks/{task_id}/gates, evidence, waivers and challenges."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Integer, String, Text
from orchestrator_site.rest.idempotency import Reply
from tasks.api.fields import NUMBER_LIMIT, RUNGS, EvidenceList
from tasks.api.tasks import TaskApi
from tasks.choices import GateKind, Rung
from tasks.gates.definition import GATES_LIMIT
from tasks.gates.pieces import piece_of
from tasks.gates.reports import REPORT_BYTES
from tasks.models import Evidence
from tasks.selectors.gates import GateState, gates_on
from tasks.services.challenge import challenge
from tasks.services.evidence import OUTPUT_LIMIT, give_evidence
from tasks.services.look import look_at_commits
from tasks.services.waive import waive

EVIDENCE_BODY = 2 * (REPORT_BYTES + OUTPUT_LIMIT * 4)


class EvidenceBody(Body):
    evidence = EvidenceList(min_length=1, max_length=GATES_LIMIT)
    lease_number = Integer(required=False, min_value=1, max_value=NUMBER_LIMIT)
    session_id = String(required=False)


class WaiverBody(Body):
    gate = String()
    reason = Text()
    session_id = String(required=False)


class ChallengeBody(Body):
    gate = String()
    command = String(required=False)
    session_id = String(required=False)


class EvidenceShape(serializers.ModelSerializer[Evidence]):
    """A piece of evidence: for which lease it came, how far it can be trusted, and whether it passed."""

    evidence_id = serializers.CharField(source="public_id")
    kind = serializers.ChoiceField(GateKind.choices)
    rung = serializers.SerializerMethodField()
    facts = serializers.DictField()

    class Meta:
        model = Evidence
        fields = (
            "evidence_id", "gate", "kind", "rung", "passed", "summary", "facts", "output", "fingerprint", "commit",
            "lease_number", "actor_kind", "actor_name", "created_at",
        )  # fmt: skip

    def get_rung(self, evidence: Evidence) -> str:
        """Return how far it can be trusted."""
        return Rung(evidence.rung).label


class GateShape(serializers.Serializer[GateState]):
    """A gate: whether it is met and by what, or why what came does not count and what to do."""

    gate = serializers.CharField(source="gate.name")
    kind = serializers.CharField(source="gate.kind.value")
    lowest_rung = serializers.ChoiceField(RUNGS, source="gate.rung.label")
    met = serializers.BooleanField()
    rung = serializers.CharField(source="rung.label", allow_null=True, default=None)
    asks = serializers.CharField()
    came = serializers.CharField()
    met_by = serializers.SerializerMethodField()
    evidence_id = serializers.CharField(source="evidence.public_id", allow_null=True, default=None)
    waived_because = serializers.CharField(source="waiver.reason", allow_null=True, default=None)
    why_not = serializers.CharField()
    next = serializers.CharField()

    def get_met_by(self, state: GateState) -> str:
        """Return what meets it, in words."""
        return state.met_by if state.met else ""


class GatesAnswer(serializers.Serializer[Any]):
    """The gates of a task."""

    task_id = serializers.CharField()
    gates = GateShape(many=True)


class GivenAnswer(GatesAnswer):
    """The rows that were kept, and the gates of the task as they are now."""

    evidence = EvidenceShape(many=True)


class ChallengeAnswer(serializers.Serializer[Any]):
    """What to run, as the project's settings name it; the token comes back as `challenge` of the evidence."""

    challenge = serializers.CharField(source="token")
    command = serializers.CharField()
    argv = serializers.ListField(child=serializers.CharField())
    timeout_seconds = serializers.FloatField()
    report = serializers.CharField()
    lease_number = serializers.IntegerField()


class GateViews(TaskApi):
    """The gates of a task."""

    serializer_class = GatesAnswer  # type: ignore[assignment]
    filter_backends = ()
    pagination_class = None
    answers = {"list": GatesAnswer}

    def list(self, request: Request, task_id: str) -> Response:
        """Read the gates of a task: which are met, by what, and what to do for the others."""
        task = self.task(task_id)
        return Response(self.shape({"task_id": task.public_id, "gates": gates_on(task)}))


class EvidenceViews(TaskApi):
    """The evidence of a task."""

    queryset = Evidence.objects.all()  # type: ignore[assignment]
    serializer_class = GivenAnswer  # type: ignore[assignment]
    filter_backends = ()
    answers = {"list": EvidenceShape}
    bodies = {"create": EvidenceBody}
    statuses = {"create": 201}
    scopes = {"create": Scope.READ}  # and what its evidence needs: write, or attest
    limits = {"create": EVIDENCE_BODY}

    def list(self, request: Request, task_id: str) -> Response:
        """List the evidence of a task, the newest first."""
        return self.listed(self.task(task_id).evidence.all())

    def create(self, request: Request, task_id: str) -> Response:
        """Give evidence for gates of a task, as its holder or as an observer that answers challenges."""
        if Scope.ATTEST not in self.principal.scopes:
            self.principal.require(Scope.WRITE)
        task = self.task(task_id)
        actor, given = self.actor(task.project), self.given()

        pieces = [piece_of(each) for each in given["evidence"]]
        look, number = look_at_commits(task=task, pieces=pieces), given.get("lease_number")

        def produce() -> Reply:
            kept = give_evidence(task=task, actor=actor, pieces=pieces, lease_number=number, look=look)
            now = gates_on(self.task(task_id))
            return Reply(self.shape({"task_id": task.public_id, "evidence": kept, "gates": now}), 201)

        return self.once(produce, project=task.project)


class WaiverViews(TaskApi):
    """Waivers of gates."""

    serializer_class = GatesAnswer  # type: ignore[assignment]
    bodies = {"create": WaiverBody}
    statuses = {"create": 201}
    scopes = {"create": Scope.REVIEW}

    def create(self, request: Request, task_id: str) -> Response:
        """Waive a gate that cannot be met, with the reason; never the holder."""
        task = self.task(task_id)
        actor, given = self.actor(task.project), self.given()

        def produce() -> Reply:
            waive(task=task, actor=actor, gate=given["gate"], reason=given["reason"])
            return Reply(self.shape({"task_id": task.public_id, "gates": gates_on(self.task(task_id))}), 201)

        return self.once(produce, project=task.project)


class ChallengeViews(TaskApi):
    """Challenges to observers."""

    serializer_class = ChallengeAnswer  # type: ignore[assignment]
    bodies = {"create": ChallengeBody}
    scopes = {"create": Scope.ATTEST}
    statuses = {"create": 201}

    def create(self, request: Request, task_id: str) -> Response:
        """Ask which command is to be observed for a gate; its evidence answers the challenge once."""
        task = self.task(task_id)
        actor, given = self.actor(task.project), self.given()
        gate, command = given["gate"], given.get("command", "")

        def produce() -> Reply:
            return Reply(self.shape(challenge(task=task, actor=actor, gate=gate, command=command)), 201)

        return self.once(produce, project=task.project)
