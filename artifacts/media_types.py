"""Media types, guessed from a path as far as the bytes agree."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence

TEXT, PLAIN, BYTES = "text/markdown", "text/plain", "application/octet-stream"
"""For a text without a path, a text of unknown type, and anything else."""
# The standard library's own table, not this machine's, so that types are the same on all machines.
_TYPES = mimetypes.MimeTypes()
_TYPES.add_type(TEXT, ".md")


def media_type_of(paths: Sequence[str], *, is_text: bool) -> str:
    """Return the media type of a version from its paths, of which the first one counts."""
    if not paths:
        return TEXT if is_text else BYTES
    guessed = _TYPES.guess_type(f"/{paths[0]}")[0] or ""  # the slash keeps a path from being read as a `data:` URL
    if not is_text:
        return guessed or BYTES
    return guessed if guessed.startswith(("text/", "application/")) else PLAIN


def extension_of(media_type: str) -> str:
    """Return the suffix of files of a type, with its dot."""
    return _TYPES.guess_extension(media_type) or (".txt" if media_type.startswith("text/") else ".bin")
