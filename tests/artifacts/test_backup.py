"""`manage.py backup`: a copy of a running site that is whole, and lacks nothing that was acknowledged before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from pytest_django import Settings

from artifacts import storage
from artifacts.services.backup import DATABASE, back_up
from artifacts.services.verify import verify
from artifacts.storage import staging
from orchestrator_site.kernel.errors import Conflict, Invalid
from tests.assistants import Assistant
from tests.factories import make_artifact, make_project, make_task

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="copies SQLite"),
]
WRITERS = 3


@pytest.fixture(autouse=True)
def home(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path / "home"


@contextmanager
def writing(ada: Assistant) -> Iterator[list[str]]:
    """Let threads complete tasks with long work, and note what was acknowledged."""
    over, done = Event(), list[str]()

    def write() -> None:
        assistant = Assistant(ada.folder)
        assistant.call("initialize_session")
        while not over.is_set():
            task = assistant.plan("A")["A"]
            assistant.complete(task, detailed_work=f"{uuid4()}\n" * 3000)
            done.append(task)
        connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(write) for _ in range(WRITERS)]
        try:
            yield done
        finally:
            over.set()
        for future in futures:
            future.result()


def completed_in(copy: Path) -> set[str]:
    with closing(sqlite3.connect(copy / DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {key for (key,) in database.execute("SELECT public_id FROM tasks_task WHERE status = 'completed'")}


def test_a_copy_under_writers_is_whole_and_has_what_was_acknowledged(ada: Assistant, tmp_path: Path) -> None:
    with writing(ada) as done:
        for number in range(4):
            before = set(done)
            made = back_up(to=tmp_path / str(number))
            assert (made.problems, before - completed_in(tmp_path / str(number))) == ([], set())
    assert done


def test_open_uploads_go_on_in_the_copy(ada: Assistant, tmp_path: Path) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    upload = ada.call("store_artifact", action="begin", task_id=task)["upload_id"]
    ada.call("store_artifact", action="append", upload_id=upload, offset=0, text="The work")
    back_up(to=tmp_path / "copy")
    assert (tmp_path / "copy" / "staging" / upload).read_bytes() == b"The work"
    staging.path_of(upload).unlink()
    back_up(to=tmp_path / "second")
    with closing(sqlite3.connect(tmp_path / "second" / DATABASE)) as database:
        assert database.execute("SELECT state FROM artifacts_upload").fetchall() == [("aborted",)]


def test_the_command_says_what_it_copied_and_fails_where_bytes_are_damaged(tmp_path: Path) -> None:
    made = make_artifact(make_task(make_project()), "large " * 20_000)
    call_command("backup", str(tmp_path / "good"), stdout=StringIO())
    storage.path_of(made.versions.get().content.sha256).write_bytes(b"other")
    with pytest.raises(CommandError):
        call_command("backup", str(tmp_path / "bad"), stdout=StringIO())


def test_only_an_empty_folder_outside_the_data_is_taken(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(Conflict):
        back_up(to=tmp_path / "full")
    with pytest.raises(Invalid):
        back_up(to=Path(settings.ORCHESTRATOR_HOME) / "backup")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_postgresql_is_told_what_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "postgresql")
    with pytest.raises(Invalid) as refused:
        back_up(to=tmp_path / "copy")
    assert "pg_dump" in refused.value.next


def test_verify_finds_a_damaged_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "artifacts.services.verify.quick_check", lambda _: "Tree 2 page 3: btreeInitPage() returns error"
    )
    totals = verify(report=lambda finding: None)
    assert (totals.found, totals.harms) == ({"damaged database": 1}, 1)
