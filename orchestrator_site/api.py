"""The REST API: its index, what its problems mean, and the addresses of every app's door."""

from __future__ import annotations

from typing import Any

from django.urls import include, path, re_path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from orchestrator_site.kernel import errors
from orchestrator_site.kernel.errors import NotFound, OrchestratorError
from orchestrator_site.openapi.views import docs, schema
from orchestrator_site.rest.problems import TITLES, unknown_address
from orchestrator_site.tokens.api import TokenViews
from tasks.api.events import EventViews

ADDRESSES = ("projects", "sessions", "plans", "tasks", "artifacts", "uploads", "events", "tokens")


class Addresses(serializers.Serializer[Any]):
    """The addresses of all families."""

    def get_fields(self) -> dict[str, Any]:
        """Name each."""
        return {name: serializers.URLField() for name in ADDRESSES}


class Meaning(serializers.Serializer[Any]):
    """What a code means."""

    code = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    status = serializers.IntegerField()


class Index(APIView):
    """Where things are."""

    serializer_class = Addresses

    def get(self, request: Request) -> Response:
        """List the addresses that everything else is reached from."""
        return Response({name: request.build_absolute_uri(f"/api/v1/{name}") for name in ADDRESSES})


class ProblemType(APIView):
    """What a problem's `type` leads to; open to everybody, as the problem itself is."""

    serializer_class = Meaning
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, code: str) -> Response:
        """Explain a code."""
        kinds = {kind.code: kind for kind in vars(errors).values() if _is_kind(kind)}
        if code not in kinds:
            raise NotFound(f"There is no problem {code[:40]!r}.", details={"allowed": sorted(kinds)})
        about = " ".join((kinds[code].__doc__ or "").split())
        return Response({"code": code, "title": TITLES[code], "about": about, "status": kinds[code].status})


def _is_kind(value: object) -> bool:
    """Whether this is the class that a code is named after, and no refinement of it."""
    return isinstance(value, type) and OrchestratorError in value.__bases__


tokens = SimpleRouter(trailing_slash=False)
tokens.register("tokens", TokenViews, basename="api-token")

urlpatterns = [
    path("v1/", Index.as_view(), name="api-index"),
    path("v1/problems/<str:code>", ProblemType.as_view(), name="api-problem"),
    path("v1/events", EventViews.as_view({"get": "feed"}), name="api-events"),
    path("v1/", include("tasks.api.urls")),
    path("v1/", include("artifacts.api.urls")),
    path("v1/", include(tokens.urls)),
    path("schema/", schema, name="api-schema"),
    path("docs/", docs, name="api-docs"),
    re_path("", unknown_address),
]
