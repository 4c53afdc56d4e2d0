"""A start with newer code upgrades the database; what fails leaves it as it was, and served read-only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.site.processes import DEADLINE_SECONDS
from tests.upgrades.versions import ADD, FAIL, NEXT, REMOVE, Version, make_version, put_migration

ROW = "INSERT INTO maintenance_jobrun (job, attempt, outcome, message, started_at, deadline_at, finished_at) VALUES "
RAN = "('{}', 1, 'failed', 'kept', '2026-01-01', '2026-01-02', '2026-01-01')"

# Tries to write with Django after a start, and says how it ended.
WRITE = """
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import OrchestratorError
from django.contrib.auth.models import User
from django.db import transaction
ensure_schema()
with transaction.atomic():
    print(User.objects.count())
try:
    with db_errors_mapped("a test"), transaction.atomic():
        User.objects.create(username="ada")
except OrchestratorError as error:
    print(error.code)
else:
    print("written")
"""

# Starts with newer code; another process writes after the backup, and while that migrates and fails.
AMONG_OTHERS = f"""
import sqlite3
from maintenance.upgrades import upgrade as module
from maintenance.upgrades.ensure_schema import ensure_schema
make_copy = module.copies.make_copy
def make_copy_and_write(*given, **named):
    made = make_copy(*given, **named)
    other = sqlite3.connect(connection.settings_dict["NAME"])
    with other:
        other.execute("{ROW}{RAN.format("of another")}")
    other.close()
    return made
module.copies.make_copy = make_copy_and_write
ensure_schema()
"""

# Kills itself before or after a step of the upgrade.
DIE = """
import importlib
from maintenance.upgrades.ensure_schema import ensure_schema
place, name, when = sys.argv[1:]
module = importlib.import_module(place)
step = getattr(module, name)
def die(*given, **named):
    done = step(*given, **named) if when == "after" else None
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, die)
ensure_schema()
"""
KILL = "migrations.RunPython(lambda apps, editor: __import__('os').kill(__import__('os').getpid(), 9))"
STEPS = [
    ("maintenance.upgrades.copies", "_require_space", "before"),
    ("maintenance.upgrades.copies", "copy_database", "after"),
    ("maintenance.upgrades.copies", "sync_folder", "before"),
    ("maintenance.upgrades.copies", "make_copy", "after"),
    ("maintenance.upgrades.upgrade", "call_command", "before"),
    ("maintenance.upgrades.upgrade", "call_command", "after"),
    ("maintenance.upgrades.upgrade", "check", "after"),
    ("maintenance.upgrades.upgrade", "_record", "after"),
    ("maintenance.upgrades.upgrade", "_migrated", "after"),
    ("artifacts.search.index", "catch_up", "before"),
]

# Waits for a line until all have set Django up, so that they really start together.
WAIT_AND_COUNT = """
from maintenance.models import JobRun
from maintenance.upgrades.ensure_schema import ensure_schema
print("ready", flush=True)
sys.stdin.readline()
ensure_schema()
print(JobRun.objects.count())
"""
# The disk is full before the backup, and in the middle of it.
FULL = """
import shutil
from maintenance.upgrades.ensure_schema import ensure_schema
shutil.disk_usage = lambda path: shutil._ntuple_diskusage(10**12, 10**12, 1000)
ensure_schema()
"""
FILLS = """
import resource
from maintenance.upgrades.ensure_schema import ensure_schema
connection.ensure_connection()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
ensure_schema()
"""


@pytest.fixture
def version(tmp_path: Path) -> Iterator[Version]:
    """Return a version like this one, on a database with a row in it."""
    made = make_version(tmp_path / "code", make_home(tmp_path / "home"))
    made.rows(ROW + RAN.format("before"))
    yield made
    with closing(sqlite3.connect(made.home / "orchestrator.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_newer_code_upgrades_with_a_backup_and_a_row_of_history(version: Version) -> None:
    put_migration(version.code, ADD)
    assert version.start().returncode == 0
    assert version.place() == [("here",)]
    [(outcome, actor, migrations, rows, backup, problem)] = version.rows(
        "SELECT outcome, actor_name, migrations, rows, backup, problem FROM maintenance_upgrade"
    )
    file = version.code / "maintenance" / "migrations" / f"{NEXT}.py"
    named = [{"name": f"maintenance.{NEXT}", "sha256": sha256(file.read_bytes()).hexdigest()}]
    assert (outcome, problem, json.loads(migrations)) == ("succeeded", "", named)
    assert rows > 0 and actor and [each.name for each in version.backups] == [backup]
    with closing(sqlite3.connect(version.home / "backups" / backup)) as copy:
        assert copy.execute("SELECT job FROM maintenance_jobrun").fetchall() == [("before",)]
        assert "place" not in [row[1] for row in copy.execute("PRAGMA table_info(maintenance_jobrun)")]


def test_a_start_with_nothing_to_do_backs_up_nothing(version: Version) -> None:
    version.start()
    assert version.backups == [] and version.rows("SELECT count(*) FROM maintenance_upgrade") == [(0,)]


def test_a_failed_upgrade_leaves_everything_as_it_was_with_what_others_wrote(version: Version) -> None:
    put_migration(version.code, FAIL)
    assert version.python(AMONG_OTHERS).returncode == 0
    assert version.rows("SELECT job FROM maintenance_jobrun ORDER BY job") == [("before",), ("of another",)]
    assert "place" not in version.columns()
    [failed] = json.loads(version.notice.read_text())["failed"]
    assert (failed["outcome"], failed["backup"]) == ("failed", version.backups[0].name)
    assert NEXT in failed["problem"] and "ZeroDivisionError" in failed["problem"]


def test_after_a_failed_upgrade_reading_goes_on_and_writing_is_transient(version: Version) -> None:
    put_migration(version.code, FAIL)
    for _ in range(2):  # the one that fails, and one that finds it so
        answer = version.python(WRITE)
        assert (answer.returncode, answer.stdout.split()) == (0, ["0", "transient"]), answer.stderr
    assert len(version.backups) == 1  # it was not tried again


def test_the_next_good_version_upgrades_and_clears_the_failure(version: Version) -> None:
    put_migration(version.code, FAIL)
    version.start()
    put_migration(version.code, ADD)
    assert version.python(WRITE).stdout.split() == ["0", "written"]
    assert not version.notice.exists() and version.place() == [("here",)]
    outcomes = version.rows("SELECT outcome FROM maintenance_upgrade ORDER BY id")
    assert outcomes == [("failed",), ("succeeded",)]


def test_going_back_to_the_old_version_clears_the_failure(version: Version) -> None:
    put_migration(version.code, FAIL)
    version.start()
    (version.code / "maintenance" / "migrations" / f"{NEXT}.py").unlink()
    assert version.python(WRITE).stdout.split() == ["0", "written"]
    assert version.rows("SELECT outcome FROM maintenance_upgrade") == [("failed",)]


def test_a_version_that_fails_again_keeps_both_causes(version: Version) -> None:
    for operation in (FAIL, FAIL.replace("1 / 0", "[][1]")):
        put_migration(version.code, operation)
        version.start()
    problems = [each["problem"] for each in json.loads(version.notice.read_text())["failed"]]
    assert ["ZeroDivisionError" in problems[0], "IndexError" in problems[1]] == [True, True]


def test_what_breaks_foreign_keys_is_taken_back(version: Version) -> None:
    broken = "INSERT INTO loose VALUES (1, 99)"
    put_migration(version.code, f"migrations.RunPython(lambda apps, editor: editor.execute({broken!r}))")
    version.rows("CREATE TABLE loose (id integer PRIMARY KEY, user_id integer REFERENCES auth_user(id))")
    version.start()
    assert "IntegrityError" in version.notice.read_text() and version.rows("SELECT * FROM loose") == []


@pytest.mark.parametrize("step", STEPS, ids=lambda step: " ".join(step[1:]))
def test_a_process_that_is_killed_at_any_step_leaves_no_trace(version: Version, step: tuple[str, ...]) -> None:
    put_migration(version.code, ADD)
    assert version.python(DIE, *step).returncode == -9
    answer = version.python(WRITE)
    assert answer.stdout.split() == ["0", "written"], answer.stderr
    assert (version.place(), version.rows("SELECT job FROM maintenance_jobrun")) == ([("here",)], [("before",)])
    assert version.rows("SELECT outcome FROM maintenance_upgrade") == [("succeeded",)]
    assert not [each for each in version.backups if each.name.endswith(".partial")]


def test_a_process_that_is_killed_in_a_migration_leaves_the_old_state(version: Version) -> None:
    put_migration(version.code, ADD, KILL)
    assert version.start().returncode == -9
    assert "place" not in version.columns()
    put_migration(version.code, ADD)
    assert version.start().returncode == 0
    assert version.place() == [("here",)]


def test_a_process_that_is_killed_before_it_removes_the_notice_records_nothing_twice(version: Version) -> None:
    put_migration(version.code, FAIL)
    version.start()
    put_migration(version.code, ADD)
    assert version.python(DIE, "maintenance.upgrades.upgrade", "_migrated", "after").returncode == -9
    assert version.notice.exists()
    assert version.python(WRITE).stdout.split() == ["0", "written"]
    assert len(version.rows("SELECT outcome FROM maintenance_upgrade")) == 2


@pytest.mark.parametrize("program", [FULL, FILLS], ids=["before", "during the backup"])
def test_a_full_disk_is_refused_and_nothing_changes(version: Version, program: str) -> None:
    put_migration(version.code, ADD)
    refused = version.python(program)
    assert refused.returncode == 1 and "Unavailable" in refused.stderr
    assert (version.backups, version.notice.exists(), "place" in version.columns()) == ([], False, False)
    assert version.start().returncode == 0
    assert version.place() == [("here",)]


def test_what_removes_something_waits_for_a_person(version: Version) -> None:
    put_migration(version.code, REMOVE)
    refused = version.start()
    assert refused.returncode == 1 and "NeedsPerson" in refused.stderr
    assert (version.backups, version.notice.exists(), "message" in version.columns()) == ([], False, True)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE maintenance_handover DROP COLUMN actor_name",
        "DELETE FROM django_migrations WHERE app = 'maintenance' AND name LIKE '0002%'",
    ],
)
def test_a_database_that_is_not_what_its_migrations_make_is_refused(version: Version, sql: str) -> None:
    version.rows(sql)
    put_migration(version.code, ADD)
    refused = version.start()
    assert refused.returncode == 1 and "DatabaseIsForeign" in refused.stderr
    assert (version.backups, version.notice.exists(), "place" in version.columns()) == ([], False, False)


def test_six_processes_at_once_upgrade_an_old_database_once(version: Version) -> None:
    put_migration(version.code, ADD)
    processes = [version.begin(WAIT_AND_COUNT) for _ in range(6)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=DEADLINE_SECONDS) for process in processes]
    assert [out for out, _ in answers] == ["1\n"] * 6
    assert len(version.backups) == 1
