"""Parts of a stored text for a page."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace

from artifacts import store
from artifacts.models import Content


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a text that one page shows."""

    text: str
    offset: int
    total: int
    size: int
    """How many characters a part has."""

    def shortened(self, size: int) -> Excerpt:
        """Return the beginning of this part, as a part of another size."""
        return replace(self, text=self.text[:size], size=size)

    @property
    def first(self) -> int:
        """The place of the first character shown, counted as people do."""
        return self.offset + 1

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.offset + len(self.text)

    @property
    def left(self) -> int:
        """How many characters follow."""
        return max(self.total - self.end, 0)

    @property
    def earlier(self) -> int:
        """Where the part before begins."""
        return max(self.offset - self.size, 0)


def excerpt_of(content: Content, offset: int, size: int) -> Excerpt:
    """Read a part of a text without holding the rest of it, checking the whole against its sha256.

    Raises Damaged.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts: list[str] = []
    position = 0
    for chunk in store.chunks(content):
        text = decoder.decode(chunk)
        parts.append(text[max(offset - position, 0) : max(offset + size - position, 0)])
        position += len(text)
    return Excerpt("".join(parts), min(offset, position), position, size)
