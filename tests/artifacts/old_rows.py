"""Content as the releases before frames stored it."""

from __future__ import annotations

import hashlib
import zlib

from artifacts.models import ArtifactVersion, Content
from tests.artifacts.shelf import Shelf
from tests.factories import make_artifact, make_project, make_task


def make_old(text: str, codec: str, shelf: Shelf) -> ArtifactVersion:
    """Make a version whose bytes are named by their sha256 alone, in one stream, with uncounted lines."""
    raw = text.encode()
    name = hashlib.sha256(raw).hexdigest()
    shelf.write(name, zlib.compress(raw, level=1) if codec == "zlib" else raw)
    content = Content.objects.create(sha256=name, size_bytes=len(raw), size_chars=len(text), codec=codec)
    version = make_artifact(make_task(make_project()), "x").versions.get()
    version.content = content
    version.save()
    Content.objects.filter(versions=None).delete()
    return version
