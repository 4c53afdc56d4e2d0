"""Static files as they are served: hashed, compressed, and style sheets without comments and blanks."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile, File
from rcssmin import cssmin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    def _save(self, name: str, content: File[Any]) -> str:
        if name.startswith("orchestrator/") and name.endswith(".css"):
            content = ContentFile(cssmin(b"".join(content.chunks())))
        return str(super()._save(name, content))
