"""URLs of the REST API of artifacts."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from artifacts.api.artifacts import ArtifactViews, ContentViews, VersionViews
from artifacts.api.complete import CompleteViews
from artifacts.api.files import FileViews, FolderZipViews, TaskZipViews
from artifacts.api.search import SearchViews
from artifacts.api.uploads import UploadViews

router = SimpleRouter(trailing_slash=False)
router.register("artifacts", ArtifactViews, basename="api-artifact")

urlpatterns = [
    path("tasks/<str:task_id>/complete", CompleteViews.as_view({"post": "complete"}), name="api-task-complete"),
    path("artifacts/<str:artifact_id>/versions", VersionViews.as_view({"get": "list"}), name="api-artifact-versions"),
    path("artifacts/<str:artifact_id>/content", ContentViews.as_view({"get": "retrieve"}), name="api-artifact-content"),
    path("tasks/<str:task_id>/artifacts.zip", TaskZipViews.as_view({"get": "download"}), name="api-task-zip"),
    path("projects/<str:project>/files", FileViews.as_view({"get": "folder"}), name="api-files"),
    path("projects/<str:project>/files.zip", FolderZipViews.as_view({"get": "download"}), name="api-files-zip"),
    path("search", SearchViews.as_view({"get": "search"}), name="api-search"),
    path("uploads", UploadViews.as_view({"get": "list", "post": "create"}), name="api-uploads"),
    path(
        "uploads/<str:upload_id>",
        UploadViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="api-upload",
    ),
    path("uploads/<str:upload_id>/commit", UploadViews.as_view({"post": "commit"}), name="api-upload-commit"),
    *router.urls,
]
