"""Template tags for templates: addresses, and the values of parameters in words."""

from __future__ import annotations

from typing import Any

from django import template

from orchestrator_site.kernel.text import shortened
from tasks.library.addresses import library_address

register = template.Library()
SHOWN_VALUE = 300


@register.simple_tag(takes_context=True)
def library_url(context: template.Context, page: str, *words: object) -> str:
    """Return the address of a page of the project that is shown, or of the site's templates."""
    return library_address(context.get("project"), page, *words)


@register.filter
def value_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shortened(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value), SHOWN_VALUE)
