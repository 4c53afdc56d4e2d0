"""What nothing names is swept away, and nothing else, whatever happens at the same moment."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from artifacts import storage
from artifacts.models import INLINE_LIMIT, Artifact, Content
from artifacts.services import sweep
from artifacts.services.sweep import remove_orphans, remove_row
from artifacts.storage.base import place_of
from artifacts.storage.local import Draft, LocalStore, drafts
from orchestrator_site.kernel.errors import Transient
from tests.factories import make_artifact, make_project, make_task

pytestmark = pytest.mark.django_db
WORK = "ab" * INLINE_LIMIT
DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def empty_store(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


def stored(text: str = WORK, *, days: float = 2) -> Path:
    """Store a work without naming it, some days ago."""
    return aged(storage.folder() / place_of(storage.prepare(text).stored_as), days=days)


def aged(path: Path, *, days: float = 2) -> Path:
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def named(text: str = WORK, *, days: float = 2) -> Content:
    """Name a work in a row, as a delivery some days ago did, whose artifact is gone."""
    content = storage.insert(storage.prepare(text))
    Content.objects.update(stored_at=timezone.now() - timedelta(days=days))
    if content.data is None:
        aged(storage.path_of(content.sha256), days=days)
    return content


def test_an_old_file_that_no_row_names_is_removed() -> None:
    path = stored()
    assert remove_orphans() == 1
    assert list(path.parent.iterdir()) == []
    assert remove_orphans() == 0


def test_a_young_one_is_kept_since_its_row_may_be_on_its_way() -> None:
    path = stored(days=0.9)
    assert remove_orphans() == 0
    assert path.exists()


def test_a_file_with_a_version_is_kept_however_old() -> None:
    artifact = make_artifact(make_task(make_project()), WORK)
    Content.objects.update(stored_at=timezone.now() - timedelta(days=400))
    aged(storage.path_of(Content.objects.get().sha256), days=400)
    assert remove_orphans() == 0
    assert storage.text_of(artifact.versions.get().content) == WORK


@pytest.mark.parametrize(("text", "things"), [(WORK, 2), ("Small", 1)])
def test_content_that_no_version_names_any_more_goes_with_its_bytes(text: str, things: int) -> None:
    artifact = make_artifact(make_task(make_project()), text)
    named(text)
    Artifact.objects.filter(pk=artifact.pk).delete()
    assert remove_orphans() == things
    assert not Content.objects.exists()
    assert [path for path in storage.folder().rglob("*") if path.is_file()] == []


def test_content_that_was_delivered_within_a_day_is_kept() -> None:
    content = named(days=0.9)
    assert remove_orphans() == 0
    assert storage.text_of(content) == WORK


def test_a_store_without_files_is_no_error() -> None:
    assert remove_orphans() == 0


def test_many_files_are_looked_up_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    kept = storage.insert(storage.prepare(f"kept {WORK}"))
    aged(storage.path_of(kept.sha256))
    for number in range(5):
        stored(f"{number} {WORK}")
    assert remove_orphans() == 5
    assert storage.path_of(kept.sha256).exists()


def test_old_drafts_go_and_what_is_not_ours_stays() -> None:
    path = stored()
    draft, young, theirs = drafts() / f"123.{'0' * 16}", drafts() / f"124.{'0' * 16}", path.with_name("notes.txt")
    for file in (draft, young, theirs):
        file.write_text("half")
    aged(draft)
    aged(theirs)
    assert remove_orphans() == 2
    assert list(path.parent.iterdir()) == [theirs]
    assert list(drafts().iterdir()) == [young]


def test_bytes_that_are_stored_again_during_the_sweep_are_there_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process stores them after the sweep has found that no row names them, and names them in one."""
    path, remove = stored(), Path.unlink

    def stored_in_the_meantime(self: Path, missing_ok: bool = False) -> None:
        if self == path:
            storage.insert(storage.prepare(WORK))
        remove(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", stored_in_the_meantime)
    assert remove_orphans() == 1
    assert storage.text_of(Content.objects.get()) == WORK


def test_a_row_that_is_found_by_a_delivery_is_not_removed_before_the_delivery_names_it() -> None:
    content = named()
    prepared = storage.prepare(WORK)
    assert prepared.stored_as == Content.objects.get().stored_as
    assert not remove_row(content.pk)
    assert remove_orphans() == 0
    assert storage.text_of(storage.insert(prepared)) == WORK


def test_a_row_that_is_removed_before_a_delivery_finds_it_is_made_again() -> None:
    before = named()
    assert remove_row(before.pk)
    after = storage.insert(storage.prepare(WORK))
    assert after.stored_as != before.stored_as
    assert remove_orphans() == 1
    assert storage.text_of(Content.objects.get()) == WORK


def test_a_row_whose_version_came_first_is_not_removed() -> None:
    content = named()
    make_artifact(make_task(make_project()), "Other").versions.update(content=content)
    assert not remove_row(content.pk)


def test_the_row_is_locked_where_the_database_can() -> None:
    with connection.execute_wrapper(lambda execute, sql, *rest: (statements.append(sql), execute(sql, *rest))[1]):
        statements: list[str] = []
        remove_row(named().pk)
    locking = [sql for sql in statements if "FOR UPDATE" in sql]
    assert len(locking) == connection.features.has_select_for_update


def test_a_draft_that_cannot_be_removed_now_hides_no_other_error() -> None:
    draft = Draft()
    draft.path.unlink()
    draft.path.mkdir()
    draft.discard()
    draft.path.rmdir()


def test_a_file_that_cannot_be_removed_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [stored(WORK + letter) for letter in "abc"]
    kept, remove = paths[1].name, LocalStore.remove

    def refusing(self: LocalStore, name: str) -> None:
        if name == kept:
            raise Transient("Operation not permitted")
        remove(self, name)

    monkeypatch.setattr(LocalStore, "remove", refusing)
    assert remove_orphans() == 2
    assert [path.exists() for path in paths] == [False, True, False]
