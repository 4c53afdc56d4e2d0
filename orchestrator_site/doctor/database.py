"""Check the database, its integrity and its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from maintenance.upgrades.early import plan_of
from maintenance.upgrades.failure import last_failure
from maintenance.upgrades.history import changed_files
from maintenance.upgrades.newer import unknown_migrations
from maintenance.upgrades.plan import steps_of
from orchestrator_site.doctor.findings import Finding, ok, problem, warning
from orchestrator_site.kernel.sqlite.check import quick_check

CHECK_SECONDS = 15.0
"""The limit for the integrity check, which reads the whole file."""
_RESTORE = (
    "Stop everything and copy the file. Then restore a backup (manage.py upgrade --restore BACKUP), or recover what is "
    "readable: sqlite3 FILE .recover"
)
_BY_HAND = "Some remove or narrow something. Look first: manage.py upgrade --plan; then manage.py upgrade --apply"


def database() -> Iterator[Finding]:
    """Raises DatabaseError if the database does not respond."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        sql = "SELECT current_setting('server_version'), pg_database_size(current_database())"
        number, size = _query(connection, sql)[0]
        what = f"PostgreSQL {number}, {size / 1024**2:,.1f} MB."
        yield ok("database", what, vendor="postgresql", version=number, size_bytes=size)
        return
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.exists():
        yield warning("database", f"{path} does not exist yet.", "It is created on the first start: manage.py up")
        return
    mode = str(_query(connection, "PRAGMA journal_mode")[0][0])
    size = path.stat().st_size
    facts = {"vendor": "sqlite", "version": _query(connection, "SELECT sqlite_version()")[0][0], "size_bytes": size}
    what = f"SQLite {facts['version']}, {size / 1024**2:,.1f} MB, journal {mode}"
    if mode not in ("wal", "memory"):
        yield warning("database", f"{what}: not WAL, so readers wait for writers.", "Move it to a local disk.", **facts)
    damage = quick_check(connection, CHECK_SECONDS)
    if damage is None:
        yield warning("database", f"{what}: too large to check here.", "Check it: sqlite3 FILE 'PRAGMA quick_check'")
    elif damage:
        yield problem("database", f"{what}: the file is corrupt ({damage[:200]}).", _RESTORE, **facts)
    else:
        yield ok("database", f"{what}, intact.", **facts)


def _query(connection: BaseDatabaseWrapper, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def migrations() -> Iterator[Finding]:
    executor, _ = plan_of(connections[DEFAULT_DB_ALIAS])
    missing = steps_of(executor)
    unknown = [".".join(name) for name in unknown_migrations(executor.loader)]
    if (failed := last_failure()) is not None:
        what = f"The upgrade to version {failed.version} failed, and the database is read-only: {failed.problem}."
        advice = "Start a version that can upgrade it, or the one before; or try again: manage.py upgrade --apply"
        yield problem("migrations", what, advice, backup=failed.backup)
    elif missing:
        what = f"{len(missing)} not applied ({', '.join(step.name for step in missing[:3])} …)."
        waits = any(step.harms for step in missing)
        yield warning("migrations", what, _BY_HAND if waits else "They are applied on the next start: manage.py up")
    elif unknown:
        what = f"The database is newer than this code ({', '.join(unknown[:3])})."
        yield problem("migrations", what, "Update this installation, or set ORCHESTRATOR_HOME to another folder.")
    elif lost := _lost_tables():
        what = f"All applied, but tables are missing: {', '.join(lost[:3])}."
        yield problem("migrations", what, _RESTORE)
    elif changed := changed_files(connections[DEFAULT_DB_ALIAS]):
        what = f"All applied, but their files have changed since: {', '.join(changed[:3])}."
        yield warning("migrations", what, "Compare this copy of the code with the one that was installed.")
    else:
        yield ok("migrations", "All applied.")


def _lost_tables() -> list[str]:
    tables = connections[DEFAULT_DB_ALIAS].introspection
    return sorted(set(tables.django_table_names()) - set(tables.table_names()))
