"""The components of pages that are more than a class: icons, avatars."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_HUES = 8
_SPECIALISTS = {
    "architect": "drafting-compass",  # icon: drafting-compass
    "implementer": "code-xml",  # icon: code-xml
    "debugger": "bug",  # icon: bug
    "documenter": "book-open",  # icon: book-open
    "reviewer": "glasses",  # icon: glasses
    "tester": "flask-conical",  # icon: flask-conical
    "researcher": "microscope",  # icon: microscope
}
_OWN_SPECIALIST = "user-cog"  # icon: user-cog


@register.simple_tag
def icon(name: str, label: str = "", kind: str = "i") -> SafeString:
    """Draw an icon of the sprite: `i` for Lucide's, `g` for our shapes; decorative without a label."""
    if not label:
        return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', kind, _sprite(), name)
    drawn = '<svg class="{}" role="img" aria-label="{}"><title>{}</title><use href="{}#{}"/></svg>'
    return format_html(drawn, kind, label, label, _sprite(), name)


@register.simple_tag
def specialist_icon(name: str) -> SafeString:
    return icon(_SPECIALISTS.get(name, _OWN_SPECIALIST), f"Specialist: {name}")


@register.simple_tag
def priority_icon(word: str) -> SafeString:
    return icon(word.lower(), f"{word.capitalize()} priority", "g")


@register.filter
def hue(name: str) -> str:
    """Return the class of the color that a name always has."""
    return f"h{sha256(name.encode()).digest()[0] % _HUES}"


@register.simple_tag
def avatar(name: str, assistant: str = "", size: str = "") -> SafeString:
    """Draw who acted: an assistant as a square, a person as a circle; `size` is `l` for large.

    The hue follows from the name. The tooltip names the assistant first, and for whom it acted.
    """
    shown = assistant or name
    title = f"{assistant}, for {name}" if assistant and name else shown
    classes = " ".join(filter(None, ["avatar", hue(shown), "bot" if assistant else "", size]))
    return format_html('<abbr class="{}" title="{}">{}</abbr>', classes, title, _initials(shown))


def _initials(name: str) -> str:
    parts = [part for part in "".join(c if c.isalnum() else " " for c in name).split() if part]
    letters = parts[0][0] + parts[1][0] if len(parts) > 1 else name.strip()[:2]
    return letters.upper()


@cache
def _sprite() -> str:
    return static("orchestrator/icons.svg")
