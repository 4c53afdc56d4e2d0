"""A text of any size in parts that are highlighted, cached and sent each by itself.

Parts begin near multiples of PART_CHARACTERS, so where one begins is known from the text around that place alone:
after a blank line if there is one, else at the next line, and in the middle of a line that is too long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe

from artifacts.models import Content
from artifacts.rendering.lines import KNOWN_BY, marked, plain_lines, unnumbered
from artifacts.rendering.sandbox import render
from artifacts.storage import slices

PART_CHARACTERS = 32 * 1024
PARTS_PER_PAGE = 32
SLACK = 4 * 1024
"""Characters after a multiple in which a part may begin."""
LONGEST_COLOURED = 10_000
"""The longest line with colors, since a browser takes seconds to lay out a longer one."""
MOST_NUMBERED = 6_000
"""The most lines in a part that are links, since more make a page slow."""
_NO_COLOURS = {
    "long": f"A line of more than {LONGEST_COLOURED:,} characters has no colours, nor have those near it.",
    "late": "These lines could not be coloured in the time that there is for it.",
    "dense": "So many short lines have neither colours nor numbers.",
}
_BREAKS = (re.compile(r"\n\r?\n(?=[^\s})\]])"), re.compile(r"\n"))
"""Where a text is cut best, and second best."""


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `begin` to `end` of a text; `number` counts from 1, as lines do."""

    number: int
    begin: int
    end: int
    text: str
    first: int
    """The number of its first line."""
    goes_on: bool
    """Whether that line began in the part before."""

    @property
    def lines(self) -> int:
        return self.text.count("\n") + (self.text[-1:] not in ("\n", ""))

    @property
    def last(self) -> int:
        return self.first + max(self.lines, 1) - 1

    @property
    def longest(self) -> int:
        return max(map(len, self.text.split("\n")))


@dataclass(frozen=True, slots=True)
class Coloured:
    """A part as HTML that is safe in a page; without colors where they could not be made."""

    html: SafeString
    why_plain: str = ""


def count_parts(content: Content) -> int:
    """How many parts a text has, at least one."""
    return max(-(-((content.size_chars or 0) - SLACK) // PART_CHARACTERS), 1)


def parts_of(content: Content, first: int, count: int = 1) -> list[Part]:
    """Read up to `count` parts from number `first` on; fewer only at the end of the text. Raises Damaged."""
    stop = min(first + count, count_parts(content) + 1)
    is_end = stop > count_parts(content)
    # The character before shows whether a line begins there.
    offset = max((first - 1) * PART_CHARACTERS - 1, 0)
    end = content.size_chars or 0 if is_end else (stop - 1) * PART_CHARACTERS + SLACK
    text = slices.characters(content, offset, end - offset)
    cuts = [_cut(text, (number - 1) * PART_CHARACTERS - offset) for number in range(first, stop + (not is_end))]
    parts: list[Part] = []
    ends = slices.ends_before(content, offset + cuts[0])
    for number, (begin, end) in enumerate(pairwise(cuts + [len(text)] * is_end), first):
        goes_on = begin > 0 and text[begin - 1] != "\n"
        parts.append(Part(number, offset + begin, offset + end, text[begin:end], ends + 1, goes_on))
        ends += text.count("\n", begin, end)
    return parts


def part_at(content: Content, offset: int) -> int:
    """Return the number of the part that holds a character, or of the last one. Raises Damaged."""
    number = min(max(offset, 0) // PART_CHARACTERS + 1, count_parts(content))
    return number - 1 if number > 1 and parts_of(content, number)[0].begin > offset else number


def part_of_line(content: Content, line: int) -> int:
    """Return the number of the part that a line begins in, or of the last one. Raises Damaged."""
    found = slices.lines(content, max(line - 1, 0), 1, most=1)
    return part_at(content, found.chars_before)


def coloured(content: Content, part: Part, name: str, here: tuple[int, int] | None = None) -> Coloured:
    """Return a part as HTML, with the lines of `here` marked. Call it outside any transaction."""
    if part.lines > MOST_NUMBERED:
        return _safe(unnumbered(part.text), "dense")
    html: str | None = None
    why = "long"
    if part.longest <= LONGEST_COLOURED:
        begin = part.text[:KNOWN_BY] if part.number == 1 else slices.characters(content, 0, KNOWN_BY)
        where = (str(part.begin), str(part.end), str(part.first), str(part.goes_on))
        task = {"text": part.text, "name": name, "begin": begin, "first": part.first, "goes_on": part.goes_on}
        html = render((content.sha256, *where, name), "part", "rendered", **task)
        why = "late" if html is None else ""
    shown = plain_lines(part.text, part.first, goes_on=part.goes_on) if html is None else html
    if here:
        shown = marked(shown, max(here[0], part.first), min(here[1], part.last))
    return _safe(shown, why)


def _safe(html: str, why: str) -> Coloured:
    return Coloured(mark_safe(html), _NO_COLOURS.get(why, ""))  # noqa: S308 -- every text in it is escaped


def _cut(text: str, place: int) -> int:
    """Return where a part begins that should begin at a place of a text, or a little after it."""
    if place == 0:
        return 0
    for pattern in _BREAKS:
        if found := pattern.search(text, place - 1, place + SLACK):
            return found.end()
    return place
