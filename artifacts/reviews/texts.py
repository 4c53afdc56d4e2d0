"""The difference between two texts that are no artifacts, as rows of a page."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from artifacts.models import Content
from artifacts.rendering.difference import Difference, difference, lines_of
from artifacts.reviews.rows import DiffRows, DisplayRow, RowRenderer

ROWS = 3_000
LAYOUTS = {"unified": "Unified", "split": "Split"}


@dataclass(frozen=True, slots=True)
class Comparison:
    difference: Difference
    rows: list[DisplayRow]
    layout: str
    layouts: dict[str, str]


def compared(old: str, new: str, *, name: str, layout: str) -> Comparison:
    """Compare two texts; `name` is that of the new one in ids of the page. Call it outside any transaction."""
    layout = layout if layout in LAYOUTS else "unified"
    found = difference(_content(old), _content(new), old, new)
    shown = DiffRows(RowRenderer(name), layout == "split", lines_of(new), [])
    return Comparison(found, [row for row in islice(shown.of(found), ROWS) if not row.hidden], layout, LAYOUTS)


def _content(text: str) -> Content:
    """Name a text for the cache of differences."""
    return Content(sha256=sha256(text.encode()).hexdigest())
