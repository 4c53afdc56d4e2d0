"""How projects, sessions and tasks look over REST: the words of the tools, every field always there."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.models import Project


class ProjectShape(serializers.ModelSerializer[Project]):
    settings = serializers.JSONField()

    class Meta:
        model = Project
        fields = ("slug", "name", "root_path", "settings", "created_at")


def project_of(row: Any) -> str:
    """The slug of the project that a row belongs to."""
    return str(row.project.slug)
