"""Representations of artifacts and their versions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.fields import SerializerMethodField

from artifacts.models import Artifact, ArtifactVersion


class VersionShape(serializers.ModelSerializer[ArtifactVersion]):
    """A version; `content` is the URL of its bytes, and `sha256` in quotes their ETag."""

    version = serializers.IntegerField(source="number")
    size_bytes = serializers.IntegerField(source="content.size_bytes")
    size_chars = serializers.IntegerField(source="content.size_chars", allow_null=True)
    sha256 = serializers.CharField(source="content.sha256")
    actor = serializers.CharField(source="actor_name")
    content = SerializerMethodField()

    class Meta:
        model = ArtifactVersion
        fields = (
            "version", "summary", "media_type", "size_bytes", "size_chars", "sha256", "actor", "created_at", "content",
        )  # fmt: skip

    def get_content(self, version: ArtifactVersion) -> str:
        url = f"/api/v1/artifacts/{version.artifact.public_id}/content?version={version.number}"
        return str(self.context["request"].build_absolute_uri(url))


class ArtifactShape(serializers.ModelSerializer[Artifact]):
    """An artifact; delivering to its paths again makes the next version."""

    artifact_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")
    task_id = serializers.CharField(source="task.public_id")
    paths = SerializerMethodField()
    latest = SerializerMethodField()

    class Meta:
        model = Artifact
        fields = (
            "artifact_id", "project", "task_id", "kind", "summary", "paths", "version", "latest", "created_at",
            "updated_at",
        )  # fmt: skip

    def get_paths(self, artifact: Artifact) -> list[str]:
        return [path.path for path in artifact.paths.all()]

    def get_latest(self, artifact: Artifact) -> dict[str, Any]:
        return VersionShape(artifact.latest[0], context=self.context).data  # type: ignore[attr-defined]  # the view asks
