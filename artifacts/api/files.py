"""/projects/{project}/files: the tree of logical paths, and zips of a folder of it or of what a task delivered."""

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
from artifacts.selectors.tree import PATHLESS, File, Listing, folder_of, pathless_of
from orchestrator_site.kernel.errors import Invalid, NotFound, invalid
from orchestrator_site.rest.base import Api
from orchestrator_site.rest.query_params import whole_in
from tasks.models import Task

LIMIT, LIMIT_DEFAULT = 200, 50


class EntryShape(serializers.Serializer[Any]):
    """A folder, whose `path` lists it; or a delivered work at one of its paths, in its latest version."""

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
    """A page of a folder: folders first, each by its name. `pathless` tells of works that lie in no folder."""

    next = serializers.CharField(allow_null=True)
    path = serializers.CharField()
    pathless = serializers.BooleanField()
    results = EntryShape(many=True)


class FileViews(Api):
    """A project's logical paths, one folder at a time."""

    queryset = ArtifactPath.objects.all()
    answers = {"folder": FolderShape}
    parameters = {"folder": ("path", "pathless", "limit", "cursor")}

    def folder(self, request: Request, project: str) -> Response:
        """List a folder of the tree that the paths of delivered work make."""
        found, asked = self.project(project), request.query_params
        page: dict[str, Any] = {
            "limit": whole_in(request, "limit", least=1, most=LIMIT) or LIMIT_DEFAULT,
            "cursor": asked.get("cursor"),
        }
        listing = (
            pathless_of(found, **page) if _is_pathless(request) else folder_of(found, asked.get("path", ""), **page)
        )
        address = request.build_absolute_uri()
        return Response(
            self.shape(
                {
                    "next": replace_query_param(address, "cursor", listing.cursor) if listing.cursor else None,
                    "path": listing.path,
                    "pathless": listing.has_pathless,
                    "results": [*_folders(listing), *map(_file, listing.files)],
                }
            )
        )


class ZipViews(Api):
    """What all zips have in common."""

    queryset = Artifact.objects.all()
    content_negotiation_class = Anything

    def zipped(self, works: list[ExportedVersion], name: str) -> HttpResponseBase:
        """Answer with a zip. Raises NotFound where there is nothing to be put into it."""
        if not works:
            raise NotFound("Nothing has been delivered there.", next="GET /api/v1/artifacts lists what was delivered.")
        return zip_answer(self.request._request, works, name)

    def all_versions(self) -> bool:
        """Whether older versions are asked for, too. Raises Invalid for what is no answer to that."""
        asked = self.request.query_params.get("versions", "latest")
        if asked not in ("latest", "all"):
            problem = {"at": "versions", "problem": f"{asked[:80]!r} is not known", "allowed": ["latest", "all"]}
            raise invalid([problem])
        return asked == "all"


class TaskZipViews(ZipViews):
    """What a task and all below it delivered."""

    parameters = {"download": ("versions",)}

    def download(self, request: Request, task_id: str) -> HttpResponseBase:
        """Download what a task or a plan delivered, with everything below it, as a zip."""
        found: Task | None = self.visible(Task.objects.all()).filter(public_id=task_id).first()
        if found is None:
            raise NotFound(f"There is no task {task_id[:64]!r}.", next="GET /api/v1/tasks lists them.")
        return self.zipped(versions_of(found, all_versions=self.all_versions()), found.public_id)


class FolderZipViews(ZipViews):
    """What lies in a folder and below it."""

    parameters = {"download": ("path", "pathless", "versions")}

    def download(self, request: Request, project: str) -> HttpResponseBase:
        """Download a folder of the tree with everything below it, or all, as a zip."""
        found, path = self.project(project), request.query_params.get("path", "")
        is_pathless, all_versions = _is_pathless(request), self.all_versions()
        return self.zipped(*folder_versions(found, path, is_pathless=is_pathless, all_versions=all_versions))


def _is_pathless(request: Request) -> bool:
    asked = request.query_params.get("pathless", "false")
    if asked not in ("true", "false"):
        raise Invalid("pathless: true or false is wanted.", next="Send it so, or leave it out.")
    if asked == "true" and "path" in request.query_params:
        raise Invalid("path: it does not go with pathless=true.", next="Send one of the two.")
    return asked == "true"


def _folders(listing: Listing) -> list[dict[str, Any]]:
    rows = [{"type": "folder", "name": name, "path": f"{listing.path}{name}/"} for name in listing.folders]
    return rows + ([{"type": "folder", "name": PATHLESS}] if listing.has_pathless else [])


def _file(file: File) -> dict[str, Any]:
    return {"type": "file", **asdict(file)}
