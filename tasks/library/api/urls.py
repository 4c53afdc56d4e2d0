"""URLs of the REST API of the library."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from tasks.library.api.contexts import ContextViews, LessonViews
from tasks.library.api.patterns import PatternViews
from tasks.library.api.recurring import RecurringViews
from tasks.library.api.templates import OriginViews, SiteTemplateViews, TemplateViews

router = SimpleRouter(trailing_slash=False)
router.register("templates", SiteTemplateViews, basename="api-site-template")
router.register("projects/(?P<project>[^/]+)/templates", TemplateViews, basename="api-template")
router.register("projects/(?P<project>[^/]+)/patterns", PatternViews, basename="api-pattern")
router.register("projects/(?P<project>[^/]+)/recurring", RecurringViews, basename="api-recurring")
router.register("projects/(?P<project>[^/]+)/contexts", ContextViews, basename="api-context")
router.register("projects/(?P<project>[^/]+)/lessons", LessonViews, basename="api-lesson")

urlpatterns = [
    path("plans/<str:task_id>/origin", OriginViews.as_view({"get": "origin"}), name="api-plan-origin"),
    *router.urls,
]
