"""Cursors of searches: where a page ended, tied to its query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from zlib import crc32

from artifacts.search.engines import Place
from orchestrator_site.kernel.errors import Invalid

_FORM = re.compile(r"(all|any):([0-9a-f]{8}):(-?\d{1,20}(?:\.\d{1,20})?(?:e-?\d{1,3})?):(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last hit of a page, and whether the page was of hits with every term or with any."""

    every: bool
    place: Place


def written(question: str, every: bool, place: Place) -> str:
    return f"{'all' if every else 'any'}:{_sum(question)}:{place.rank!r}:{place.owner}"


def read(text: str | None, question: str) -> Cursor | None:
    """Read a cursor that a caller sent. Raises Invalid, also for one of another query."""
    if text is None:
        return None
    form = _FORM.fullmatch(text)
    if form is None or form[2] != _sum(question) or not isfinite(float(form[3])):
        raise Invalid(
            "cursor: not a cursor of this search.", next="Send a cursor that the same search returned, or none."
        )
    return Cursor(form[1] == "all", Place(float(form[3]), int(form[4])))


def _sum(question: str) -> str:
    return f"{crc32(question.encode()):08x}"
