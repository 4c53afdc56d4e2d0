"""URLs of the REST API of runs."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from tasks.agents.api.log import LogViews
from tasks.agents.api.projects import ProjectRunViews
from tasks.agents.api.runs import PatchViews, RunViews

router = SimpleRouter(trailing_slash=False)
router.register("runs", RunViews, basename="api-run")
router.register("projects/(?P<project>[^/]+)/runs", ProjectRunViews, basename="api-project-run")

urlpatterns = [
    path("runs/<str:run_id>/log", LogViews.as_view({"get": "log"}), name="api-run-log"),
    path("runs/<str:run_id>/patch", PatchViews.as_view({"get": "download"}), name="api-run-patch"),
    *router.urls,
]
