"""Images that a browser may show: pixels of four common formats, recognized by their first bytes alone.

SVG is none of them: it is a document that can hold scripts.
"""

from __future__ import annotations

from artifacts import storage
from artifacts.models import Content

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", b"", "image/png"),
    (b"\xff\xd8\xff", b"", "image/jpeg"),
    (b"GIF87a", b"", "image/gif"),
    (b"GIF89a", b"", "image/gif"),
    (b"RIFF", b"WEBP", "image/webp"),
)
LARGEST_BYTES = 32 * 1024 * 1024


def image_type(content: Content) -> str | None:
    """Return the type of an image that is safe to show; None for everything else."""
    if content.size_chars is not None or content.size_bytes > LARGEST_BYTES:
        return None
    begin = b"".join(storage.stretch(content, 0, min(16, content.size_bytes)))
    return next((name for start, more, name in _MAGIC if begin.startswith(start) and begin[8:].startswith(more)), None)
