"""The database: which it is, whether it is whole, and whether its schema is that of this code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from maintenance.upgrades.ensure_schema import unknown_migrations
from orchestrator_site.doctor.findings import Finding, ok, problem, warning

CHECK_SECONDS = 15.0
"""A large file is not read to its end for this."""
_INSTRUCTIONS = 100_000
_RESTORE = "Stop everything, copy the file, and restore a backup, or rescue what can be read: sqlite3 FILE .recover"


def database() -> Iterator[Finding]:
    """Look at the database; raises DatabaseError where it does not answer."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        if not path.exists():
            yield warning("database", f"There is none yet at {path}.", "It is made at the first start: manage.py up")
            return
        yield from _sqlite(connection, path)
    else:
        yield _postgresql(connection)


def _sqlite(connection: BaseDatabaseWrapper, path: Path) -> Iterator[Finding]:
    mode = str(_ask(connection, "PRAGMA journal_mode")[0][0])
    size = path.stat().st_size
    facts = {"vendor": "sqlite", "version": _ask(connection, "SELECT sqlite_version()")[0][0], "size_bytes": size}
    said = f"SQLite {facts['version']}, {size / 1024**2:,.1f} MB, journal {mode}"
    if mode not in ("wal", "memory"):
        yield warning("database", f"{said}: not WAL, so readers wait for writers.", "Keep it on a local disk.", **facts)
    damage = quick_check(connection)
    if damage is None:
        yield warning("database", f"{said}: too large to check here.", "Check it: sqlite3 FILE 'PRAGMA quick_check'")
    elif damage:
        yield problem("database", f"{said}: the file is damaged ({damage[:200]}).", _RESTORE, **facts)
    else:
        yield ok("database", f"{said}, whole.", **facts)


def quick_check(connection: BaseDatabaseWrapper, seconds: float = CHECK_SECONDS) -> str | None:
    """Return what is damaged, the empty text where nothing is, None where the time was too short to tell."""
    connection.ensure_connection()
    raw: Any = connection.connection
    ends_at = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > ends_at, _INSTRUCTIONS)
    try:
        said = str(_ask(connection, "PRAGMA quick_check(1)")[0][0])
    except DatabaseError as error:
        return None if "interrupted" in str(error) else str(error)
    finally:
        raw.set_progress_handler(None, 0)
    return "" if said == "ok" else said


def _postgresql(connection: BaseDatabaseWrapper) -> Finding:
    number, size = _ask(connection, "SELECT current_setting('server_version'), pg_database_size(current_database())")[0]
    said = f"PostgreSQL {number}, {size / 1024**2:,.1f} MB."
    return ok("database", said, vendor="postgresql", version=number, size_bytes=size)


def _ask(connection: BaseDatabaseWrapper, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def migrations() -> Iterator[Finding]:
    """Compare the schema with the code."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    loader = executor.loader
    missing = [f"{step.app_label}.{step.name}" for step, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    strange = [".".join(name) for name in unknown_migrations(loader)]
    if missing:
        first = ", ".join(missing[:3])
        yield warning(
            "migrations", f"{len(missing)} missing ({first} …).", "They are applied at the next start: manage.py up"
        )
    elif strange:
        yield problem(
            "migrations",
            f"The database is newer than this code ({', '.join(strange[:3])}).",
            "Update this copy, or set ORCHESTRATOR_HOME to another folder.",
        )
    else:
        yield ok("migrations", "All are applied.")
