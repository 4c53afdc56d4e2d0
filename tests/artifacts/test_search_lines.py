"""Words found in the lines of one work, as its page asks for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts import storage
from artifacts.search import inside
from artifacts.search.inside import Matches, find_lines
from artifacts.search.query_parser import terms_of

pytestmark = pytest.mark.django_db
MOST = 64 * 1024 * 1024


def found(text: str, query: str, **more: int | bool) -> Matches:
    facts: dict[str, int | bool] = {"every": True, "after": -1, "limit": 100, "most": MOST, **more}
    return find_lines(storage.insert(storage.prepare(text)), terms_of(query), **facts)  # type: ignore[arg-type]


def test_lines_are_reported_with_their_numbers_and_marks() -> None:
    text = "def save(self):\n    pass\n\ndef load(self):\n    self.save()\n"
    hits = found(text, "SAVE").lines
    assert [(hit.number, hit.offset, hit.is_near) for hit in hits] == [(1, 4, True), (5, text.rindex("save"), True)]
    assert hits[0].snippet.pieces == (("def ", False), ("save", True), ("(self):", False))
    assert [hit.number for hit in found(text, "def save").lines] == [1]
    assert [hit.number for hit in found(text, "load pass", every=False).lines] == [2, 4]
    assert found(text, "load pass").total == 0


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["needle", "hay", "", "x" * 3_000, "a needle and a needle"]), max_size=400))
def test_every_line_is_found_once_whatever_is_around_it(rows: list[str]) -> None:
    text = "\n".join(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artifacts.search.inside._BLOCK", 20_000)
        hits = found(text, "needle", limit=1_000).lines
    assert [hit.number for hit in hits] == [number for number, row in enumerate(rows, 1) if "needle" in row]


def test_pages_of_hits_follow_each_other_and_the_total_stays() -> None:
    text = "".join(f"hit {number}\n" for number in range(250))
    numbers, after = [], -1
    while after is not None:
        page = found(text, "hit", limit=100, after=after)
        assert page.total == 250
        numbers += [hit.number for hit in page.lines]
        after = page.following
    assert numbers == list(range(1, 251))


def test_counting_ends_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "TOTAL_LIMIT", 50)
    page = found("hit\n" * 500, "hit", limit=20)
    assert (page.total, page.is_counted, len(page.lines), page.has_more) == (50, False, 20, True)


def test_an_endless_line_has_a_hit_for_each_place() -> None:
    text = "x" * 5_000 + "needle" + "x" * 5_000 + "needle" + "x" * 5_000
    assert [(hit.number, hit.offset, hit.is_near) for hit in found(text, "needle").lines] == [
        (1, 5_000, False), (1, 10_006, False),
    ]  # fmt: skip


def test_no_more_is_looked_through_than_is_said() -> None:
    text = "hay\n" * 300_000 + "needle\n"
    assert found(text, "needle").total == 1 and found(text, "needle", most=1_000_000).total == 0


def test_blanks_in_quotes_are_no_word_that_is_everywhere() -> None:
    assert found("a\nb\n", '"  "').total == 0
    assert [hit.number for hit in found('hay\na "needle"\n', 'needle " "').lines] == [2]
    assert [hit.text for hit in terms_of('" two words"')] == ["two words"]
