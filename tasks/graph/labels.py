"""Texts cut to the room that a drawing has; SVG breaks no lines and draws no ellipsis itself."""

from __future__ import annotations

import unicodedata

_NARROW, _BROAD = " ijlftrI.,:;'|!()[]-", "mwMW@%—…"
_ELLIPSIS = "…"
_BROADEST = 2.0


class _Widths(dict[str, float]):
    """The width of each character that was met."""

    def __missing__(self, character: str) -> float:
        self[character] = found = _estimate(character)
        return found


def _estimate(character: str) -> float:
    if character in _NARROW:
        return 0.55
    if character in _BROAD:
        return 1.5
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return _BROADEST
    return 1.25 if character.isupper() else 1.0 if character.isascii() else 1.2


_widths = _Widths()


def width(text: str) -> float:
    """Estimate how wide a text is, in widths of a common letter."""
    return sum(map(_widths.__getitem__, text))


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
    if len(text) * _BROADEST <= room:
        return text
    used = 0.0
    kept = 0
    for place, character in enumerate(text):
        used += _widths[character]
        if used > room:
            return text[:kept].rstrip() + _ELLIPSIS
        if used <= room - 1:
            kept = place + 1
    return text


def _fitting(words: list[str], room: float) -> int:
    """How many of the first words fit on a line."""
    used = -_widths[" "]
    for number, word in enumerate(words):
        used += _widths[" "] + width(word)
        if used > room:
            return number
    return len(words)
