"""Properties of search: what any text may be, and what is always found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from artifacts import storage
from artifacts.models import Artifact
from artifacts.search import documents
from artifacts.search.service import search, search_inside
from artifacts.search.snippets import snippet_of, spans_of
from artifacts.services.store import store_artifact
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.text import unstorable
from tasks.identity.actor import Actor
from tests.factories import make_project, make_session, make_task
from tests.properties import one_in, undone

pytestmark = pytest.mark.django_db

SIGNS = some.text(alphabet="\"'*^:(){}[]-+&|!<>~@,.;%_\\/ \n\tabANDORNOTEAR1é漢😀\u200d\u202e\x01\x02\x03", max_size=60)
WORDS = some.lists(some.text(alphabet="abcdefghiklmnoprstu0123456789", min_size=1, max_size=12), min_size=1, max_size=8)


def delivered(text: str) -> Artifact:
    """Store a text as a task's work."""
    task = make_task(make_project())
    actor = Actor.assistant(make_session(task.project))
    return store_artifact(task=task, actor=actor, prepared=storage.prepare(text)).artifact


@given(SIGNS | some.text(max_size=200))
def test_any_text_finds_something_or_nothing_and_never_breaks(query: str) -> None:
    with undone():
        artifact = delivered("Some work 'with' \"signs\" and a* (b) 漢字 😀.")
        for ask in (lambda: search(query, project=artifact.project), lambda: search_inside(query, artifact)):
            try:
                assert ask().total >= 0
            except Invalid:
                assert not query.strip() or unstorable(query)


@one_in(2)
@given(WORDS)
def test_every_word_of_an_artifact_finds_it(words: list[str]) -> None:
    with undone():
        artifact = delivered("-".join(words))
        for query in (*words, " ".join(words), "-".join(words), f'"{" ".join(words)}"', f"{words[0]}*"):
            hits = search(query, project=artifact.project).hits
            assert artifact in [hit.artifact for hit in hits], query


@given(text=some.text(max_size=300).map(lambda text: text * 200), size=some.integers(1, 70_000))
def test_pieces_are_the_text_each_at_its_offset(text: str, size: int) -> None:
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    pieces = list(documents.cut(chunks))
    assert "".join(piece for _, _, piece in pieces) == text
    assert [part for part, _, _ in pieces] == list(range(1, len(pieces) + 1))
    assert all(text[offset : offset + len(piece)] == piece for _, offset, piece in pieces)
    assert all(len(piece) <= documents.PIECE for _, _, piece in pieces)


def test_a_text_is_indexed_up_to_its_limit() -> None:
    pieces = list(documents.cut(["x" * 3_000_000]))
    assert len(pieces) == documents.PIECES < documents.PARTS
    assert sum(len(piece) for _, _, piece in pieces) == documents.PIECES * documents.PIECE


@given(parts=some.lists(some.tuples(some.text(alphabet="ab \n🎉", max_size=80), some.booleans()), max_size=20))
def test_a_snippet_shows_what_is_there_from_its_offset_on(parts: list[tuple[str, bool]]) -> None:
    marked = "".join(f"\x02{text}\x03" if is_hit and text else text for text, is_hit in parts)
    body = "".join(text for text, _ in parts)
    spans = spans_of(marked, "\x02", "\x03")
    assert [body[begin:end] for begin, end in spans] == [text for text, is_hit in parts if is_hit and text]
    snippet = snippet_of(body, spans)
    shown = snippet.text.removeprefix("…").removesuffix("…")
    assert " ".join(body[snippet.offset :].split()).startswith(" ".join(shown.split())[:-1])
    assert any(is_hit for _, is_hit in snippet.pieces) == bool(spans)


def test_a_snippet_ends_between_words_unless_there_is_no_place_between_them() -> None:
    body = "x " * 70 + "payment payment payment payment payment"
    assert snippet_of(body, [(0, 1)]).text.endswith(" payment\u2026")
    assert len(snippet_of("x" * 1_000, [(0, 1_000)]).text) > 100
