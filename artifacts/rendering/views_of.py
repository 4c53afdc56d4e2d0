"""The views of a text, and their HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from django.utils.safestring import SafeString, mark_safe

from artifacts.models import Artifact, Content, Kind
from artifacts.rendering.sandbox import render

RENDERED_CHARACTERS = 256 * 1024
RENDERED_LINES = 10_000
"""Text beyond either is shown plainly, part by part."""
_MARKDOWN_NAME = re.compile(r"\.(?:md|markdown|mdx|qmd)$", re.IGNORECASE)
_HAS_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


class View(StrEnum):
    RENDERED = "rendered"
    SOURCE = "source"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Rendering:
    """Markdown as HTML that is safe in a page; `html` is None where it could not be made."""

    html: SafeString | None
    end: int
    """How many characters of the text it shows."""


def name_of(artifact: Artifact) -> str:
    """Return the name of its file; empty without a path."""
    paths = artifact.paths.all()
    return paths[0].path.rpartition("/")[2] if paths else ""


def views_of(name: str, kind: str, text: str) -> list[View]:
    """Return the views of a text, the best first; code without a name may be code within Markdown."""
    is_markdown = bool(_MARKDOWN_NAME.search(name) if name else kind != Kind.CODE or _HAS_FENCE.search(text))
    return [View.RENDERED, View.SOURCE, View.PLAIN] if is_markdown else [View.SOURCE, View.PLAIN]


def rendered(content: Content, text: str) -> Rendering:
    """Render the beginning of a Markdown content, given its text. Call it outside any transaction."""
    text = beginning(text)
    html = render((content.sha256, str(len(text))), "markdown", text=text)
    return Rendering(None if html is None else mark_safe(html), len(text))  # noqa: S308 -- it was cleaned


def beginning(text: str) -> str:
    """Return as much of a text as is rendered, in complete lines where there are any."""
    place = -1
    for _ in range(RENDERED_LINES):
        place = text.find("\n", place + 1, RENDERED_CHARACTERS)
        if place < 0:
            break
    if place >= 0:
        return text[: place + 1]
    if len(text) <= RENDERED_CHARACTERS:
        return text
    return text[: text.rfind("\n", 0, RENDERED_CHARACTERS) + 1 or RENDERED_CHARACTERS]
