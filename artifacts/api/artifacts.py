"""/artifacts: list and read them, their versions and their bytes."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet
from django.http import HttpResponseBase
from django_filters import rest_framework as filters
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.api.serializers import ArtifactShape, VersionShape
from artifacts.download import download
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Kind
from artifacts.selectors import artifacts
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.rest.filters import SEARCH_LIMIT, ChoicesFilter, Filters
from orchestrator_site.rest.problems import Problem
from orchestrator_site.rest.query_params import IntegerParameter, Parameter
from tasks.api.base import ProjectApi

VERSION = IntegerParameter("version", "Another version than the latest.", least=1, most=2**31 - 1)
RANGE = Parameter("Range", "A range of bytes, as `bytes=1000-1999`.")
IF_RANGE = Parameter("If-Range", "The ETag of the bytes that the range is of; all are sent where it is another.")


class ArtifactFilters(Filters):
    project = filters.CharFilter(field_name="project__slug", help_text="Of one project, by its slug.")
    task = filters.CharFilter(field_name="task__public_id", help_text="Of one task, by its id.")
    kind = ChoicesFilter(
        [(kind.value, kind.value) for kind in Kind], field_name="kind", help_text="Of one or several kinds."
    )
    path = filters.CharFilter(method="with_path", max_length=SEARCH_LIMIT, help_text="With this in one of its paths.")

    def with_path(self, rows: QuerySet[Artifact], name: str, text: str) -> QuerySet[Artifact]:
        return rows.filter(Exists(ArtifactPath.objects.filter(artifact=OuterRef("pk"), path__icontains=text)))


class ArtifactApi(ProjectApi):
    lookup_url_kwarg = "artifact_id"
    lookup_value_regex = "[^/]+"

    def artifact(self, public_id: str) -> Artifact:
        return self.one(self.rows(), "artifact", public_id)

    def rows(self) -> QuerySet[Artifact]:
        rows = self.visible(Artifact.objects.select_related("project", "task"))
        latest = _versions().filter(number=F("artifact__version"))
        return rows.prefetch_related("paths", Prefetch("versions", latest, to_attr="latest"))


class ArtifactViews(ArtifactApi):
    queryset = Artifact.objects.all()
    serializer_class = ArtifactShape
    filterset_class = ArtifactFilters
    orderings = {"created_at": "pk", "updated_at": "updated_at"}
    ordering = "-updated_at"

    def list(self, request: Request) -> Response:
        """List artifacts."""
        return self.listed(self.rows())

    def retrieve(self, request: Request, artifact_id: str) -> Response:
        """Read an artifact's metadata."""
        return self.shown(self.artifact(artifact_id))


class VersionViews(ArtifactApi):
    queryset = ArtifactVersion.objects.all()
    serializer_class = VersionShape
    orderings = {"version": "number"}
    ordering = "-version"

    def list(self, request: Request, artifact_id: str) -> Response:
        """List an artifact's versions, the latest first."""
        return self.listed(_versions().filter(artifact=self.artifact(artifact_id)))


class Anything(BaseContentNegotiation):
    """Ignores Accept: bytes have the type that they have."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ContentViews(ArtifactApi):
    queryset = Artifact.objects.all()
    content_negotiation_class = Anything
    parameters = {"retrieve": (VERSION,)}
    request_headers = {"retrieve": (RANGE, IF_RANGE)}
    media_types = {"retrieve": "*/*"}
    ranges = ("retrieve",)

    def retrieve(self, request: Request, artifact_id: str) -> HttpResponseBase:
        """Read the bytes of the latest version or another, whole or a range."""
        found = self.artifact(artifact_id)
        answer = download(request._request, found, artifacts.version_of(found, VERSION.read(request)))
        if answer.status_code != 416:
            return answer
        error = Invalid("Range: begins after the end.", next="Read everything without Range.")
        return Problem(error, 416, {"Content-Range": answer["Content-Range"]}).response(request._request)


def _versions() -> QuerySet[ArtifactVersion]:
    return ArtifactVersion.objects.select_related("artifact", "content").defer("content__data")
