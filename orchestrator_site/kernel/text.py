"""Plain functions on text that callers send."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def unstorable(text: str) -> str | None:
    """Say why a text cannot be kept as it is, or None where it can.

    PostgreSQL keeps no NUL in text, and half a surrogate pair is no character at all.
    """
    if "\x00" in text:
        return _cannot_be("a NUL character", text.index("\x00"))
    return without_bytes(text)


def without_bytes(text: str) -> str | None:
    """Say why a text has no bytes in UTF-8, or None where it has."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return _cannot_be("half of a surrogate pair", error.start)
    return None


def _cannot_be(what: str, position: int) -> str:
    return f"holds {what} at position {position}, which cannot be stored; leave it out"


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
