"""The source view of an artifact: parts, selected lines, and search results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from artifacts.models import Content
from artifacts.rendering.parts import PARTS_PER_PAGE, coloured, count_parts, part_at, part_of_line, parts_of
from artifacts.search.inside import TOTAL_LIMIT, find_lines
from artifacts.search.query_parser import terms_of
from orchestrator_site.web.pages import number_in, text_in
from orchestrator_site.web.templatetags.formats import turns_text

LAST_NUMBER = 2**31 - 1
PLACES = {"part", "line", "offset"}  # query parameters that select a position in the source
WRAPPED_LINE = 400  # a line longer than this turns on wrapping
MARKED_LINES = 2_000
HITS_PER_PAGE = 20
SEARCHED_BYTES = 64 * 1024 * 1024  # how much of an artifact is searched for one page
LINES = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pages:
    number: int
    count: int

    @property
    def earlier(self) -> int:
        return (self.number - 2) * PARTS_PER_PAGE + 1

    @property
    def later(self) -> int:
        return self.number * PARTS_PER_PAGE + 1

    @property
    def last(self) -> int:
        return (self.count - 1) * PARTS_PER_PAGE + 1


def source_parts(request: HttpRequest, content: Content, name: str) -> dict[str, Any]:
    """Return the parts of one page; one of them is highlighted already, the others load on demand."""
    here = lines_in(request)
    number = _asked_part(request, content, here)
    page = (number - 1) // PARTS_PER_PAGE
    parts = parts_of(content, page * PARTS_PER_PAGE + 1, PARTS_PER_PAGE)
    chosen = parts[(number - 1) % PARTS_PER_PAGE]
    longest = max(part.longest for part in parts)
    return {
        "parts": parts,
        "part": chosen,
        "coloured": coloured(content, chosen, name, here),
        "here": here,
        "pages": Pages(page + 1, -(-count_parts(content) // PARTS_PER_PAGE)),
        "count": count_parts(content),
        "is_wrapped": {"yes": True, "no": False}.get(request.GET.get("wrap", ""), longest > WRAPPED_LINE),
        "turns_text": any(turns_text(part.text) for part in parts),
    }


def fragment(request: HttpRequest, content: Content, name: str) -> str:
    number = _asked_part(request, content, None)
    (part,) = parts_of(content, number)
    shown = coloured(content, part, name, lines_in(request))
    return render_to_string("artifacts/_part.html", {"coloured": shown})


def lines_in(request: HttpRequest) -> tuple[int, int] | None:
    found = LINES.fullmatch(request.GET.get("line", ""))
    if found is None:
        return None
    first = max(int(found[1]), 1)
    return first, min(max(int(found[2] or first), first), first + MARKED_LINES - 1)


def found_inside(request: HttpRequest, content: Content) -> dict[str, Any]:
    query = text_in(request, "find")
    if not query:
        return {}
    after = number_in(request, "after", least=0, most=LAST_NUMBER) if "after" in request.GET else -1
    terms = terms_of(query)
    found = every = find_lines(content, terms, every=True, after=after, limit=HITS_PER_PAGE, most=SEARCHED_BYTES)
    if not every.total and len(terms) > 1:
        found = find_lines(content, terms, every=False, after=after, limit=HITS_PER_PAGE, most=SEARCHED_BYTES)
    return {
        "find": query,
        "found": found,
        "is_apart": found is not every,
        "most_hits": TOTAL_LIMIT,
        "searched": SEARCHED_BYTES if content.size_bytes > SEARCHED_BYTES else None,
    }


def hit_url(request: HttpRequest, content: Content) -> str | None:
    """Return the URL of the first line that holds what is looked for."""
    found = found_inside(request, content).get("found") if content.size_chars else None
    if not found or not found.lines:
        return None
    hit, query = found.lines[0], request.GET.copy()
    query["view"] = "source"
    query["line" if hit.is_near else "offset"] = str(hit.number if hit.is_near else hit.offset)
    return f"{request.path}?{query.urlencode()}{f'#L{hit.number}' if hit.is_near else ''}"


def _asked_part(request: HttpRequest, content: Content, here: tuple[int, int] | None) -> int:
    if "offset" in request.GET:
        return part_at(content, number_in(request, "offset", least=0, most=LAST_NUMBER))
    if here:
        return part_of_line(content, here[0])
    return min(number_in(request, "part", least=1, most=LAST_NUMBER), count_parts(content))
