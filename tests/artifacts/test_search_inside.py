"""orchestrator_search with in_artifact: every place in one work of any size."""

from __future__ import annotations

from typing import Any

import pytest

from artifacts.search import inside
from tests.artifacts.test_search import deliver
from tests.assistants import Assistant

FAR = inside.NEAR * 2


def places(ada: Assistant, query: str, artifact: str, **more: Any) -> list[int]:
    """Return the offsets of all hits, page by page."""
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = ada.call("search", query=query, in_artifact=artifact, **more, **cursor)
        found += [hit["offset"] for hit in answer.get("hits", [])]
        if "cursor" not in answer:
            return found
        cursor = {"cursor": answer["cursor"]}


def test_every_place_is_reported_once_in_the_order_of_the_artifact(ada: Assistant) -> None:
    artifact = deliver(ada, ("x" * FAR + " needle ") * 40)
    found = places(ada, "needle", artifact)
    assert found == sorted(set(found))
    assert len(found) == 40


@pytest.mark.parametrize("size", [1_000, 300_000, 3_000_000])
def test_an_artifact_of_any_size_is_looked_through_to_its_end(ada: Assistant, size: int) -> None:
    filler = "Grüße 漢字 🎉\r\n"
    artifact = deliver(ada, filler * (size // len(filler)) + "the very last needle")
    (offset,) = places(ada, "LAST needle", artifact)
    read = ada.call("read_artifact", artifact_id=artifact, offset=offset)["text"]
    assert read.endswith("the very last needle")
    assert len(read) < 100


@pytest.mark.parametrize("shift", range(0, 30_000, 1_777))
def test_no_place_is_lost_between_the_blocks(ada: Assistant, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_BLOCK", 5_000)
    artifact = deliver(ada, "." * shift + " a needle " + "." * FAR + " a needle " + "." * 70_000)
    assert len(places(ada, "needle a", artifact)) == 2


def test_terms_count_where_they_are_near_to_each_other(ada: Assistant) -> None:
    text = "cat " + "." * FAR + " dog " + "." * FAR + " a cat and a dog"
    (offset,) = places(ada, "cat dog", deliver(ada, text))
    assert text[offset:].startswith("a cat and a dog") or "a cat and a dog" in text[offset:]
    assert len(text) - offset < 100


def test_where_no_place_has_all_terms_some_are_reported(ada: Assistant) -> None:
    artifact = deliver(ada, "a cat " + "." * FAR + " a dog")
    answer = ada.call("search", query="cat dog", in_artifact=artifact)
    assert (answer["total"], bool(answer["next"])) == (2, True)


def test_signs_and_parts_of_words_are_found_as_they_are_written(ada: Assistant) -> None:
    artifact = deliver(ada, "def f(x): return x->y  # 漢字列 🎉")
    for query in ("->", "x):", "字", "🎉", '"return x->y"', "ETUR"):
        assert len(places(ada, query, artifact)) == 1, query


def test_counting_ends_somewhere_and_says_so(ada: Assistant) -> None:
    artifact = deliver(ada, "e" * inside.NEAR * (inside.TOTAL_LIMIT + 100))
    answer = ada.call("search", query="e", in_artifact=artifact, limit=1)
    assert (answer["total"], answer["total_is_least"]) == (inside.TOTAL_LIMIT, True)


def test_answers_are_small(ada: Assistant) -> None:
    artifact = deliver(ada, ("漢" * FAR + " needle ") * 40)
    outcome = ada.send("search", query="needle", in_artifact=artifact, limit=50)
    assert len(outcome.text.encode()) < 2000
    assert outcome.payload["total"] == 40


def test_it_goes_without_other_filters(ada: Assistant) -> None:
    artifact = deliver(ada, "needle")
    assert ada.refused("search", query="needle", in_artifact=artifact, kinds=["code"])["code"] == "invalid"


@pytest.mark.parametrize("place", ["9e999", "-9e999"])
def test_a_cursor_that_names_no_place_is_refused(ada: Assistant, place: str) -> None:
    artifact = deliver(ada, f"needle{'.' * 3000}needle")
    first = ada.call("search", query="needle", in_artifact=artifact, limit=1)["cursor"]
    every, question, _, owner = first.split(":")
    made_up = f"{every}:{question}:{place}:{owner}"
    assert ada.refused("search", query="needle", in_artifact=artifact, cursor=made_up)["code"] == "invalid"
