"""/projects/{project}/next-task, /success, /workload and /workload/rebalancing, and the body of a suggestion."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.rest.fields import Body, Choice, Number, String
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ChoiceParameter, IntegerParameter, Parameter
from tasks.api.base import ProjectApi
from tasks.api.serializers import TaskLine
from tasks.insights.choices import Dimension, Horizon
from tasks.insights.selectors.figures import figures_of
from tasks.insights.selectors.rebalancing import APPLIED, Proposal, preview_of
from tasks.insights.selectors.rebalancing import Request as Asked
from tasks.insights.selectors.success import COMPARED, success_of
from tasks.insights.selectors.times import times_like
from tasks.insights.selectors.workload import LEAST, MOST, THRESHOLD, Workload, workload_of
from tasks.insights.services.rebalance import rebalance
from tasks.models import Task
from tasks.project_settings import setting
from tasks.selectors.next_task import next_tasks

SPECIALIST = Parameter("specialist_type", "Of one specialist.")
LIMIT = IntegerParameter("limit", "How many.", least=1, most=20, default=3)
HORIZON = ChoiceParameter("time_horizon", "How far to look.", [Horizon.DAILY, Horizon.WEEKLY, Horizon.CURRENT_SESSION])


class ThresholdParameter(Parameter):
    def read(self, request: Request) -> float:
        sent = request.query_params.get(self.name, str(THRESHOLD))
        try:
            found = float(sent)
        except ValueError:
            found = 0.0
        if not LEAST <= found <= MOST:
            raise Invalid(f"{self.name}: must be a number between {LEAST} and {MOST}.", next="Correct or omit it.")
        return found


OVER = ThresholdParameter(
    "workload_threshold", "The load above which a specialist has too much.",
    {"type": "number", "minimum": LEAST, "maximum": MOST, "default": THRESHOLD},
)  # fmt: skip


class RebalancingBody(Body):
    """The same as the preview asked for, with its token."""

    plan_token = String()
    specialist_type = String(required=False)
    time_horizon = Choice(Horizon.values, required=False)
    workload_threshold = Number(required=False, min_value=LEAST, max_value=MOST)
    session_id = String(required=False)


class ReasonShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()


class OverlapShape(serializers.Serializer[Any]):
    """A task that is held now, with declared paths in common."""

    task_id = serializers.CharField()
    holder = serializers.CharField()
    paths = serializers.ListField(child=serializers.CharField())


class CandidateShape(serializers.Serializer[Any]):
    task = TaskLine()
    reasons = ReasonShape(many=True)
    overlaps = OverlapShape(many=True)


class NextTaskAnswer(serializers.Serializer[Any]):
    """What to claim next, the best first."""

    results = CandidateShape(many=True)


class RateShape(serializers.Serializer[Any]):
    """Of `n` finished tasks: the rate with its interval, and the rate drawn towards its mean. Null where too few."""

    dimension = serializers.CharField()
    key = serializers.CharField()
    n = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    shrunk = serializers.FloatField(allow_null=True)
    is_new = serializers.BooleanField()


class TimesShape(serializers.Serializer[Any]):
    """Seconds of work: half of `n` tasks like `like` took at most `p50`, nine of ten at most `p90`."""

    p50 = serializers.FloatField()
    p90 = serializers.FloatField()
    n = serializers.IntegerField()
    dimension = serializers.CharField()
    like = serializers.CharField()


class SuccessAnswer(serializers.Serializer[Any]):
    """How often work succeeds, by name, and how long it takes."""

    days = serializers.IntegerField()
    results = RateShape(many=True)
    times = TimesShape(allow_null=True)


class LoadShape(serializers.Serializer[Any]):
    """Tasks now; arrivals and finishes a day. Null is what was not counted, or what too few finished to say."""

    specialist_type = serializers.CharField(source="specialist")
    held = serializers.IntegerField()
    ready = serializers.IntegerField()
    waiting = serializers.IntegerField()
    in_review = serializers.IntegerField()
    arrivals = serializers.FloatField(allow_null=True)
    finishes = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    review_wait = serializers.FloatField(allow_null=True)
    share = serializers.FloatField(allow_null=True)
    days_through = serializers.FloatField(allow_null=True)


class WorkloadAnswer(serializers.Serializer[Workload]):
    """The load of each specialist, in a window of `days`; `over` has those above the threshold."""

    horizon = serializers.CharField()
    threshold = serializers.FloatField()
    days = serializers.IntegerField()
    loads = LoadShape(many=True)
    over = serializers.SerializerMethodField()

    def get_over(self, found: Workload) -> list[str]:
        return [load.specialist for load in found.over]


class ProposalShape(serializers.Serializer[Proposal]):
    """A verb for a task, with the fields of its body; `is_applied` says whether the token does it."""

    kind = serializers.CharField()
    task_id = serializers.CharField(source="task.public_id")
    title = serializers.CharField(source="task.title")
    reason = serializers.CharField()
    priority = serializers.CharField(allow_null=True)
    client = serializers.CharField(allow_null=True)
    is_applied = serializers.SerializerMethodField()

    def get_is_applied(self, each: Proposal) -> bool:
        return each.kind in APPLIED


class RebalancingAnswer(serializers.Serializer[Any]):
    """What would help, and the token that applies it; empty where nothing would."""

    proposals = ProposalShape(many=True)
    plan_token = serializers.CharField()
    is_off = serializers.BooleanField()


class RebalancedAnswer(serializers.Serializer[Any]):
    """What was done."""

    applied = ProposalShape(many=True)


class RoutingViews(ProjectApi):
    """What to do next, how it went, how much there is to do, and what would balance it."""

    queryset = Task.objects.none()
    pagination_class = None
    filter_backends = ()
    answers = {
        "next_task": NextTaskAnswer, "success": SuccessAnswer, "workload": WorkloadAnswer, "preview": RebalancingAnswer,
        "apply": RebalancedAnswer,
    }  # fmt: skip
    bodies = {"apply": RebalancingBody}
    parameters = {
        "next_task": (SPECIALIST, LIMIT), "success": (SPECIALIST,), "workload": (SPECIALIST, HORIZON, OVER),
        "preview": (SPECIALIST, HORIZON, OVER),
    }  # fmt: skip

    def next_task(self, request: Request, project: str) -> Response:
        """Read what to claim next, with the reasons; nothing is claimed."""
        found = self.project(project)
        specialist = request.query_params.get(SPECIALIST.name) or None
        session, limit = self.reading_session(found), LIMIT.read(request) or 1
        return Response(self.shape({"results": next_tasks(found, session=session, specialist=specialist, limit=limit)}))

    def success(self, request: Request, project: str) -> Response:
        """Read how often work succeeds, by specialist, complexity, client and model, and how long it takes."""
        found, key = self.project(project), request.query_params.get(SPECIALIST.name, "")
        figures, explore = figures_of(found), setting(found, "routing.explore")
        dimensions = (Dimension.SPECIALIST, Dimension.CELL) if key else COMPARED
        rows = success_of(figures, dimensions, key, explore=explore)
        return Response(self.shape({"days": figures.days, "results": rows, "times": times_like(figures, key)}))

    def workload(self, request: Request, project: str) -> Response:
        """Read the capacity of each specialist, and a forecast."""
        found, asked = self.project(project), _asked(request)
        load = workload_of(
            found, figures_of(found), horizon=asked.horizon, threshold=asked.threshold, specialist=asked.specialist
        )
        return Response(self.shape(load))

    def preview(self, request: Request, project: str) -> Response:
        """Preview what would balance the work; nothing is changed."""
        return Response(self.shape(preview_of(self.project(project), _asked(request))))

    def apply(self, request: Request, project: str) -> Response:
        """Do exactly what a preview showed."""
        found, given = self.project(project), self.given()
        actor, asked = self.actor(found), Asked(
            Horizon(given.get("time_horizon", Horizon.DAILY)), given.get("workload_threshold", THRESHOLD),
            given.get("specialist_type", ""),
        )  # fmt: skip

        def produce() -> Reply:
            done = rebalance(project=found, actor=actor, plan_token=given["plan_token"], request=asked)
            return Reply(self.shape({"applied": done}))

        return self.once(produce, project=found)


def _asked(request: Request) -> Asked:
    specialist = request.query_params.get(SPECIALIST.name, "")
    return Asked(Horizon(HORIZON.read(request)), OVER.read(request), specialist)
