"""What every entry point returns of a stored version."""

from __future__ import annotations

from typing import Any

from artifacts.models import ArtifactVersion


def info_of(version: ArtifactVersion) -> dict[str, Any]:
    content = version.content
    return {
        "artifact_id": version.artifact.public_id,
        "version": version.number,
        "size_chars": content.size_chars,
        "size_bytes": content.size_bytes,
        "sha256": content.sha256,
    }
