"""Figures and suggestions as REST shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orchestrator_site.rest.fields import Body, String
from tasks.insights.models import Suggestion
from tasks.insights.selectors.figures import Figure


class FigureShape(serializers.Serializer[Figure]):
    """A figure with how many it rests on. Where these are too few, `enough` is false, and there is no value."""

    name = serializers.CharField()
    dimension = serializers.CharField()
    key = serializers.CharField()
    n = serializers.IntegerField()
    value = serializers.SerializerMethodField("shown_value")
    high = serializers.SerializerMethodField("shown_high")
    enough = serializers.BooleanField(source="is_enough")

    def shown_value(self, figure: Figure) -> float | None:
        return figure.value if figure.is_enough else None

    def shown_high(self, figure: Figure) -> float | None:
        return figure.high if figure.is_enough else None


class DayFlowShape(serializers.Serializer[Any]):
    """How many tasks were planned and done on a day."""

    day = serializers.DateField()
    planned = serializers.IntegerField()
    done = serializers.IntegerField()


class InsightsAnswer(serializers.Serializer[Any]):
    """The figures of the window of `days` that ends with `day`, up to the event `until`."""

    day = serializers.DateField()
    days = serializers.IntegerField()
    until = serializers.IntegerField()
    is_stored = serializers.BooleanField()
    figures = FigureShape(many=True)
    flow = DayFlowShape(many=True)


class DayShape(serializers.Serializer[Any]):
    """What was stored of a figure on a day."""

    day = serializers.DateField()
    value = serializers.FloatField()
    n = serializers.IntegerField()


class HistoryAnswer(serializers.Serializer[Any]):
    """A figure of a project on the days on which enough was counted to show it, oldest first."""

    name = serializers.CharField()
    days = DayShape(many=True)


class SuggestionShape(serializers.ModelSerializer[Suggestion]):
    """What was suggested and why, who saw it, and what was chosen."""

    suggestion_id = serializers.CharField(source="public_id")
    task_id = serializers.CharField(source="task.public_id", allow_null=True, default=None)
    session_id = serializers.CharField(source="session.public_id", allow_null=True, default=None)
    answer = serializers.ListField(child=serializers.DictField())
    factors = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Suggestion
        fields = (
            "suggestion_id", "kind", "task_id", "session_id", "actor_kind", "actor_name", "answer", "factors",
            "confidence", "is_unsure", "chosen", "outcome", "created_at", "decided_at",
        )  # fmt: skip


class SuggestionBody(Body):
    """A task, or what is wanted: a title, and then details."""

    task_id = String(required=False)
    task_requirements = String(required=False)
    session_id = String(required=False)


class SuggestedAnswer(serializers.Serializer[Any]):
    """The suggestion as it is kept, the tasks that taught it, and how many taught at all."""

    suggestion = SuggestionShape()
    taught_by = serializers.ListField(child=serializers.CharField(), source="answer.taught_by")
    source = serializers.CharField(source="answer.source")  # type: ignore[assignment]
    n = serializers.IntegerField(source="answer.n")
