"""Fit the parts of a handover into a number of characters: what is cut is counted, with the call that reads on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_WORDS = 80
"""Characters of a quotation below which it is rather left out than cut."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a part, and words of a person or an assistant, quoted line by line."""

    line: str
    words: str = ""

    @property
    def text(self) -> str:
        return f"{self.line}\n{self.words}" if self.words else self.line


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a handover. `total` is how many entries there are, of which some may not have been read."""

    title: str
    entries: Sequence[Entry]
    more: str
    weight: int
    total: int = 0

    @property
    def left_out(self) -> int:
        return max(self.total - len(self.entries), 0)

    @property
    def need(self) -> int:
        """How many characters it has in full, besides its title and the line that says what is missing."""
        return sum(len(entry.text) + 1 for entry in self.entries) or len(NONE) + 1

    def missing(self, number: int) -> str:
        return f"- {number:,} more: `{self.more}`"

    @property
    def fixed(self) -> int:
        """The characters that it has at least."""
        return len(self.title) + len("## \n\n") + len(self.missing(max(self.total, len(self.entries)))) + 1


NONE = "- none"


def fitted(parts: Sequence[Part], limit: int) -> str:
    """Return the parts as one text of at most `limit` characters, shared by weight where not all of it fits."""
    shares = _shares(parts, limit - sum(part.fixed for part in parts))
    texts = [_text(part, shares[place]) for place, part in enumerate(parts)]
    left = limit - len("\n".join(texts))  # entries come complete, so their shares are not used up
    for place in sorted(shares, key=lambda place: -parts[place].weight):
        more = _text(parts[place], len(texts[place]) + left - parts[place].fixed)
        if len(more) > len(texts[place]):
            left -= len(more) - len(texts[place])
            texts[place] = more
    return "\n".join(texts)


def _shares(parts: Sequence[Part], left: int) -> dict[int, int]:
    """Share characters by weight; what a part does not need goes to the others."""
    shares: dict[int, int] = {}
    hungry = dict(enumerate(parts))
    while hungry:
        weights = sum(part.weight for part in hungry.values())
        offer = {place: left * part.weight // weights for place, part in hungry.items()}
        content = {place: part.need for place, part in hungry.items() if part.need <= offer[place]}
        if not content:
            return shares | {place: max(share, 0) for place, share in offer.items()}
        shares |= content
        left -= sum(content.values())
        hungry = {place: part for place, part in hungry.items() if place not in content}
    return shares


def _text(part: Part, share: int) -> str:
    return f"## {part.title}\n{_body(part, share)}"


def _body(part: Part, share: int) -> str:
    lines: list[str] = []
    shown = 0
    for entry in part.entries:
        if len(entry.text) >= share:  # its line end counts too
            if cut := _cut(entry, share - 1, part.more):
                lines.append(cut)
                shown += 1
            break
        lines.append(entry.text)
        share -= len(entry.text) + 1
        shown += 1
    if missing := len(part.entries) - shown + part.left_out:
        lines.append(part.missing(missing))
    return "\n".join(lines or [NONE]) + "\n"


def _cut(entry: Entry, space: int, more: str) -> str:
    """Return an entry with as much of its words as fits, and how much is missing; empty where too little fits."""
    size = len(entry.words)
    room = space - len(entry.line) - 1 - len(_note(size, size, more))
    if not entry.words or room < SHORTEST_WORDS:
        return ""
    kept = entry.words[:room]
    if (end := kept.rfind("\n")) > room // 2:
        kept = kept[:end]
    return f"{entry.line}\n{kept.rstrip()}{_note(len(kept), size, more)}"


def _note(shown: int, size: int, more: str) -> str:
    return f"\n- cut: {shown:,} of {size:,} characters shown; all: `{more}`"
