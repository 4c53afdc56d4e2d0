"""A database that is not one of this version or an older one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from orchestrator_site import __version__
from orchestrator_site.kernel.errors import Conflict

_NAMED = 3
Name = tuple[str, str]
"""A migration: its app and its name."""


_AFRESH = "set ORCHESTRATOR_HOME to another folder to start afresh."


class DatabaseIsNewer(Conflict):
    """A newer version of the product changed the database."""


class DatabaseIsForeign(Conflict):
    """The database is not what the migrations make that are recorded in it."""


def unknown_migrations(loader: MigrationLoader) -> list[Name]:
    """Return what is recorded for installed apps but is neither on disk nor replaced by a squashed migration."""
    replaced = {name for migration in loader.disk_migrations.values() for name in migration.replaces}
    known = loader.disk_migrations.keys() | replaced
    return sorted(name for name in loader.applied_migrations if name[0] in loader.migrated_apps and name not in known)


def refuse_newer(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
    if unknown := unknown_migrations(loader):
        names = ", ".join(".".join(name) for name in unknown[:_NAMED])
        raise DatabaseIsNewer(
            f"Version {_last_version(connection)} of the orchestrator changed the database, and this is version "
            f"{__version__}, which does not know {names}.",
            next="Update this copy to the newer version, or restore the backup that it made, without what was written "
            f"since (manage.py upgrade --restore BACKUP), or {_AFRESH}",
        )


def refuse_foreign(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        raise DatabaseIsForeign(
            f"The database has another history: {error}", next=f"Install the version that made it, or {_AFRESH}"
        ) from error
    applied = [name for name in loader.applied_migrations if name in loader.graph.nodes]
    if applied:
        require_columns(connection, loader.project_state(applied).apps.get_models(include_auto_created=True))


def require_columns(connection: BaseDatabaseWrapper, models: Iterable[type[Model]], *, but: str = "") -> None:
    """Raise DatabaseIsForeign where a column is missing, `but` one that is added next.

    SQLite takes a column that is missing for a string, so a migration would write its name into each row.
    """
    if missing := [each for each in _missing_columns(connection, models) if each != but]:
        raise DatabaseIsForeign(
            f"The database lacks what its recorded migrations make: {', '.join(missing[:_NAMED])}.",
            next=f"Restore a backup, or {_AFRESH}",
        )


def _missing_columns(connection: BaseDatabaseWrapper, models: Iterable[type[Model]]) -> Iterator[str]:
    for model in models:
        there = columns_of(connection, table := model._meta.db_table)
        yield from (f"{table}.{each.column}" for each in model._meta.local_fields if each.column not in there)


def columns_of(connection: BaseDatabaseWrapper, table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} LIMIT 0")  # noqa: S608 - a name of ours
        return {column[0] for column in cursor.description or ()}


def _last_version(connection: BaseDatabaseWrapper) -> str:
    """Ask for one column, which every version has."""
    if "maintenance_upgrade" not in connection.introspection.table_names():
        return "(unknown)"
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM maintenance_upgrade WHERE outcome = 'succeeded' ORDER BY id DESC LIMIT 1")
        found = cursor.fetchone()
    return str(found[0]) if found else "(unknown)"
