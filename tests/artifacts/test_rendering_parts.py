"""A text in parts: every character and line is in exactly one of them, and any of them is found without the others."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import storage
from artifacts.models import Content
from artifacts.rendering import parts, sandbox
from artifacts.rendering.lines import marked, numbered, plain_lines, visible
from artifacts.rendering.parts import Part, coloured, count_parts, part_at, part_of_line, parts_of
from artifacts.storage import slices

pytestmark = pytest.mark.django_db
CODE = "".join(f"def f{number}():\n    return '{number}'\n\n\n" for number in range(8_000))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts so small that a short text has many."""
    monkeypatch.setattr(parts, "PART_CHARACTERS", 20)
    monkeypatch.setattr(parts, "SLACK", 8)


def stored(text: str) -> Content:
    return storage.insert(storage.prepare(text))


def everything(content: Content) -> list[Part]:
    return parts_of(content, 1, count_parts(content))


class _Words(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.words += data


@settings(max_examples=60)
@given(st.text(st.sampled_from("ab\n\r é😀}"), min_size=1, max_size=200))
def test_parts_hold_every_character_and_line_once(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_CHARACTERS", 20)
        patch.setattr(parts, "SLACK", 8)
        content = stored(text)
        whole = everything(content)
        assert "".join(part.text for part in whole) == text
        assert [part.number for part in whole] == list(range(1, count_parts(content) + 1))
        for part in whole:
            assert parts_of(content, part.number) == [part]
            assert part.first == text.count("\n", 0, part.begin) + 1
            assert part.goes_on == (part.begin > 0 and text[part.begin - 1] != "\n")
            assert part_at(content, part.begin) == part_at(content, part.end - 1) == part.number


def test_a_line_is_found_in_the_part_that_it_begins_in() -> None:
    content = stored(CODE)
    whole = everything(content)
    assert len(whole) > 4 and all(not part.goes_on for part in whole)
    for line in (1, 2, whole[1].first - 1, whole[1].first, whole[2].last, 32_000):
        (part,) = [part for part in whole if part.first <= line <= part.last]
        assert part_of_line(content, line) == part.number
    assert part_of_line(content, 10**9) == part_at(content, 10**9) == len(whole)


def test_code_is_cut_after_a_blank_line() -> None:
    for part in everything(stored(CODE))[1:]:
        assert part.text.startswith("def ")


def test_a_line_without_end_goes_on_from_part_to_part(small: None) -> None:
    first, second, third = everything(stored("x" * 50))
    assert (first.goes_on, second.goes_on, third.goes_on) == (False, True, True)
    assert (first.first, second.first, third.first) == (1, 1, 1)
    content = stored("x" * 50)
    assert 'id="L1"' in coloured(content, first, "a.py").html and "id=" not in coloured(content, second, "a.py").html


def test_numbers_of_lines_go_on() -> None:
    content = stored(CODE)
    second = parts_of(content, 2)[0]
    html = coloured(content, second, "a.py").html
    numbers = [int(number) for number in re.findall(r'id="L(\d+)"', html)]
    assert numbers == list(range(second.first, second.last + 1))
    assert '<span class="k">def</span>' in html


def test_a_later_part_is_coloured_by_how_the_text_begins() -> None:
    content = stored("#!/usr/bin/env python3\n" + CODE)
    assert '<span class="k">def</span>' in coloured(content, parts_of(content, 2)[0], "").html


def test_lines_before_a_place_are_counted_in_the_frames_before_it() -> None:
    text = "ü\n" * 300_000
    content = stored(text)
    for offset in (0, 1, 2, 131_072, 262_145, len(text)):
        assert slices.ends_before(content, offset) == text.count("\n", 0, offset)


def test_what_cannot_be_coloured_in_time_has_its_lines_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_workers", sandbox.two_workers())
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    content = stored("<b>\nx\n")
    shown = coloured(content, parts_of(content, 1)[0], "a.py")
    assert "in the time" in shown.why_plain and "&lt;b&gt;" in shown.html and 'id="L2"' in shown.html


def test_endless_lines_and_endless_many_lines_never_reach_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox._Worker, "run", lambda worker, task: pytest.fail("it was coloured"))
    for text, why in (("x" * 200_000, "no colours"), ("\n" * 200_000, "neither colours nor numbers")):
        content = stored(text)
        shown = coloured(content, parts_of(content, 1)[0], "a.py")
        assert why in shown.why_plain and len(shown.html) < 50_000


@given(st.text(max_size=60))
def test_plain_lines_show_every_character_and_no_markup(text: str) -> None:
    assert _Words(plain_lines(text)).words.removesuffix("\n") == visible(text).removesuffix("\n")


def test_only_lines_that_are_ours_are_marked() -> None:
    html = marked(numbered("&lt;span id=&quot;L1&quot;&gt;\nb\nc"), 2, 9)
    assert re.findall(r'id="L(\d)"( class="here")?', html) == [
        ("1", ""),
        ("2", ' class="here"'),
        ("3", ' class="here"'),
    ]
