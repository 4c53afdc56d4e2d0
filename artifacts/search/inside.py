"""Look through one artifact of any size, in constant memory.

Terms are found as they are written, inside words too; the index is not asked. A match is a place where terms are
near each other, or a line that holds them, and matches come in the order of the text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from artifacts import storage
from artifacts.models import Content
from artifacts.rendering.lines import PICTURES
from artifacts.search.query_parser import Term
from artifacts.search.snippets import Snippet, Span, snippet_of

NEAR = 800
"""Characters within which terms count as being together."""
TOTAL_LIMIT = 1_000
"""Where counting ends."""
_BLOCK = 256 * 1024
_OVERLAP = 2 * NEAR + 10_000
"""How far blocks overlap: a term, which may be as long as a query, is complete in one of them with what is near."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where something was found; `offset` is where its first word begins, in characters, and `number` is its line."""

    offset: int
    number: int
    snippet: Snippet
    is_near: bool
    """Whether the line begins nearby, so that a link to the line leads there."""


@dataclass(slots=True)
class Matches:
    """A page of matches. The total is exact below TOTAL_LIMIT."""

    lines: list[Match] = field(default_factory=list)
    total: int = 0
    has_more: bool = False

    @property
    def is_counted(self) -> bool:
        return self.total < TOTAL_LIMIT

    @property
    def following(self) -> int | None:
        """The offset after which the next page begins, if there is one."""
        return self.lines[-1].offset if self.has_more else None


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of a text. It overlaps with its neighbors; matches are looked for from `first` to `last`."""

    offset: int
    lines_before: int
    text: str
    first: int
    last: int


_Window = Callable[[str, int, int], tuple[int, int]]
"""Returns what of a text belongs to a match, given where a term was found in it."""


def find_places(content: Content, terms: Sequence[Term], *, every: bool, after: int, limit: int) -> Matches:
    """Return places that begin after an offset and where every term, or any, is found. Raises Damaged."""
    found = _matches(content, terms, every, None, lambda _, start, end: (start - NEAR // 2, start + NEAR // 2))
    return _page(found, after, limit, lambda block, begin, end, spans: (block.text, spans, block.offset))


def find_lines(content: Content, terms: Sequence[Term], *, every: bool, after: int, limit: int, most: int) -> Matches:
    """Return lines after an offset with every term, or any, in the first `most` bytes. Raises Damaged."""

    def window(text: str, start: int, end: int) -> tuple[int, int]:
        first, last = text.rfind("\n", max(start - NEAR, 0), start) + 1, text.find("\n", end, end + NEAR)
        return first or start - NEAR, end + NEAR if last < 0 else last

    def shown(block: _Block, begin: int, end: int, spans: list[Span]) -> tuple[str, list[Span], int]:
        line = block.text[begin:end].translate(PICTURES)
        return line, [(start - begin, stop - begin) for start, stop in spans], block.offset + begin

    return _page(_matches(content, terms, every, most, window), after, limit, shown)


def _page(
    found: Iterable[tuple[_Block, int, int, list[Span]]],
    after: int,
    limit: int,
    shown: Callable[[_Block, int, int, list[Span]], tuple[str, list[Span], int]],
) -> Matches:
    page = Matches()
    for block, begin, end, spans in found:
        page.total += 1
        start = spans[0][0]
        if block.offset + start > after and len(page.lines) < limit:
            body, marks, offset = shown(block, begin, end, spans)
            number = block.lines_before + block.text.count("\n", 0, start) + 1
            is_near = block.offset + begin == 0 or block.text[begin - 1] == "\n"
            page.lines.append(Match(block.offset + start, number, snippet_of(body, marks, offset=offset), is_near))
        elif block.offset + start > after:
            page.has_more = True
        if page.has_more and page.total >= TOTAL_LIMIT:
            break
    return page


def _matches(
    content: Content, terms: Sequence[Term], every: bool, most: int | None, window: _Window
) -> Iterator[tuple[_Block, int, int, list[Span]]]:
    """Yield matches: the block that holds one, where it begins and ends in it, and the spans of its terms."""
    folded = {term.text.casefold(): term.text for term in terms}
    texts = sorted((term.text for term in terms), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, texts)), re.IGNORECASE)
    done = 0
    for block in _blocks(content, most):
        whole = block.text.casefold()
        if not _holds(whole, folded, every):
            continue
        rarest = re.compile(re.escape(folded[min(folded, key=whole.count)]), re.IGNORECASE) if every else pattern
        for found in rarest.finditer(block.text, block.first):
            if found.start() >= block.last:
                break
            if block.offset + found.start() < done:
                continue
            begin, end = window(block.text, *found.span())
            begin, end = max(begin, done - block.offset, 0), max(end, found.end())
            if _holds(block.text[begin:end].casefold(), folded, every):
                spans = [each.span() for each in pattern.finditer(block.text, begin, end)]
                yield block, begin, end, spans or [found.span()]
                done = block.offset + end


def _holds(folded: str, terms: Iterable[str], every: bool) -> bool:
    """Whether the terms are there at all, all in folded case; this is twenty times as fast as finding where."""
    found = (term in folded for term in terms)
    return all(found) if every else any(found)


def _blocks(content: Content, most: int | None) -> Iterator[_Block]:
    """Yield a text in blocks, up to about `most` bytes of it. Raises Damaged."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, lines, text = 0, 0, ""
    chunks = storage.chunks(content) if most is None else storage.stretch(content, 0, min(most, content.size_bytes))
    for chunk in chunks:
        text += decoder.decode(chunk)
        if len(text) > _BLOCK + _OVERLAP:
            # What begins before `last` is complete; the next block holds what comes before it.
            yield _Block(offset, lines, text, NEAR * bool(offset), len(text) - _OVERLAP + NEAR)
            cut = len(text) - _OVERLAP
            offset, lines, text = offset + cut, lines + text.count("\n", 0, cut), text[cut:]
    yield _Block(offset, lines, text, NEAR * bool(offset), len(text))
