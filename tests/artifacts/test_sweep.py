"""Files that no row names are swept away, and no others, whatever happens at the same moment."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from artifacts import store
from artifacts.models import INLINE_LIMIT
from artifacts.services import sweep
from artifacts.services.sweep import remove_orphans

pytestmark = pytest.mark.django_db
WORK = "ab" * INLINE_LIMIT
DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def empty_store(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


def stored(text: str = WORK, *, days: float = 2) -> Path:
    """Store a work without naming it, some days ago."""
    path = store.path_of(store.prepare(text).sha256)
    return aged(path, days=days)


def aged(path: Path, *, days: float = 2) -> Path:
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_an_old_file_that_no_row_names_is_removed() -> None:
    path = stored()
    assert remove_orphans() == 1
    assert list(path.parent.iterdir()) == []
    assert remove_orphans() == 0


def test_a_young_one_is_kept_since_its_row_may_be_on_its_way() -> None:
    path = stored(days=0.9)
    assert remove_orphans() == 0
    assert path.exists()


def test_a_file_with_a_row_is_kept_however_old() -> None:
    content = store.insert(store.prepare(WORK))
    aged(store.path_of(content.sha256), days=400)
    assert remove_orphans() == 0
    assert store.text_of(content) == WORK


def test_a_store_without_files_is_no_error() -> None:
    assert remove_orphans() == 0


def test_many_files_are_looked_up_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BATCH", 2)
    kept = store.insert(store.prepare(f"kept {WORK}"))
    aged(store.path_of(kept.sha256))
    for number in range(5):
        stored(f"{number} {WORK}")
    assert remove_orphans() == 5
    assert store.path_of(kept.sha256).exists()


def test_old_drafts_go_and_what_is_not_ours_stays() -> None:
    path = stored()
    draft = path.with_name(f".{path.name}.123.0123abcd")
    theirs = path.with_name("notes.txt")
    for file in (draft, theirs):
        file.write_text("half")
        aged(file)
    assert remove_orphans() == 2
    assert list(path.parent.iterdir()) == [theirs]


def test_storing_the_same_bytes_again_makes_an_old_file_new() -> None:
    path = stored()
    prepared = store.prepare(WORK)
    assert remove_orphans() == 0
    assert store.text_of(store.insert(prepared)) == WORK
    assert path.exists()


def test_bytes_that_are_stored_again_during_the_sweep_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process finds the file after the sweep has looked at it, and before it is put aside."""
    path, look = stored(), Path.rename

    def stored_meanwhile(self: Path, target: Path) -> Path:
        assert store.prepare(WORK).sha256 == path.name
        return look(self, target)

    monkeypatch.setattr(Path, "rename", stored_meanwhile)
    assert remove_orphans() == 0
    assert list(path.parent.iterdir()) == [path]


def test_bytes_that_are_stored_again_while_the_file_is_aside_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    path, look = stored(), Path.rename

    def stored_afterwards(self: Path, target: Path) -> Path:
        moved = look(self, target)
        store.insert(store.prepare(WORK))
        return moved

    monkeypatch.setattr(Path, "rename", stored_afterwards)
    assert remove_orphans() == 0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("named", [True, False])
def test_what_a_killed_sweep_put_aside_is_put_back_or_removed(named: bool) -> None:
    path = stored()
    if named:
        store.insert(store.prepare(WORK))
        aged(path)
    path.rename(path.with_name(f".{path.name}.aside"))
    assert remove_orphans() == (0 if named else 1)
    assert list(path.parent.iterdir()) == ([path] if named else [])
