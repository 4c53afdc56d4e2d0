"""The texts that people and assistants write, as safe HTML."""

from __future__ import annotations

from time import monotonic
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe

from artifacts.rendering.sandbox import render

register = template.Library()

SHOWN_TEXT = 20_000
PAGE_SECONDS = 2.0
"""How long a page renders texts; those that are left are shown plainly, until what took long is in the cache."""
_LARGEST = 10 * SHOWN_TEXT
_SPENT = "prose.seconds"


@register.inclusion_tag("_text.html", takes_context=True)
def long_text(context: template.Context, text: str) -> dict[str, Any]:
    """Show a Markdown text, truncated if very long."""
    shown, is_cut = text[:SHOWN_TEXT], len(text) > SHOWN_TEXT
    html = _html(context["request"], shown)
    return {"html": html, "text": shown, "shown": SHOWN_TEXT, "whole": len(text), "is_cut": is_cut}


def _html(request: HttpRequest, text: str) -> SafeString | None:
    spent, begun = request.META.get(_SPENT, 0.0), monotonic()
    if spent > PAGE_SECONDS:
        return None
    html = render((text,), "markdown", cache="default", text=text, has_ids=False, most=_LARGEST)
    request.META[_SPENT] = spent + monotonic() - begun
    return None if html is None else mark_safe(html)  # noqa: S308 -- it was cleaned
