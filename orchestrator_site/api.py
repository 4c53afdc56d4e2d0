"""The REST API: its index, its problems, its OpenAPI document, and the URLs of every app."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, re_path
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from orchestrator_site.kernel import errors
from orchestrator_site.kernel.errors import NotFound, OrchestratorError
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.models import Restart
from orchestrator_site.rest.problems import TITLES, unknown_address
from orchestrator_site.restarts import latest
from orchestrator_site.tokens.api import TokenViews
from tasks.api.base import ProjectApi
from tasks.api.events import EventViews
from tasks.library.catalogue import SCHEMA
from tasks.project_settings.schema import json_schema

RESTARTS_SHOWN = 50
RESOURCES = ("projects", "sessions", "plans", "tasks", "artifacts", "uploads", "runs", "events", "tokens", "templates")


class Resources(serializers.Serializer[Any]):
    """The URLs of all resources."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.URLField() for name in RESOURCES}


class Meaning(serializers.Serializer[Any]):
    """A code explained."""

    code = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    status = serializers.IntegerField()


class Index(APIView):
    """The root of the API."""

    serializer_class = Resources

    def get(self, request: Request) -> Response:
        """List the resources."""
        return Response({name: request.build_absolute_uri(f"/api/v1/{name}") for name in RESOURCES})


class ProblemType(APIView):
    """The URL in a problem's `type`; open to all, as the problem itself is."""

    serializer_class = Meaning
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, code: str) -> Response:
        """Explain a code."""
        classes = [
            each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, OrchestratorError)
        ]
        kinds = {each.code: each for each in classes if "code" in vars(each)}
        if code not in kinds:
            raise NotFound(f"No problem {code[:40]!r}.", details={"allowed": sorted(kinds)})
        about = " ".join((kinds[code].__doc__ or "").split())
        return Response({"code": code, "title": TITLES[code], "about": about, "status": kinds[code].status})


class RestartShape(serializers.ModelSerializer[Restart]):
    """A restart of the site, or of what serves one assistant over stdio."""

    class Meta:
        model = Restart
        fields = (
            "requested_at", "is_of_site", "who", "reason", "state", "problem", "seconds", "calls_finished",
            "calls_cut_off",
        )  # fmt: skip


class RestartsAnswer(serializers.Serializer[Any]):
    """The newest restarts."""

    results = RestartShape(many=True)


class RestartViews(ProjectApi):
    """Restarts. They are the whole site's."""

    queryset = Restart.objects.none()
    serializer_class = RestartShape
    pagination_class = None
    filter_backends = ()
    scopes = {"list": Scope.ADMIN}
    answers = {"list": RestartsAnswer}

    def list(self, request: Request, project: str) -> Response:
        """List the newest restarts, those that failed included."""
        self.project(project)
        return Response(self.shape({"results": latest(RESTARTS_SHOWN)}))


@require_safe
@cache_control(max_age=300)
def schema(request: HttpRequest) -> HttpResponse:
    from orchestrator_site.rest import openapi  # slow to load, and nothing else needs it

    if request.accepts("application/yaml") and not request.headers.get("Accept", "*/*").startswith("application/json"):
        response = HttpResponse(openapi.as_yaml(), content_type="application/yaml; charset=utf-8")
    else:
        response = HttpResponse(json.dumps(openapi.document()), content_type="application/json")
    response["Vary"] = "Accept"
    return response


@require_safe
@cache_control(max_age=300)
def template_schema(request: HttpRequest) -> HttpResponse:
    """Serve the JSON Schema of templates, with which editors complete and check them."""
    return HttpResponse(SCHEMA.read_bytes(), content_type="application/schema+json")


@require_safe
@cache_control(max_age=300)
def settings_schema(request: HttpRequest) -> HttpResponse:
    """Serve the JSON Schema of a project's settings."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of a project"}
    return HttpResponse(json.dumps(schema | json_schema()), content_type="application/schema+json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", {"csrf_cookie": settings.CSRF_COOKIE_NAME})


own = SimpleRouter(trailing_slash=False)
own.register("tokens", TokenViews, basename="api-token")
own.register("projects/(?P<project>[^/]+)/restarts", RestartViews, basename="api-restart")

urlpatterns = [
    path("v1/", Index.as_view(), name="api-index"),
    path("v1/problems/<str:code>", ProblemType.as_view(), name="api-problem"),
    path("v1/events", EventViews.as_view({"get": "feed"}), name="api-events"),
    path("v1/", include("tasks.api.urls")),
    path("v1/", include("artifacts.api.urls")),
    path("v1/", include("maintenance.api.urls")),
    path("v1/", include("tasks.agents.api.urls")),
    path("v1/", include("tasks.library.api.urls")),
    path("v1/", include("tasks.insights.api.urls")),
    path("v1/", include(own.urls)),
    path("schema/", schema, name="api-schema"),
    path("schema/template.json", template_schema, name="api-template-schema"),
    path("schema/settings.json", settings_schema, name="api-settings-schema"),
    path("docs/", docs, name="api-docs"),
    re_path("", unknown_address),
]
