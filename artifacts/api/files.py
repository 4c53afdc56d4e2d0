"""/projects/{project}/files: the tree of logical paths, and zips of a folder or of a task."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from artifacts.api.artifacts import Anything
from artifacts.export.contents import folder_versions, versions_of
from artifacts.export.filenames import ExportedVersion
from artifacts.export.zip_stream import zip_answer
from artifacts.models import Artifact, ArtifactPath
from artifacts.selectors.tree import PATHLESS, folder_of
from orchestrator_site.kernel.errors import Invalid, NotFound
from orchestrator_site.rest.query_params import ChoiceParameter, IntegerParameter, Parameter
from tasks.api.base import ProjectApi
from tasks.models import Task

LIMIT, LIMIT_DEFAULT = 200, 50
PATH = Parameter("path", "A folder, as `src/app/`; by default the root.", {"type": "string", "default": ""})
PATHLESS_ONLY = ChoiceParameter("pathless", "The artifacts without a path, instead of a folder.", ("false", "true"))
VERSIONS = ChoiceParameter("versions", "Older versions too (`all`), as `name~v1.ext`.", ("latest", "all"))
PAGE_SIZE = IntegerParameter("limit", "How many entries.", least=1, most=LIMIT, default=LIMIT_DEFAULT)
CURSOR = Parameter("cursor", "The start of the page, from `next`.", {"type": "string", "maxLength": 300})


class EntryShape(serializers.Serializer[Any]):
    """A folder, or the latest version of an artifact at one of its paths."""

    type = serializers.ChoiceField(["folder", "file"])
    name = serializers.CharField()
    path = serializers.CharField(allow_null=True, default=None)
    artifact_id = serializers.CharField(allow_null=True, default=None)
    kind = serializers.CharField(allow_null=True, default=None)
    version = serializers.IntegerField(allow_null=True, default=None)
    size_bytes = serializers.IntegerField(allow_null=True, default=None)
    task_id = serializers.CharField(allow_null=True, default=None)
    updated_at = serializers.DateTimeField(allow_null=True, default=None)


class FolderShape(serializers.Serializer[Any]):
    """A page of a folder, subfolders first. `pathless`: there are artifacts without a path."""

    next = serializers.CharField(allow_null=True)
    path = serializers.CharField()
    pathless = serializers.BooleanField()
    results = EntryShape(many=True)


class FileViews(ProjectApi):
    queryset = ArtifactPath.objects.all()
    answers = {"folder": FolderShape}
    parameters = {"folder": (PATH, PATHLESS_ONLY, PAGE_SIZE, CURSOR)}

    def folder(self, request: Request, project: str) -> Response:
        """List a folder of the tree of logical paths."""
        found, asked = self.project(project), request.query_params
        limit, cursor = PAGE_SIZE.read(request) or LIMIT_DEFAULT, asked.get("cursor")
        is_pathless = _is_pathless(request)
        listing = folder_of(found, asked.get("path", ""), is_pathless=is_pathless, limit=limit, cursor=cursor)
        rows = [{"type": "folder", "name": name, "path": f"{listing.path}{name}/"} for name in listing.folders]
        rows += [{"type": "folder", "name": PATHLESS}] if listing.has_pathless else []
        url = request.build_absolute_uri()
        page = {
            "next": replace_query_param(url, "cursor", listing.cursor) if listing.cursor else None,
            "path": listing.path,
            "pathless": listing.has_pathless,
            "results": [*rows, *({"type": "file", **asdict(file)} for file in listing.files)],
        }
        return Response(self.shape(page))


class ZipViews(ProjectApi):
    queryset = Artifact.objects.all()
    content_negotiation_class = Anything
    media_types = {"download": "application/zip"}

    def zipped(self, versions: list[ExportedVersion], name: str) -> HttpResponseBase:
        if not versions:
            raise NotFound("Nothing was delivered there.", next="GET /api/v1/artifacts lists what was.")
        return zip_answer(self.request._request, versions, name)


class TaskZipViews(ZipViews):
    parameters = {"download": (VERSIONS,)}

    def download(self, request: Request, task_id: str) -> HttpResponseBase:
        """Download the artifacts of a task or plan and everything below it as a zip."""
        found: Task = self.one(self.visible(Task.objects.all()), "task", task_id)
        return self.zipped(versions_of(found, all_versions=VERSIONS.read(request) == "all"), found.public_id)


class FolderZipViews(ZipViews):
    parameters = {"download": (PATH, PATHLESS_ONLY, VERSIONS)}

    def download(self, request: Request, project: str) -> HttpResponseBase:
        """Download a folder with everything below it, or the whole tree, as a zip."""
        found, path = self.project(project), request.query_params.get("path", "")
        is_pathless, all_versions = _is_pathless(request), VERSIONS.read(request) == "all"
        return self.zipped(*folder_versions(found, path, is_pathless=is_pathless, all_versions=all_versions))


def _is_pathless(request: Request) -> bool:
    asked = PATHLESS_ONLY.read(request)
    if asked == "true" and "path" in request.query_params:
        raise Invalid("path: cannot be combined with pathless=true.", next="Send one of the two.")
    return asked == "true"
