"""Every schema that was ever on main is brought to the newest one, with its rows."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from tests.homes import DATABASE, ROOT, migrated_database

FOLDER = Path(__file__).parent / "schemas"
SCHEMAS = sorted(FOLDER.glob("*.sql"))
APPS = ("tasks", "artifacts", "maintenance", "agents", "library", "insights", "orchestrator_site")
CONSTRAINT = re.compile(r'CONSTRAINT "(\w+)"')
RECORDED = re.compile(r"""INSERT INTO "django_migrations" VALUES\(\d+,'(\w+)','(\w+)'""")
OURS = ("tasks_", "artifacts_", "maintenance_", "agents_", "library_", "insights_", "orchestrator_site_", "auth_user")
CHANGES = [("requires_review", 0, None)]  # left to the project's setting since then
Rows = dict[str, list[dict[str, Any]]]


def load(file: Path, home: Path) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.executescript(file.read_text())


def rows_of(file: Path) -> Rows:
    """Return the rows of all tables of ours that have some."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {
            table: [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")]
            for table in tables
            if table.startswith(OURS) and not table.startswith("artifacts_search")
        }
    return {table: rows for table, rows in found.items() if rows}


def schema_of(file: Path) -> dict[str, set[str]]:
    """Return the columns and constraints of each table, and the SQL of each index and trigger."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            name: {row[1] for row in database.execute(f"PRAGMA table_xinfo({name})")} | set(CONSTRAINT.findall(sql))
            if kind == "table"
            else {sql}
            for kind, name, sql in rows
        }


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.stem)
def test_a_schema_of_old_is_upgraded_with_its_rows(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    load(file, home)
    before = rows_of(home / DATABASE)
    upgrade(home)
    assert schema_of(home / DATABASE) == schema_of(migrated_database())
    after = rows_of(home / DATABASE)
    for table, rows in before.items():
        now = after[table][:1] if table == "maintenance_upgrade" else after[table]  # this upgrade has a row as well
        assert kept(rows, now) == rows, table


def upgrade(home: Path, way: str = "--apply") -> Any:
    done = subprocess.run(
        [sys.executable, "manage.py", "upgrade", way, "--json"],
        cwd=ROOT,
        env={**os.environ, "ORCHESTRATOR_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the later rows in the columns of the earlier ones, as they were where a migration changes them."""
    pairs = zip(before, after, strict=True)
    return [
        {name: value if is_meant(name, value, new) else new[name] for name, value in old.items()} for old, new in pairs
    ]


def is_meant(name: str, value: Any, new: dict[str, Any]) -> bool:
    return name not in new or (name, value, new[name]) in CHANGES


def test_the_newest_schema_has_a_fixture() -> None:
    """A migration changes the schema on main, and later versions have to upgrade that one too."""
    ours = {name for name in MigrationLoader(None).disk_migrations if name[0] in APPS}
    recorded = [{name for name in RECORDED.findall(file.read_text()) if name[0] in APPS} for file in SCHEMAS]
    number = int(SCHEMAS[-1].stem[:2]) + 1
    assert ours in recorded, (
        "No fixture in tests/upgrades/schemas has just these migrations. Commit the migration, run "
        f"`python -m tests.upgrades.make_schema HEAD {number:02}_WHAT_IS_NEW`, and amend the commit."
    )


EARLY = ("artifacts.0002_frames", "03_uploads_before_frames"), ("tasks_task.is_ready", "00_ground")


@pytest.mark.parametrize(("gap", "name"), EARLY)
def test_what_an_early_database_lacks_is_named_before_and_after(gap: str, name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    load(FOLDER / f"{name}.sql", home)
    before = schema_of(home / DATABASE)
    assert (
        gap in [each["name"] for each in upgrade(home, "--plan")]
        and upgrade(home, "--dry-run")["outcome"] == "succeeded"
    )
    assert any(gap in each for each in upgrade(home, "--verify-only")["warnings"])
    assert schema_of(home / DATABASE) == before
    upgrade(home)
    assert gap in [each["name"] for each in upgrade(home, "--history")[0]["migrations"]]
    assert upgrade(home, "--verify-only") == {"problems": [], "warnings": []}


def test_tasks_from_before_the_mark_are_ready_unless_they_wait_for_another(tmp_path: Path) -> None:
    load(FOLDER / "00_ground.sql", tmp_path / "home")
    upgrade(tmp_path / "home")
    with closing(sqlite3.connect(tmp_path / "home" / DATABASE)) as database:
        marks = dict(database.execute("SELECT public_id, is_ready FROM tasks_task"))
    assert marks == {"task_public_id": 0, "task_needed": 1}


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("00_ground", "tasks_task", "summary"),
        ("03_uploads_before_frames", "artifacts_content", "size_bytes"),
        ("09_answers_before_paths", "tasks_project", "settings"),
        ("09_answers_before_paths", "tasks_session", "client_version"),
    ],
)
def test_an_early_database_that_lacks_more_is_refused_and_left_as_it_is(
    name: str, table: str, column: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    load(FOLDER / f"{name}.sql", home)
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO gone")
    before = schema_of(home / DATABASE)
    with pytest.raises(AssertionError, match=f"lacks .*{column}"):
        upgrade(home)
    assert schema_of(home / DATABASE) == before


def test_every_migration_can_be_taken_back_with_the_others() -> None:
    """An upgrade is one transaction, which a migration that is not atomic would end."""
    assert [str(each) for each in MigrationLoader(None).disk_migrations.values() if not each.atomic] == []
