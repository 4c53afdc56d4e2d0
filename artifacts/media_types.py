"""What a work is a file of, where nobody says it: its path tells, as far as its bytes agree."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence

TEXT, PLAIN, BYTES = "text/markdown", "text/plain", "application/octet-stream"
"""A text without a path, a text of a type that nobody knows, and anything else."""
# The standard library's own table, not this machine's, so that a work is of the same type on all machines.
_TYPES = mimetypes.MimeTypes()
_TYPES.add_type(TEXT, ".md")


def media_type_of(paths: Sequence[str], *, is_text: bool) -> str:
    """Return the media type of a work that is to stand at some paths, of which the first one counts."""
    if not paths:
        return TEXT if is_text else BYTES
    guessed = _TYPES.guess_type(f"/{paths[0]}")[0] or ""  # with a slash before it, no path is taken for a `data:` URL
    if not is_text:
        return guessed or BYTES
    return guessed if guessed.startswith(("text/", "application/")) else PLAIN


def extension_of(media_type: str) -> str:
    """Return how a file of a type ends, with its dot."""
    return _TYPES.guess_extension(media_type) or (".txt" if media_type.startswith("text/") else ".bin")
