"""Parts of a stored text for a page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from artifacts.models import Content
from artifacts.storage import slices


@dataclass(frozen=True, slots=True)
class Excerpt:
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
        return self.offset + len(self.text)

    @property
    def left(self) -> int:
        return max(self.total - self.end, 0)

    @property
    def earlier(self) -> int:
        return max(self.offset - self.size, 0)


def excerpt_of(content: Content, offset: int, size: int) -> Excerpt:
    """Read a part of a text without what is before it; one that begins after the end is empty. Raises Damaged."""
    total = content.size_chars or 0
    offset = min(offset, total)
    return Excerpt(slices.characters(content, offset, size), offset, total, size)
