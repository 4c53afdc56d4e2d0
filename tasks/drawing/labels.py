"""Texts cut to the room that a drawing has; SVG breaks no lines and draws no ellipsis itself."""

from __future__ import annotations

import unicodedata

_NARROW, _BROAD = frozenset(" ijlftrI.,:;'|!()[]-"), frozenset("mwMW@%—…")
_ELLIPSIS = "…"


def width(text: str) -> float:
    """Estimate how wide a text is, in widths of a common letter."""
    return sum(map(_width_of, text))


def lines(text: str, room: float, count: int) -> list[str]:
    """Break a text at spaces into at most `count` lines of a width; what does not fit ends in an ellipsis."""
    words = text.split()
    found: list[str] = []
    while words and len(found) < count - 1:
        taken = _fitting(words, room)
        if not taken:
            break
        found.append(" ".join(words[:taken]))
        words = words[taken:]
    return [*found, fitted(" ".join(words), room)] if words else found


def fitted(text: str, room: float) -> str:
    """Cut a text to a width, with an ellipsis where something is left out."""
    used = 0.0
    kept = 0
    for place, character in enumerate(text):
        used += _width_of(character)
        if used > room:
            return text[:kept].rstrip() + _ELLIPSIS
        if used <= room - 1:
            kept = place + 1
    return text


def _fitting(words: list[str], room: float) -> int:
    """How many of the first words fit on a line."""
    used = -_width_of(" ")
    for number, word in enumerate(words):
        used += _width_of(" ") + width(word)
        if used > room:
            return number
    return len(words)


def _width_of(character: str) -> float:
    if character.isascii():
        return 0.55 if character in _NARROW else 1.5 if character in _BROAD else 1.25 if character.isupper() else 1.0
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    return 2.0 if unicodedata.east_asian_width(character) in "WF" else 1.2
