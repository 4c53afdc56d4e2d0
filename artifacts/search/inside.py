"""Look through one artifact of any size, from its beginning to its end, in constant memory.

Here terms are looked for as they are written, in parts of words too; the index is not asked. What is near to each other
counts as one hit, and hits come in the order in which they stand in the work.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from artifacts import storage
from artifacts.models import Content
from artifacts.search.query_parser import Term
from artifacts.search.snippets import Snippet, Span, snippet_of

NEAR = 800
"""Characters within which terms count as being together."""
TOTAL_LIMIT = 1_000
"""Where counting ends."""
_BLOCK = 256 * 1024
_OVERLAP = 2 * NEAR + 10_000
"""How far blocks overlap: a term, which may be as long as a query, is seen whole in one of them with what is near."""


@dataclass(slots=True)
class Inside:
    """A page of what was found in one work. The total is exact below TOTAL_LIMIT."""

    snippets: list[Snippet] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    total: int = 0
    has_more: bool = False


def look_inside(content: Content, terms: Sequence[Term], *, every: bool, after: int, limit: int) -> Inside:
    """Return the hits of a text that begin after an offset.

    Raises Damaged where the stored bytes are not the delivered ones.
    """
    found = Inside()
    for offset, body, spans in _groups(content, [term.text for term in terms], every):
        found.total += 1
        begin = offset + spans[0][0]
        if begin > after and len(found.snippets) < limit:
            found.snippets.append(snippet_of(body, spans, offset=offset))
            found.begins.append(begin)
        elif begin > after:
            found.has_more = True
            if found.total >= TOTAL_LIMIT:
                break
    return found


def _groups(content: Content, texts: Sequence[str], every: bool) -> Iterator[tuple[int, str, list[Span]]]:
    """Yield hits: where the block begins that holds one, its text, and the spans of the hit in it."""
    pattern = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))), re.IGNORECASE)
    folded = {text.casefold(): text for text in texts}
    done = 0
    for block in blocks(content):
        whole = block.text.casefold()
        if not may_hold(whole, folded, every):
            continue
        rarest = re.compile(re.escape(folded[min(folded, key=whole.count)]), re.IGNORECASE) if every else pattern
        for found in rarest.finditer(block.text, block.first):
            if found.start() >= block.last:
                break
            if block.offset + found.start() < done:
                continue
            begin = max(found.start() - NEAR // 2, done - block.offset, 0)
            end = max(found.start() + NEAR // 2, found.end())
            if may_hold(block.text[begin:end].casefold(), folded, every):
                spans = [each.span() for each in pattern.finditer(block.text, begin, end)]
                yield block.offset, block.text, spans or [found.span()]
                done = block.offset + end


def may_hold(folded: str, terms: Iterable[str], every: bool) -> bool:
    """Whether the terms are there at all, all in folded case; this is twenty times as fast as telling where."""
    found = (term in folded for term in terms)
    return all(found) if every else any(found)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a text. It overlaps with its neighbours; hits are looked for from `first` to `last`."""

    offset: int
    text: str
    first: int
    last: int


def blocks(content: Content, most: int | None = None) -> Iterator[Block]:
    """Yield a text in blocks, up to about `most` bytes of it. Raises Damaged."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, text = 0, ""
    chunks = storage.chunks(content) if most is None else storage.stretch(content, 0, min(most, content.size_bytes))
    for chunk in chunks:
        text += decoder.decode(chunk)
        if len(text) > _BLOCK + _OVERLAP:
            # What begins before `last` is there to its end; the next block knows what stands before it.
            yield Block(offset, text, NEAR * bool(offset), len(text) - _OVERLAP + NEAR)
            offset, text = offset + len(text) - _OVERLAP, text[-_OVERLAP:]
    yield Block(offset, text, NEAR * bool(offset), len(text))
