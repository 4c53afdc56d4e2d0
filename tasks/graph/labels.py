"""Text measuring, wrapping and truncation, which SVG does not do itself."""

from __future__ import annotations

import unicodedata
from functools import cache

_NARROW, _BROAD = " ijlftrI.,:;'|!()[]-", "mwMW@%—…"
_ELLIPSIS = "…"
_BROADEST = 2.0


@cache
def _width_of(character: str) -> float:
    if character in _NARROW:
        return 0.55
    if character in _BROAD:
        return 1.5
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return _BROADEST
    return 1.25 if character.isupper() else 1.0 if character.isascii() else 1.2


def width(text: str) -> float:
    return sum(map(_width_of, text))


def lines(text: str, available: float, count: int) -> list[str]:
    """Wrap a text into at most `count` lines; the last one is truncated with an ellipsis."""
    words = text.split()
    found: list[str] = []
    while words and len(found) < count - 1:
        taken = _fitting(words, available)
        if not taken:
            break
        found.append(" ".join(words[:taken]))
        words = words[taken:]
    return [*found, fitted(" ".join(words), available)] if words else found


def fitted(text: str, available: float) -> str:
    if len(text) * _BROADEST <= available:
        return text
    used = 0.0
    kept = 0
    for place, character in enumerate(text):
        used += _width_of(character)
        if used > available:
            return text[:kept].rstrip() + _ELLIPSIS
        if used <= available - 1:
            kept = place + 1
    return text


def _fitting(words: list[str], available: float) -> int:
    used = -_width_of(" ")
    for number, word in enumerate(words):
        used += _width_of(" ") + width(word)
        if used > available:
            return number
    return len(words)
