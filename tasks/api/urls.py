"""Addresses of the REST API of tasks."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from tasks.api.projects import ProjectViews

router = SimpleRouter(trailing_slash=False)
router.register("projects", ProjectViews, basename="api-project")

urlpatterns = router.urls
