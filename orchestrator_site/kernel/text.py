"""Functions on strings that callers send."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def unstorable(text: str) -> str | None:
    """Return why a string cannot be stored, or None.

    PostgreSQL stores no NUL in text, and half a surrogate pair is not a character.
    """
    if "\x00" in text:
        return _cannot_be("a NUL character", text.index("\x00"))
    return without_bytes(text)


def unstorable_in(value: Any, *, besides: Container[str], at: str = "") -> Iterator[dict[str, Any]]:
    """Yield a problem for each string of a JSON value that cannot be stored, except in the fields `besides`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in besides:
                place = f"{at}.{name!s:.80}".lstrip(".")
                if why := unstorable(name):
                    yield {"at": storable(place), "problem": why}
                yield from unstorable_in(inner, besides=besides, at=place)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from unstorable_in(inner, besides=besides, at=f"{at}[{number}]")
    elif isinstance(value, str) and (why := unstorable(value)):
        yield {"at": storable(at), "problem": why}


def without_bytes(text: str) -> str | None:
    """Return why a string cannot be encoded as UTF-8, or None."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return _cannot_be("half of a surrogate pair", error.start)
    return None


def _cannot_be(what: str, position: int) -> str:
    return f"holds {what} at position {position}, which cannot be stored; leave it out"


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def within_bytes(text: str, limit: int) -> str:
    """Cut a string to `limit` bytes of UTF-8, with an ellipsis."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore").rstrip() + "…"


def shortened(text: str, limit: int) -> str:
    """Cut a string to one line of `limit` characters, with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def visible(text: str, *, besides: str = "") -> str:
    """Write characters that steer a terminal, reverse text or do not show as escapes, such as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in besides else ascii(char)[1:-1] for char in text)
