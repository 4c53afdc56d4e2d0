"""/projects/{project}/suggestions: ask for a specialist."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.insights.models import Suggestion
from tasks.insights.services.suggest import suggest
from tasks.models import Task


class SuggestionBody(Body):
    """A task, or what is wanted: a title, and then details."""

    task_id = String(required=False)
    task_requirements = String(required=False)
    session_id = String(required=False)


class ChoiceShape(serializers.Serializer[Any]):
    specialist_type = serializers.CharField(source="specialist")
    confidence = serializers.FloatField()


class FactorShape(serializers.Serializer[Any]):
    """A rule, a word or the share of the specialist, with its weight."""

    kind = serializers.CharField()
    text = serializers.CharField()
    weight = serializers.FloatField()


class SuggestedAnswer(serializers.Serializer[Any]):
    """Two specialists, why, and which tasks taught it. Without choices, suggestions are switched off."""

    suggestion_id = serializers.CharField(source="shown.public_id", allow_null=True, default=None)
    choices = ChoiceShape(many=True, source="answer.choices")
    is_unsure = serializers.BooleanField(source="answer.is_unsure")
    factors = FactorShape(many=True, source="answer.factors")
    taught_by = serializers.ListField(child=serializers.CharField(), source="answer.taught_by")
    source = serializers.CharField(source="answer.source")  # type: ignore[assignment]
    n = serializers.IntegerField(source="answer.n")


class SuggestionViews(ProjectApi):
    """Suggestions that were shown."""

    queryset = Suggestion.objects.all()
    answers = {"create": SuggestedAnswer}
    bodies = {"create": SuggestionBody}
    scopes = {"create": Scope.READ}  # it changes no task

    def create(self, request: Request, project: str) -> Response:
        """Suggest a specialist for a task or for requirements. Nothing is assigned by it."""
        found, given = self.project(project), self.given()
        tasks = Task.objects.filter(project=found).select_related("project")
        task = self.one(tasks, "task", given["task_id"]) if given.get("task_id") else None
        actor, wanted = self.actor(found), given.get("task_requirements", "")

        def produce() -> Reply:
            return Reply(self.shape(suggest(project=found, actor=actor, requirements=wanted, task=task)))

        return self.once(produce, project=found)
