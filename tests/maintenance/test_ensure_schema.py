"""The schema is brought up to date once, however many processes start."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from maintenance.models import Upgrade
from maintenance.upgrades import ensure_schema as module
from maintenance.upgrades.ensure_schema import ensure_schema
from maintenance.upgrades.newer import DatabaseIsNewer
from maintenance.upgrades.places import sqlite_file
from orchestrator_site import __version__
from tests.site.processes import DEADLINE_SECONDS, ROOT, complaints, wait_until

# Waits for a line until all have set Django up, so that they really start together.
BEGIN = """
import os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
import django; django.setup()
from django.db import connection
from maintenance.upgrades.ensure_schema import ensure_schema
print("ready", flush=True); sys.stdin.readline()
ensure_schema()
with connection.cursor() as cursor:
    cursor.execute("select count(*) from django_migrations")
    print(cursor.fetchone()[0])
"""

# Looks again while it has the database open, then lets other processes open and close it before and after it writes.
AGAIN = """
import os, subprocess, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
import django; django.setup()
from django.db import connection
from maintenance.upgrades.ensure_schema import ensure_schema
ensure_schema()
look = "import sqlite3, sys; f = sqlite3.connect(sys.argv[1]); print(*f.execute('select * from kept')); f.close()"
with connection.cursor() as cursor:
    cursor.execute("create table kept (number)")
    ensure_schema()
    for number in range(2):
        subprocess.run([sys.executable, "-c", look, connection.settings_dict["NAME"]], check=True)
        cursor.execute("insert into kept values (1)")
"""


def begin() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", BEGIN],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_together(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=DEADLINE_SECONDS) for process in processes]
    return [(process.returncode, out, err) for process, (out, err) in zip(processes, said, strict=True)]


def test_eight_processes_on_a_fresh_database_all_succeed(empty_home: Path) -> None:
    answers = run_together([begin() for _ in range(8)])
    migrations = answers[0][1]
    assert [(code, out, complaints(error)) for code, out, error in answers] == [(0, migrations, [])] * 8
    with closing(sqlite3.connect(empty_home / "orchestrator.sqlite3")) as database:
        recorded = database.execute("SELECT app, name FROM django_migrations").fetchall()
        assert len(recorded) == len(set(recorded)) == int(migrations)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_killed_process_does_not_block_the_next(empty_home: Path) -> None:
    first, second = begin(), begin()
    assert first.stdin and first.stdout and first.stdout.readline() == "ready\n"
    first.stdin.write("\n")
    first.stdin.flush()
    wait_until((empty_home / "orchestrator.sqlite3.migrate-lock").exists, "the lock")
    assert first.poll() is None
    first.kill()
    first.communicate(timeout=DEADLINE_SECONDS)
    assert run_together([second])[0][0] == 0


def test_a_complete_schema_costs_two_queries_and_no_lock(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_schema()
    monkeypatch.delattr(module, "schema_lock")
    with django_assert_num_queries(2):
        ensure_schema()


def test_looking_again_does_not_let_another_process_take_the_log_away(empty_home: Path) -> None:
    looked = subprocess.run(
        [sys.executable, "-W", "error", "-c", AGAIN], cwd=ROOT, timeout=DEADLINE_SECONDS, stdout=subprocess.PIPE
    )
    assert (looked.returncode, looked.stdout) == (0, b"\n(1,)\n")


def test_a_missing_migration_is_applied(transactional_db: None) -> None:
    recorder = MigrationRecorder(connection)
    with connection.schema_editor() as editor:
        editor.execute("DROP TABLE django_session")
    recorder.record_unapplied("sessions", "0001_initial")
    ensure_schema()
    assert "django_session" in connection.introspection.table_names()
    assert ("sessions", "0001_initial") in recorder.applied_migrations()


def test_migrations_of_two_versions_are_a_conflict_and_named(db: None) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("tasks", "9999_from_the_future")
    recorder.record_unapplied("sessions", "0001_initial")
    with pytest.raises(DatabaseIsNewer, match=r"tasks\.9999_from_the_future") as caught:
        ensure_schema()
    assert "ORCHESTRATOR_HOME" in caught.value.next
    assert ("sessions", "0001_initial") not in recorder.applied_migrations()


def test_a_newer_database_that_lacks_nothing_is_refused_with_both_versions(db: None) -> None:
    Upgrade.objects.create(outcome="succeeded", version="9.8.7", started_at=timezone.now())
    MigrationRecorder(connection).record_applied("tasks", "9999_from_the_future")
    with pytest.raises(DatabaseIsNewer) as refused:
        ensure_schema()
    assert all(each in refused.value.message for each in ("9.8.7", __version__, "tasks.9999_from_the_future"))


def test_migrations_of_a_removed_app_are_ignored(db: None, caplog: pytest.LogCaptureFixture) -> None:
    MigrationRecorder(connection).record_applied("some_old_app", "0001_initial")
    ensure_schema()
    assert caplog.text == ""


def test_a_database_in_memory_needs_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (":memory:", "file:memorydb_default?mode=memory&cache=shared"):
        monkeypatch.setitem(connection.settings_dict, "NAME", name)
        assert sqlite_file(connection) is None


def test_an_unwritable_data_folder_raises_the_error_of_the_system(empty_home: Path) -> None:
    empty_home.mkdir()
    (empty_home / "orchestrator.sqlite3.migrate-lock").mkdir()
    code, _, error = run_together([begin()])[0]
    assert code == 1
    assert "IsADirectoryError" in error or "PermissionError" in error
