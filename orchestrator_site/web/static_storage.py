"""Static files as they are served: hashed, compressed, and style sheets without comments and blanks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.base import File
from rcssmin import cssmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

from orchestrator_site.kernel.files import write_whole


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def _save(self, name: str, content: File[Any]) -> str:
        """Write a file whole or not at all: one that a killed process had cut would keep its hash, and be served."""
        data = b"".join(content.chunks())
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, cssmin(data) if name.startswith("orchestrator/") and path.suffix == ".css" else data)
        return name
