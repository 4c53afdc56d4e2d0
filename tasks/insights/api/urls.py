"""Addresses of the REST API of routing and insights."""

from __future__ import annotations

from django.urls import path

from tasks.insights.api.accuracy import AccuracyViews
from tasks.insights.api.insights import InsightViews, SuggestionViews

_HERE = "projects/<str:project>/"

urlpatterns = [
    path(f"{_HERE}insights", InsightViews.as_view({"get": "figures"}), name="api-insights"),
    path(f"{_HERE}insights/history", InsightViews.as_view({"get": "history"}), name="api-insights-history"),
    path(f"{_HERE}suggestions/accuracy", AccuracyViews.as_view({"get": "accuracy"}), name="api-accuracy"),
    path(f"{_HERE}suggestions", SuggestionViews.as_view({"get": "list"}), name="api-suggestions"),
]
