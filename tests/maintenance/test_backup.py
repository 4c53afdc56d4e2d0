"""`manage.py backup`: a copy of a running site that is whole, and lacks nothing that was acknowledged before."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from artifacts import storage
from artifacts.services.verify import verify
from artifacts.storage import staging
from maintenance.services.backup import DATABASE, back_up, back_up_dated
from maintenance.services.run import run
from orchestrator_site.kernel.errors import Conflict, Invalid, ServerFault, Unavailable
from tests.assistants import Assistant
from tests.factories import make_artifact, make_project, make_task, make_tombstone

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


def test_the_exports_of_purged_plans_are_in_the_copy_and_checked(tmp_path: Path, settings: Settings) -> None:
    export = tmp_path / "home" / "exports" / "shop" / "plan.zip"
    export.parent.mkdir(parents=True)
    export.write_bytes(b"a plan")
    digest = sha256(b"a plan").hexdigest()
    make_tombstone(make_project("shop"), export_name="shop/plan.zip", export_sha256=digest)
    assert back_up(to=tmp_path / "copy").problems == []
    assert (tmp_path / "copy" / "exports" / "shop" / "plan.zip").read_bytes() == b"a plan"
    export.unlink()
    assert len(back_up(to=tmp_path / "second").problems) == 1


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Return a folder of a copy of each day of 2020's first five weeks, one unfinished copy, and something else."""
    for day in range(5 * 7):
        copy = tmp_path / "copies" / f"{date(2019, 12, 30) + timedelta(days=day):%Y%m%d}T000000Z"
        copy.mkdir(parents=True)
        (copy / DATABASE).touch()
    (tmp_path / "copies" / "20200103T120000Z").mkdir()
    (tmp_path / "copies" / "mine").mkdir()
    return tmp_path / "copies"


def test_the_newest_copies_stay_and_the_last_of_each_week_of_a_month(copies: Path) -> None:
    back_up_dated(folder=copies)
    days = sorted(each.name[:8] for each in copies.iterdir())
    today = f"{timezone.now():%Y%m%d}"
    assert days == ["20200119", "20200126", "20200130", "20200131", "20200201", "20200202", today, "mine"]


def test_a_copy_that_is_not_whole_takes_no_place(copies: Path) -> None:
    make_tombstone(make_project())
    with pytest.raises(ServerFault):
        back_up_dated(folder=copies)
    assert len(list(copies.iterdir())) == 5 * 7 + 3


def test_the_job_copies_where_the_setting_says_so(tmp_path: Path, settings: Settings) -> None:
    settings.ORCHESTRATOR_BACKUPS = ""
    run(name="back_up")
    settings.ORCHESTRATOR_BACKUPS = str(tmp_path / "copies")
    run(name="back_up")
    assert len(list((tmp_path / "copies").iterdir())) == 1


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


@pytest.mark.skipif(os.name == "nt", reason="has no modes")
def test_only_its_owner_reads_the_copy_also_in_a_folder_of_others(tmp_path: Path) -> None:
    make_artifact(make_task(make_project()), "large " * 20_000)
    to = tmp_path / "copy"
    to.mkdir(0o755)
    back_up(to=to)
    modes = {path.stat().st_mode & 0o777 for path in to.rglob("*") if path.is_file()}
    assert (modes, {path.stat().st_mode & 0o777 for path in to.rglob("*") if path.is_dir()}) == ({0o600}, {0o700})


@pytest.mark.parametrize("what", ["a file", "a link to nothing", "a link to itself", "below a file"])
def test_a_folder_that_cannot_be_made_is_an_error_of_the_folder(tmp_path: Path, what: str) -> None:
    to = tmp_path / "copy"
    if what == "a link to itself":
        to.symlink_to(to)
    elif what == "a link to nothing":
        to.symlink_to(tmp_path / "nowhere")
    else:
        to.touch()
    to = to / "x" if what == "below a file" else to
    with pytest.raises(Invalid) as refused:
        back_up(to=to)
    assert str(to) in refused.value.message


@pytest.mark.parametrize("name", [DATABASE, "content"])
def test_a_full_disk_of_the_copy_is_not_one_of_the_data(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_artifact(make_task(make_project()), "large " * 20_000)
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(path: Any) -> None:
        if name == DATABASE or path != tmp_path / "copy":
            raise full

    monkeypatch.setattr("maintenance.services.backup.sync_folder", refuse)
    with pytest.raises(Invalid):
        back_up(to=tmp_path / "copy")


def test_what_the_data_folder_refuses_is_told_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(staging, "names", refuse)
    with pytest.raises(Unavailable):
        back_up(to=tmp_path / "copy")


@pytest.mark.parametrize("is_made", [True, False])
def test_a_home_without_data_is_an_error_and_stays_as_it_is(tmp_path: Path, is_made: bool) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    if is_made:
        (home / DATABASE).touch()
    done = subprocess.run(
        [sys.executable, "manage.py", "backup", str(tmp_path / "copy")],
        cwd=settings.BASE_DIR,
        env={**os.environ, "ORCHESTRATOR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr, (tmp_path / "copy").exists()) == (1, False, False)
    assert "ORCHESTRATOR_HOME" in done.stderr
    assert (home / DATABASE).exists() is is_made
