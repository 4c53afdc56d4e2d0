"""/uploads: content in parts, as in tus: PATCH with `Upload-Offset`, HEAD for where to continue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.fields import SerializerMethodField
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts import paths
from artifacts.api.complete import ArtifactInfo
from artifacts.models import Kind, Upload, UploadState
from artifacts.serializers import info_of
from artifacts.services import upload as services
from artifacts.services.commit import commit, prepare_upload
from artifacts.storage import staging
from artifacts.truncation import warnings_of
from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.rest.fields import Choice, Integer, String, StringList, Text
from orchestrator_site.rest.filters import ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.parsers import JsonParser
from orchestrator_site.rest.problems import Problem
from orchestrator_site.rest.query_params import Parameter
from tasks.api.tasks import TaskApi
from tasks.api.verbs import LEASE_NUMBER_LIMIT, PlainBody
from tasks.models import Task

MEDIA_TYPE = "application/offset+octet-stream"
PIECE = 5 * 1024 * 1024
"""Bytes per acknowledgement."""
_LARGEST = 2**53
OFFSET = Parameter(
    "Upload-Offset",
    "How many bytes are stored: in a request, where its bytes go.",
    {"type": "string", "pattern": "^[0-9]{1,15}$"},
    is_required=True,
)


class UploadBody(PlainBody):
    task_id = String()
    summary = Text(required=False)
    artifact_type = Choice(Kind.values, required=False)
    file_paths = StringList(required=False)
    media_type = String(required=False)
    expected_size = Integer(required=False, allow_null=True, min_value=1, max_value=_LARGEST)
    expected_sha256 = String(required=False)
    lease_number = Integer(required=False, min_value=1, max_value=LEASE_NUMBER_LIMIT)


class CommitBody(PlainBody):
    lease_number = Integer(required=False, min_value=1, max_value=LEASE_NUMBER_LIMIT)


class CommitAnswer(ArtifactInfo):
    """The stored version, and signs that it was cut off."""

    warnings = serializers.ListField(child=serializers.CharField())


class UploadShape(serializers.ModelSerializer[Upload]):
    """An upload: `offset` bytes of it are on disk. Once committed, `artifact_info` is its version."""

    upload_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")
    task_id = serializers.CharField(source="task.public_id")
    offset = serializers.IntegerField(source="received")
    artifact_type = serializers.CharField(source="kind")
    file_paths = serializers.ListField(source="paths", child=serializers.CharField())
    actor = serializers.CharField(source="actor_name")
    artifact_info = SerializerMethodField()

    class Meta:
        model = Upload
        fields = (
            "upload_id", "project", "task_id", "state", "offset", "expected_size", "expected_sha256", "artifact_type",
            "summary", "file_paths", "media_type", "actor", "created_at", "last_append_at", "artifact_info",
        )  # fmt: skip

    def get_artifact_info(self, upload: Upload) -> dict[str, Any] | None:
        return info_of(upload.version) if upload.version else None


class UploadFilters(Filters):
    project = filters.CharFilter(field_name="project__slug", help_text="Of one project, by its slug.")
    task = filters.CharFilter(field_name="task__public_id", help_text="Of one task, by its id.")
    state = ChoicesFilter(
        [(state.value, state.value) for state in UploadState], field_name="state", help_text="In one or several states."
    )


class Unread(BaseParser):
    """Leaves the bytes of a part unread; the view streams them."""

    media_type = MEDIA_TYPE

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return {}


class UploadViews(TaskApi):
    queryset = Upload.objects.all()  # type: ignore[assignment]
    serializer_class = UploadShape  # type: ignore[assignment]
    filterset_class = UploadFilters
    parser_classes = (JsonParser, Unread)
    lookup_url_kwarg = "upload_id"
    bodies = {"create": UploadBody, "commit": CommitBody}
    answers = {"commit": CommitAnswer}
    statuses = {"create": 201, "partial_update": 204, "destroy": 204}
    conditional = ()
    keyless = ("partial_update", "destroy")
    body_types = {"partial_update": MEDIA_TYPE}
    request_headers = {"partial_update": (OFFSET,)}
    response_headers = {"partial_update": (OFFSET,)}

    def list(self, request: Request) -> Response:
        """List uploads."""
        return self.listed(self.uploads())

    def create(self, request: Request) -> Response:
        """Begin an upload for a task."""
        given = self.given()
        task = self.task(given["task_id"])
        logical_paths, problems = paths.all_normalised(given.get("file_paths", []))
        if problems:
            raise invalid(problems, next="Fix these and retry.")
        actor = self.actor(task.project)

        def produce() -> Reply:
            upload = services.begin(
                task=task,
                actor=actor,
                kind=given.get("artifact_type", Kind.GENERAL),
                summary=given.get("summary", ""),
                paths=logical_paths,
                media_type=given.get("media_type", ""),
                expected_size=given.get("expected_size"),
                expected_sha256=given.get("expected_sha256", ""),
                lease_number=given.get("lease_number"),
            )
            url = request.build_absolute_uri(f"/api/v1/uploads/{upload.public_id}")
            reply = self.reply(self.upload(upload.public_id), status=201, location=url)
            return Reply(reply.body, reply.status, {**reply.headers, **_headers(upload)})

        return self.once(produce, project=task.project)

    def retrieve(self, request: Request, upload_id: str) -> Response:
        """Read an upload; HEAD returns `Upload-Offset`."""
        upload = self.upload(upload_id)
        answer = self.shown(upload)
        for name, value in _headers(upload).items():
            answer[name] = value
        return answer

    def partial_update(self, request: Request, upload_id: str) -> HttpResponseBase:
        """Append bytes at `Upload-Offset`; what arrived before a broken connection is kept.

        Sending the same bytes at the same offset again is harmless. Any other offset is refused, with the right one.
        """
        if request.content_type.partition(";")[0].strip() != MEDIA_TYPE:
            raise UnsupportedMediaType(request.content_type or "none")
        if (coding := request.headers.get("Content-Encoding", "identity")) != "identity":
            raise UnsupportedMediaType(coding, f"Content-Encoding {coding[:40]!r}: bytes are stored as they come.")
        upload = self.upload(upload_id)
        self.actor(upload.project)
        try:
            _append(request._request, upload)
        except Conflict as error:
            upload.refresh_from_db()
            return Problem(error, error.status, _headers(upload)).response(request._request)
        return Response(status=204, headers=_headers(upload))

    def destroy(self, request: Request, upload_id: str) -> Response:
        """Discard an upload."""
        upload = self.upload(upload_id)
        services.abort(upload=upload, actor=self.actor(upload.project))
        return Response(status=204)

    def commit(self, request: Request, upload_id: str) -> Response:
        """Store an upload as an artifact of its task; may be repeated."""
        upload = self.upload(upload_id)
        lease_number = self.given().get("lease_number")
        actor = self.actor(upload.project)
        arrived = prepare_upload(upload, actor=actor, lease_number=lease_number)
        warnings = warnings_of(None, uploads=[upload])

        def produce() -> Reply:
            version = commit(arrived=arrived, actor=actor, lease_number=lease_number)
            return Reply(self.shape({**info_of(version), "warnings": warnings}))

        return self.once(produce, project=upload.project)

    def uploads(self) -> QuerySet[Upload]:
        rows = Upload.objects.select_related("project", "task", "version__artifact", "version__content")
        return self.visible(rows.defer("version__content__data"))

    def upload(self, public_id: str) -> Upload:
        return self.one(self.uploads(), "upload", public_id)

    def rows(self) -> QuerySet[Task]:
        return self.visible(Task.objects.select_related("project"))


def _append(request: HttpRequest, upload: Upload) -> None:
    text = request.headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise invalid(
            [{"at": "Upload-Offset", "problem": "must be a number of bytes"}],
            next="Send the Upload-Offset of HEAD or of the last response.",
        )
    offset, length = int(text), request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit():  # refuse what does not fit before it is sent
        services.require_fits(upload, offset, int(length))
        staging.require_room(int(length))
    for piece in _pieces(request):
        services.append(upload=upload, offset=offset, data=piece)
        offset += len(piece)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    """Yield the body as it arrives, at least one piece; the last may be what came before the connection broke."""
    piece = request.read(PIECE)
    yield piece
    while piece := request.read(PIECE):
        yield piece


def _headers(upload: Upload) -> dict[str, str]:
    length = {} if upload.expected_size is None else {"Upload-Length": str(upload.expected_size)}
    return {"Upload-Offset": str(upload.received), **length}
