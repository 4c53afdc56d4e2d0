"""`manage.py upgrade`: look, try, do what waits for a person, and go back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.homes import DATABASE, make_home
from tests.site.processes import start
from tests.upgrades.test_upgrade import RAN, ROW
from tests.upgrades.versions import ADD, FAIL, NEXT, REMOVE, Version, make_version, put_migration


@pytest.fixture
def version(tmp_path: Path) -> Version:
    made = make_version(tmp_path / "code", make_home(tmp_path / "home"))
    made.rows(ROW + RAN.format("before"))
    return made


def answer(version: Version, *words: str, code: int = 0) -> Any:
    done = version.manage("upgrade", *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def doctor(version: Version) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(version.manage("doctor", "--json").stdout)["findings"]
    return found


def test_the_plan_names_what_is_removed_with_its_sql_and_changes_nothing(version: Version) -> None:
    put_migration(version.code, ADD, REMOVE)
    [step] = answer(version, "--plan")
    assert (step["name"], step["harms"]) == (f"maintenance.{NEXT}", ["removes jobrun.message"])
    assert any("maintenance_jobrun" in line for line in step["sql"])
    assert "--apply" in version.manage("upgrade", "--plan").stdout
    assert "place" not in version.columns() and not version.backups


def test_what_removes_something_is_done_with_apply_alone(version: Version) -> None:
    put_migration(version.code, REMOVE)
    refused = version.manage("upgrade")
    assert refused.returncode == 1 and "manage.py upgrade --apply" in refused.stderr
    [found] = [each for each in doctor(version) if each["area"] == "migrations"]
    assert "manage.py upgrade --apply" in found["next"]
    done = answer(version, "--apply")
    assert (done["outcome"], done["backup"]) == ("succeeded", version.backups[0].name)
    assert "message" not in version.columns()


def test_without_an_option_it_does_what_a_start_does(version: Version) -> None:
    put_migration(version.code, ADD)
    assert answer(version)["outcome"] == "succeeded"
    assert answer(version) is None
    assert version.place() == [("here",)]


def test_what_failed_is_tried_again_with_apply_alone(version: Version) -> None:
    put_migration(version.code, FAIL)
    assert answer(version, code=1)["outcome"] == "failed"
    assert version.manage("upgrade").returncode == 1 and len(version.backups) == 1
    assert answer(version, "--apply", code=1)["outcome"] == "failed"
    assert [each["outcome"] for each in answer(version, "--history")] == ["failed", "failed"]


@pytest.mark.parametrize(("operation", "outcome", "code"), [(ADD, "succeeded", 0), (FAIL, "failed", 1)])
def test_a_dry_run_upgrades_a_copy_and_leaves_none(version: Version, operation: str, outcome: str, code: int) -> None:
    put_migration(version.code, operation)
    assert answer(version, "--dry-run", code=code)["outcome"] == outcome
    assert (version.backups, version.notice.exists(), "place" in version.columns()) == ([], False, False)
    assert version.rows("SELECT count(*) FROM maintenance_upgrade") == [(0,)]


def test_verifying_finds_damage_missing_migrations_and_changed_files(version: Version) -> None:
    put_migration(version.code, ADD)
    assert answer(version, "--verify-only") == {
        "problems": [],
        "warnings": [f"Not applied yet: maintenance.{NEXT}."],
    }
    version.start()
    assert answer(version, "--verify-only") == {"problems": [], "warnings": []}
    put_migration(version.code, ADD, "migrations.RunPython(migrations.RunPython.noop)")
    assert NEXT in answer(version, "--verify-only")["warnings"][0]
    assert [each["level"] for each in doctor(version) if each["area"] == "migrations"] == ["warning"]


def test_verifying_finds_a_broken_foreign_key(version: Version) -> None:
    version.rows("CREATE TABLE loose (id integer PRIMARY KEY, user_id integer REFERENCES auth_user(id))")
    version.rows("INSERT INTO loose VALUES (1, 99)")
    assert len(answer(version, "--verify-only", code=1)["problems"]) == 1


def test_a_backup_is_restored_and_what_was_there_is_kept(version: Version) -> None:
    put_migration(version.code, ADD)
    version.start()
    version.rows("INSERT INTO maintenance_jobrun SELECT 99, 'later', 1, outcome, message, started_at, deadline_at, "
                 "finished_at, place FROM maintenance_jobrun")  # fmt: skip
    backup = version.backups[0].name
    done = answer(version, "--restore", backup)
    assert (done["outcome"], version.rows("SELECT job FROM maintenance_jobrun")) == ("restored", [("before",)])
    assert "place" not in version.columns()
    assert version.rows("SELECT outcome FROM maintenance_upgrade") == [("restored",)]
    answer(version, "--restore", done["backup"])
    assert version.rows("SELECT job FROM maintenance_jobrun ORDER BY job") == [("before",), ("later",)]


def test_a_restore_is_seen_by_who_has_the_database_open(version: Version) -> None:
    put_migration(version.code, ADD)
    version.start()
    with closing(sqlite3.connect(version.home / DATABASE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT * FROM maintenance_jobrun").fetchall()
        answer(version, "--restore", version.backups[0].name)
        assert reader.execute("SELECT * FROM maintenance_jobrun").fetchall() == before
        reader.execute("COMMIT")
        assert len(reader.execute("SELECT * FROM maintenance_jobrun").fetchone()) == len(before[0]) - 1
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("what", ["nothing", "another file", "a damaged copy"])
def test_only_a_whole_backup_is_restored(version: Version, what: str) -> None:
    file = version.home.parent / "backup.sqlite3"
    if what == "another file":
        file.write_text("not a database, but long enough to be read as one" * 20)
    if what == "a damaged copy":
        content = bytearray((version.home / DATABASE).read_bytes())
        content[4096:400_000] = bytes(len(content[4096:400_000]))
        file.write_bytes(content)
    assert version.manage("upgrade", "--restore", str(file)).returncode == 1
    assert version.rows("SELECT job FROM maintenance_jobrun") == [("before",)]


@pytest.mark.parametrize("what", ["a page", "the header", "all of it"])
def test_a_backup_is_restored_over_a_database_that_is_damaged_or_gone(version: Version, what: str) -> None:
    put_migration(version.code, ADD)
    version.start()
    database, backup = version.home / DATABASE, version.backups[0].name
    content = bytearray(database.read_bytes())
    start = 0 if what == "the header" else 40 * 4096
    content[start : start + 200_000] = bytes(200_000)
    database.write_bytes(content)
    if what == "all of it":
        database.unlink()
        database.with_name(f"{DATABASE}-wal").write_bytes(b"of the one that is gone")
    else:
        assert answer(version, "--verify-only", code=1)["problems"]
    done = answer(version, "--restore", backup)
    assert version.rows("SELECT job FROM maintenance_jobrun") == [("before",)]
    assert answer(version, "--verify-only")["problems"] == []
    kept = (version.home / "backups" / done["backup"]).read_bytes() if done["backup"] else b""
    assert kept == (b"" if what == "all of it" else content)
    left = [each for each in version.home.glob(f"{DATABASE}-*") if each.read_bytes() == b"of the one that is gone"]
    assert left == []


def test_nothing_is_restored_while_the_site_runs(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_migration(version.code, ADD)
    version.start()
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(version.home))
    with start(tmp_path / "up", str(version.code / "manage.py"), "up", "--port", "0", "--no-worker") as site:
        site.wait_until_greeted()
        refused = version.manage("upgrade", "--restore", version.backups[0].name)
        assert refused.returncode == 1 and str(site.process.pid) in refused.stderr
    assert "place" in version.columns()
    assert answer(version, "--restore", version.backups[0].name)["outcome"] == "restored"


@pytest.mark.parametrize("way", ["--plan", "--dry-run", "--apply"])
def test_a_database_of_a_newer_version_is_refused_with_its_way_back(version: Version, way: str) -> None:
    put_migration(version.code, ADD)
    version.start()
    (version.code / "maintenance" / "migrations" / f"{NEXT}.py").unlink()
    refused = version.manage("upgrade", way)
    assert refused.returncode == 1 and NEXT in refused.stderr and "--restore" in refused.stderr
    answer(version, "--restore", version.backups[0].name)
    assert version.manage("upgrade", way).returncode == 0


@pytest.mark.parametrize("way", ["--plan", "--dry-run", "--verify-only", "--history"])
def test_looking_makes_no_database(version: Version, way: str) -> None:
    for file in version.home.glob(f"{DATABASE}*"):
        file.unlink()
    assert version.manage("upgrade", way).returncode == 1
    assert not (version.home / DATABASE).exists()
