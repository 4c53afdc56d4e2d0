"""Colors that meet on pages can be told apart, in both themes: WCAG 2.2, 1.4.3 for text and 1.4.11 for shapes."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest
from django.conf import settings

SHEETS = settings.BASE_DIR / "orchestrator_site" / "web" / "static" / "orchestrator"
GROUNDS = ("bg", "surface", "raised", "sunken", "hover", "selected")
SOFT = ("accent-soft", "warn-soft", "good-soft", "bad-soft")
STATES = (
    "pending", "active", "in_review", "needs_revision", "blocked", "failed", "completed", "cancelled",
)  # fmt: skip
CODE = ("code-word", "code-text", "code-number", "code-comment", "code-name", "code-type")
TEXT, SHAPE = 4.5, 3.0
PAIRS = [
    *((over, ground, TEXT) for over, ground in product(("text", "text-2", "text-3"), GROUNDS)),
    *((over, ground, TEXT) for over, ground in product(("text", "text-2"), SOFT)),
    *((over, ground, TEXT) for over, ground in product(("accent", "danger"), GROUNDS)),
    *((over, ground, TEXT) for over, ground in product((*CODE, "text"), ("surface", "add", "add-2", "del", "del-2"))),
    *((state, ground, SHAPE) for state, ground in product(STATES, ("bg", "surface", "raised", "sunken", "hover"))),
    *(("control", ground, SHAPE) for ground in ("bg", "surface", "raised")),
    ("on-solid", "solid", TEXT),
    ("text", "mark", TEXT),
]


@cache
def tokens() -> dict[str, tuple[str, str]]:
    sheet = (SHEETS / "tokens.css").read_text()
    both = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", sheet)
    one = re.findall(r"--([\w-]+): (#\w{6});", sheet)
    return {name: (light, dark) for name, light, dark in both} | {name: (color, color) for name, color in one}


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    red, green, blue = (linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_tokens_has_the_contrast_of_its_use(theme: int) -> None:
    pairs = [
        (over, ground, contrast(tokens()[over][theme], tokens()[ground][theme]), least) for over, ground, least in PAIRS
    ]
    assert [pair for pair in pairs if pair[2] < pair[3]] == []


def test_initials_can_be_read_on_every_hue() -> None:
    hues = re.findall(r"\.h\d { --hue: (#\w{6}); }", (SHEETS / "site.css").read_text())
    assert len(hues) == 8
    assert [hue for hue in hues if contrast(hue, "#ffffff") < TEXT] == []


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
