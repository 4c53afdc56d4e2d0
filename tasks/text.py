"""Plain functions on text that callers send."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def unstorable(text: str) -> str | None:
    """Say why a text cannot be kept as it is, or None where it can.

    PostgreSQL keeps no NUL in text, and half a surrogate pair is no character at all.
    """
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    name = "a NUL character" if found.group() == "\x00" else "half of a surrogate pair"
    return f"holds {name} at position {found.start()}, which cannot be stored; leave it out"


def storable(text: str) -> str:
    """Return a text with a mark in the place of each character that cannot be kept."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def within_bytes(text: str, limit: int) -> str:
    """Cut a text to `limit` bytes of UTF-8, with an ellipsis where something is left out."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore").rstrip() + "…"


def shortened(text: str, limit: int) -> str:
    """Cut a text to `limit` characters on one line, with an ellipsis where something is left out."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
