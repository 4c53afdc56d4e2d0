"""Addresses of the REST API of routing and insights."""

from __future__ import annotations

from django.urls import path

from tasks.insights.api.accuracy import AccuracyViews
from tasks.insights.api.insights import InsightViews, SuggestionViews
from tasks.insights.api.routing import RoutingViews

_HERE = "projects/<str:project>/"
_REBALANCING = f"{_HERE}workload/rebalancing"

urlpatterns = [
    path(f"{_HERE}insights", InsightViews.as_view({"get": "figures"}), name="api-insights"),
    path(f"{_HERE}insights/history", InsightViews.as_view({"get": "history"}), name="api-insights-history"),
    path(f"{_HERE}suggestions/accuracy", AccuracyViews.as_view({"get": "accuracy"}), name="api-accuracy"),
    path(f"{_HERE}suggestions", SuggestionViews.as_view({"get": "list", "post": "create"}), name="api-suggestions"),
    path(f"{_HERE}next-task", RoutingViews.as_view({"get": "next_task"}), name="api-next-task"),
    path(f"{_HERE}success", RoutingViews.as_view({"get": "success"}), name="api-success"),
    path(f"{_HERE}workload", RoutingViews.as_view({"get": "workload"}), name="api-workload"),
    path(_REBALANCING, RoutingViews.as_view({"get": "preview", "post": "apply"}), name="api-rebalancing"),
]
