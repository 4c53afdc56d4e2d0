"""Every schema on main that its migrations lead on from is brought to the newest one, with its rows."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from tests.homes import DATABASE, ROOT, migrated_database

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
OURS = ("tasks_", "artifacts_", "maintenance_", "orchestrator_site_", "auth_user")
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
    """Return the columns of each table, and the indexes and triggers."""
    with closing(sqlite3.connect(file)) as database:
        names = database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            name: {row[1] for row in database.execute(f"PRAGMA table_xinfo({name})")} if kind == "table" else set()
            for kind, name in names
        }


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.stem)
def test_a_schema_of_old_is_upgraded_with_its_rows(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    load(file, home)
    before = rows_of(home / DATABASE)
    done = subprocess.run(
        [sys.executable, "manage.py", "upgrade", "--apply", "--json"],
        cwd=ROOT,
        env={**os.environ, "ORCHESTRATOR_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert schema_of(home / DATABASE) == schema_of(migrated_database())
    after = rows_of(home / DATABASE)
    for table, rows in before.items():
        assert kept(rows, after[table]) == rows, table


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the later rows in the columns of the earlier ones, as they were where a migration changes them."""
    pairs = zip(before, after, strict=True)
    return [
        {name: value if is_meant(name, value, new) else new[name] for name, value in old.items()} for old, new in pairs
    ]


def is_meant(name: str, value: Any, new: dict[str, Any]) -> bool:
    return name not in new or (name, value, new[name]) in CHANGES


def test_every_migration_can_be_taken_back_with_the_others() -> None:
    """An upgrade is one transaction, which a migration that is not atomic would end."""
    assert [str(each) for each in MigrationLoader(None).disk_migrations.values() if not each.atomic] == []
