"""/projects/{project}/suggestions/accuracy: how often each method was right, and how many were accepted."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks.api.base import ProjectApi
from tasks.insights.models import Suggestion
from tasks.insights.selectors.suggested import Measured, measured


class MethodShape(serializers.Serializer[Measured]):
    """How a method predicted `n` tasks before it learned them. Rates are null where these are too few.

    `low` and `high` are the interval of the rate in 95 of 100 cases.
    """

    method = serializers.CharField()
    n = serializers.IntegerField()
    right = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    first_two = serializers.FloatField(allow_null=True)
    abstained = serializers.FloatField(allow_null=True)
    rate_when_sure = serializers.FloatField(allow_null=True)
    calibration_error = serializers.FloatField(allow_null=True)


class AccuracyAnswer(serializers.Serializer[Any]):
    """Each method on the same tasks; and the suggestions that were shown, decided about and accepted."""

    methods = MethodShape(many=True)
    shown = serializers.IntegerField(source="acceptance.shown")
    decided = serializers.IntegerField(source="acceptance.decided")
    accepted = serializers.IntegerField(source="acceptance.accepted")


class AccuracyViews(ProjectApi):
    """How suggestions turn out."""

    queryset = Suggestion.objects.none()
    pagination_class = None
    filter_backends = ()
    answers = {"accuracy": AccuracyAnswer}

    def accuracy(self, request: Request, project: str) -> Response:
        """Compare suggestions with the most frequent specialist, keywords, rules, and what was learned."""
        return Response(self.shape(measured(self.project(project))))
