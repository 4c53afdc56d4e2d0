"""Charts as SVG: bars by day, a line, and the range from a median to a 90th percentile. A table says the same."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 100, 24
_GAP = 0.2
"""The share of a bar's place that stays free."""


def bars(title: str, days: Sequence[tuple[str, float]]) -> SafeString:
    """Draw a bar for each day, the highest as high as the chart."""
    most, place = max((value for _, value in days), default=0) or 1, WIDTH / (len(days) or 1)
    drawn = (
        (f"{place * at:.2f}", f"{HEIGHT - HEIGHT * value / most:.2f}", f"{place * (1 - _GAP):.2f}",
         f"{HEIGHT * value / most:.2f}", f"{day}: {value:,g}")
        for at, (day, value) in enumerate(days)
    )  # fmt: skip
    rect = '<rect class="completed" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
    return _svg("days", title, f"The most on a day: {most:,g}.", format_html_join("", rect, drawn))


def line(title: str, values: Sequence[float]) -> SafeString:
    """Draw values in order, from the least at the bottom to the greatest at the top; one value is no line."""
    if len(values) < 2:
        return SafeString("")
    least, most = min(values), max(values)
    step, height = WIDTH / (len(values) - 1), HEIGHT - 4
    points = [
        f"{step * at:.2f},{HEIGHT - 2 - height * (value - least) / ((most - least) or 1):.2f}"
        for at, value in enumerate(values)
    ]
    return _svg("spark", title, "", format_html('<polyline points="{}"/>', " ".join(points)))


def reach(title: str, value: float, high: float, most: float) -> SafeString:
    """Draw how far a 90th percentile reaches beyond a median; `most` is the greatest of the rows beside it."""
    scale = WIDTH / (most or 1)
    middle, end = f"{min(value, most) * scale:.2f}", f"{min(high, most) * scale:.2f}"
    drawn = '<rect class="pending" width="{}" height="24"/><rect class="active" width="{}" height="24"/>'
    return _svg("bar", title, "", format_html(drawn, end, middle))


def _svg(kind: str, title: str, about: str, drawn: SafeString) -> SafeString:
    desc = format_html("<desc>{}</desc>", about) if about else ""
    return format_html(
        '<svg class="{0}" role="img" aria-label="{1}" viewBox="0 0 {2} {3}" preserveAspectRatio="none">'
        "<title>{1}</title>{4}{5}</svg>",
        kind, title, WIDTH, HEIGHT, desc, drawn,
    )  # fmt: skip
