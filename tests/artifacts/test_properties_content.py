"""Delivered text, whatever it is: stored whole, read back by any ranges, and named by its sha256."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import storage
from artifacts.models import INLINE_LIMIT, ArtifactVersion
from artifacts.selectors.artifacts import read, version_of
from artifacts.services.deliver import prepare_text
from artifacts.services.store import store_artifact
from orchestrator_site.kernel.errors import Invalid
from tasks.identity.actor import Actor
from tests.factories import make_artifact, make_project, make_session, make_task
from tests.properties import one_in, undone

pytestmark = pytest.mark.django_db

# Every character that has bytes: NUL, line ends of all kinds, combining marks and the astral planes among them.
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400)
CHARACTERS = st.sampled_from(["a", "é", "€", "𝄞", "\x00"])


def delivered(text: str) -> ArtifactVersion:
    """Store a text as a task's work and look it up again."""
    task = make_task(make_project())
    version = store_artifact(
        task=task, actor=Actor.assistant(make_session(task.project)), prepared=storage.prepare(text)
    )
    return version_of(version.artifact)


def read_by(version: ArtifactVersion, limits: list[int]) -> str:
    """Read a text from beginning to end by ranges of these sizes in turn."""
    parts: list[str] = []
    offset = 0
    for turn in range(100_000):
        found = read(version, offset=offset, limit=limits[turn % len(limits)])
        parts.append(found.text or "")
        if not found.has_more:
            break
        assert len(found.text or "") == limits[turn % len(limits)]
        offset = found.end
    return "".join(parts)


@given(TEXTS, st.lists(st.integers(1, 150), min_size=1, max_size=4))
def test_ranges_of_any_size_add_up_to_the_delivered_text(text: str, limits: list[int]) -> None:
    with undone():
        version = delivered(text)
        assert read_by(version, limits) == text
        assert version.content.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert version.content.size_chars == len(text)
        assert version.content.size_bytes == len(text.encode())


@given(CHARACTERS, st.integers(-5, 5))
def test_around_the_inline_limit_no_byte_is_lost(character: str, off_by: int) -> None:
    size = INLINE_LIMIT + off_by
    text = character * (size // len(character.encode()))
    text += "x" * (size - len(text.encode()))
    with undone():
        content = delivered(text).content
        assert content.size_bytes == size
        assert (content.data is None) == (size > INLINE_LIMIT)
        assert storage.text_of(content) == text
        assert storage.path_of(content.sha256).exists() == (size > INLINE_LIMIT)


@one_in(5)
@given(TEXTS, st.integers(2 * INLINE_LIMIT, 5 * INLINE_LIMIT), st.lists(st.integers(5000, 100_000), min_size=1))
def test_a_text_in_a_file_is_read_back_like_one_in_a_row(text: str, size: int, limits: list[int]) -> None:
    text = text * (size // len(text) + 1)
    with undone():
        assert read_by(delivered(text), limits) == text


@given(TEXTS, st.integers(-3, 500), st.integers(-1, 500))
def test_a_range_is_exact_or_refused(text: str, offset: int, limit: int) -> None:
    with undone():
        version = delivered(text)
        if 0 <= offset <= len(text) and limit >= 1:
            assert read(version, offset=offset, limit=limit).text == text[offset : offset + limit]
        else:
            with pytest.raises(Invalid):
                read(version, offset=offset, limit=limit)


@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_every_version_of_an_artifact_stays_readable(texts: list[str]) -> None:
    with undone():
        artifact = make_artifact(make_task(make_project()), *texts)
        assert [storage.text_of(version_of(artifact, n).content) for n in range(1, len(texts) + 1)] == texts


@given(TEXTS)
def test_the_same_bytes_are_stored_once(text: str) -> None:
    with undone():
        assert delivered(text).content.pk == delivered(text).content.pk


@given(st.text(max_size=20), st.characters(categories=["Cs"]), st.text(max_size=20))
def test_half_a_surrogate_pair_is_refused_before_anything_is_stored(before: str, half: str, after: str) -> None:
    with pytest.raises(Invalid, match="detailed_work"):
        prepare_text(before + half + after)


@given(st.text(alphabet=" \t\r\n\u00a0\u2003", max_size=10))
def test_an_artifact_of_blanks_alone_is_refused(blanks: str) -> None:
    with pytest.raises(Invalid, match="detailed_work"):
        prepare_text(blanks)


@given(TEXTS.filter(str.strip))
def test_any_other_text_is_an_artifact(text: str) -> None:
    assert prepare_text(text).sha256 == hashlib.sha256(text.encode()).hexdigest()
