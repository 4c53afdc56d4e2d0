"""Template tags for templates: addresses, and the values of parameters in words."""

from __future__ import annotations

from django import template

from tasks.library.addresses import library_address
from tasks.library.selectors.pages import value_words

register = template.Library()
register.filter(value_words)


@register.simple_tag(takes_context=True)
def library_url(context: template.Context, page: str, *words: object) -> str:
    """Return the address of a page of the project that is shown, or of the site's templates."""
    return library_address(context.get("project"), page, *words)
