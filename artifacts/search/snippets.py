"""The part of a text that is shown for a hit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 160
_BEFORE = 40
_LOOKED_AT = 500

Span = tuple[int, int]
"""Where a hit begins and ends."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some words around a hit, in pieces of which some are hits; `offset` is where they begin, in characters."""

    offset: int
    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)


def spans_of(marked: str, start: str, stop: str) -> list[Span]:
    """Return where the hits of a marked text are in the text without its marks."""
    spans: list[Span] = []
    place = 0
    for part in marked.split(start):
        hit, found, rest = part.partition(stop)
        if found:
            spans.append((place, place + len(hit)))
        place += len(hit) + len(rest)
    return spans


def snippet_of(body: str, spans: Sequence[Span], *, offset: int = 0) -> Snippet:
    """Show the place with the most hits; the beginning where there is none. `offset` is that of the body."""
    hit = _densest(spans[:_LOOKED_AT])
    begin = max(0, hit - _BEFORE)
    if begin and (space := re.search(r"\s(?=\S)", body[begin:hit])):
        begin += space.end()
    end = min(len(body), begin + SHOWN)
    if end < len(body) and (space := re.search(r"\s+\S*$", body[hit:end])):  # not within a word
        end = hit + space.start()
    pieces: list[tuple[str, bool]] = [("…", False)] if begin else []
    place = begin
    for first, last in spans:
        if place <= first < end:
            pieces += [(body[place:first], False), (body[first : min(last, end)], True)]
            place = min(last, end)
    pieces += [(body[place:end], False), ("…" if end < len(body) else "", False)]
    return Snippet(offset + begin, tuple((re.sub(r"\s+", " ", text), hit) for text, hit in pieces if text))


def _densest(spans: Sequence[Span]) -> int:
    best, most, first = (spans[0][0] if spans else 0), 0, 0
    for number, (_, last) in enumerate(spans):
        while last - spans[first][0] > SHOWN - _BEFORE and first < number:
            first += 1
        if number - first + 1 > most:
            best, most = spans[first][0], number - first + 1
    return best
