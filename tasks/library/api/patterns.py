"""/projects/{project}/patterns: finished plans compared, and templates drafted from them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.library.patterns.comparing import Drift
from tasks.library.selectors.patterns import Finished, analysis, draft_of
from tasks.models import Task


class DraftBody(Body):
    plan = String()


class FinishedShape(serializers.Serializer[Finished]):
    """A finished plan, with how many steps a template of it has, and the plans of the same shape."""

    task_id = serializers.CharField()
    title = serializers.CharField()
    completed_at = serializers.DateTimeField()
    steps = serializers.IntegerField()
    like = serializers.ListField(child=serializers.CharField())


class RatesShape(serializers.Serializer[Any]):
    """Shares from 0 to 1, steps per plan, and the median from planning to completion."""

    completed = serializers.FloatField()
    first_pass = serializers.FloatField(allow_null=True)
    added = serializers.FloatField()
    cancelled = serializers.FloatField()
    lead_seconds = serializers.FloatField(allow_null=True)


class SuccessShape(serializers.Serializer[Any]):
    """The plans of a version of a template, or of none; without rates where too few have ended."""

    template = serializers.CharField()
    version = serializers.CharField()
    plans = serializers.IntegerField()
    ended = serializers.IntegerField()
    rates = RatesShape(allow_null=True)


class DriftShape(serializers.Serializer[Drift]):
    """A plan that is not as its template is now, or that its template did not foresee."""

    plan = serializers.CharField()
    title = serializers.CharField()
    template = serializers.CharField()
    version = serializers.CharField()
    is_changed = serializers.BooleanField()
    is_gone = serializers.BooleanField()
    added = serializers.ListField(child=serializers.CharField())
    cancelled = serializers.ListField(child=serializers.CharField())


class AnalysisAnswer(serializers.Serializer[Any]):
    """The newest finished plans, how plans went by template, and which drifted."""

    finished = FinishedShape(many=True)
    success = SuccessShape(many=True)
    drift = DriftShape(many=True)


class DraftAnswer(serializers.Serializer[Any]):
    """A template to edit and to save; `parameters` are the words that they stand for, by their names."""

    name = serializers.CharField()
    text = serializers.CharField()
    parameters = serializers.SerializerMethodField()
    added = serializers.ListField(child=serializers.CharField())
    cancelled = serializers.ListField(child=serializers.CharField())
    is_shortened = serializers.BooleanField()

    def get_parameters(self, draft: Any) -> dict[str, str]:
        return {name: words for words, name in draft.parameters.items()}


class PatternViews(ProjectApi):
    """Finished plans as patterns."""

    queryset = Task.objects.all()
    pagination_class = None
    filter_backends = ()
    scopes = {"create": Scope.READ}  # it saves nothing
    answers = {"list": AnalysisAnswer, "create": DraftAnswer}
    bodies = {"create": DraftBody}

    def list(self, request: Request, project: str) -> Response:
        """Compare finished plans: which are alike, how each template did, what left its template."""
        return Response(self.shape(analysis(self.project(project))))

    def create(self, request: Request, project: str) -> Response:
        """Draft a template from a finished plan. Nothing is saved; PUT the text to /templates/{name}."""
        found = self.project(project)
        plans = Task.objects.filter(project=found).select_related("project")
        plan = self.one(plans, "plan", self.given()["plan"])
        return self.once(lambda: Reply(self.shape(draft_of(plan))), project=found)
