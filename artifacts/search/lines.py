"""Look for words in the lines of one work of any size, as a person does who reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from artifacts.models import Content
from artifacts.rendering.lines import PICTURES
from artifacts.search.inside import NEAR, TOTAL_LIMIT, Block, blocks, may_hold
from artifacts.search.query_parser import Term
from artifacts.search.snippets import Snippet, snippet_of


@dataclass(frozen=True, slots=True)
class Line:
    """A line in which something was found; `offset` is where the first word of it begins, in characters."""

    number: int
    offset: int
    snippet: Snippet
    is_near: bool
    """Whether the line begins near to it: pointing at the line leads there."""


@dataclass(slots=True)
class Found:
    """A page of lines. The total is exact below TOTAL_LIMIT."""

    lines: list[Line] = field(default_factory=list)
    total: int = 0
    has_more: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether all there are were counted."""
        return self.total < TOTAL_LIMIT

    @property
    def following(self) -> int | None:
        """Behind which character the next page begins, where there is one."""
        return self.lines[-1].offset if self.has_more else None


def find_lines(content: Content, terms: Sequence[Term], *, every: bool, after: int, limit: int, most: int) -> Found:
    """Return lines with every term, or with any, that are found behind an offset in the first `most` bytes.

    Raises Damaged.
    """
    found = Found()
    for line in _lines(content, [term.text for term in terms], every, most):
        found.total += 1
        if line.offset > after and len(found.lines) < limit:
            found.lines.append(line)
        elif line.offset > after:
            found.has_more = True
        if found.total >= TOTAL_LIMIT and found.has_more:
            break
    return found


def _lines(content: Content, texts: Sequence[str], every: bool, most: int) -> Iterator[Line]:
    pattern = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))), re.IGNORECASE)
    folded = [text.casefold() for text in texts]
    number, counted, done = 1, 0, 0
    for block in blocks(content, most):
        begins = _matches(block, pattern) if may_hold(block.text.casefold(), folded, every) else iter(())
        for found in begins:
            if block.offset + found.start() < done:
                continue
            begin, end, is_near = _around(block.text, found.start(), found.end())
            done = block.offset + end
            if not may_hold(block.text[begin:end].casefold(), folded, every):
                continue
            number += block.text.count("\n", counted - block.offset, found.start())
            counted = block.offset + found.start()
            spans = [(each.start() - begin, each.end() - begin) for each in pattern.finditer(block.text, begin, end)]
            snippet = snippet_of(block.text[begin:end].translate(PICTURES), spans, offset=block.offset + begin)
            yield Line(number, counted, snippet, is_near)
        number += block.text.count("\n", counted - block.offset, block.last)
        counted = block.offset + block.last


def _matches(block: Block, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Yield where words begin in what is this block's own."""
    for found in pattern.finditer(block.text, block.first):
        if found.start() >= block.last:
            return
        yield found


def _around(text: str, begin: int, end: int) -> tuple[int, int, bool]:
    """Return where the line of a hit begins and ends, or what is near of it, and whether it begins there."""
    first, last = text.rfind("\n", max(begin - NEAR, 0), begin) + 1, text.find("\n", end, end + NEAR)
    is_near = bool(first) or begin < NEAR
    return first or max(begin - NEAR, 0), end + NEAR if last < 0 else last, is_near
