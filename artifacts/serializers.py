"""How stored work looks in the answers of every door."""

from __future__ import annotations

from typing import Any

from artifacts.models import ArtifactVersion


def info_of(version: ArtifactVersion) -> dict[str, Any]:
    """What was stored."""
    content = version.content
    return {
        "artifact_id": version.artifact.public_id,
        "version": version.number,
        "size_chars": content.size_chars,
        "size_bytes": content.size_bytes,
        "sha256": content.sha256,
    }
