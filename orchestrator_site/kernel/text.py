"""Functions on strings that callers send."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

_LINE_ENDS = {mark: f"\\u{ord(mark):04x}".encode() for mark in "\x85\u2028\u2029"}
_NAME_LENGTH = 40
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def unstorable(text: str) -> str | None:
    """Return why a string cannot be stored, or None.

    PostgreSQL stores no NUL in text, and half a surrogate pair is not a character.
    """
    if "\x00" in text:
        return _cannot_be("a NUL character", text.index("\x00"))
    return without_bytes(text)


def line_safe(encoded: bytes) -> bytes:
    """Escape what JSON allows in strings but some readers of lines and of event streams take for the end of a line."""
    for mark, escaped in _LINE_ENDS.items():
        encoded = encoded.replace(mark.encode(), escaped)
    return encoded


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
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def one_line(text: str) -> str:
    return " ".join(text.split())


def quoted(text: str) -> str:
    """Quote a stored text line by line, so that nothing in it passes for a heading or a sentence of the product."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def fenced(text: str) -> str:
    """Put a text into a fence that nothing in it closes."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text.rstrip()}\n{fence}"


def called(name: str) -> str:
    """Return a name that its bearer chose, for a sentence: in quotes, on one line and short."""
    return repr(shortened(name, _NAME_LENGTH))


def visible(text: str, *, besides: str = "") -> str:
    """Write characters that steer a terminal, reverse text or do not show as escapes, such as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in besides else ascii(char)[1:-1] for char in text)
