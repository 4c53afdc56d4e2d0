"""Bring the schema up to date before a process serves, however many processes start at once."""

from __future__ import annotations

import logging
import pkgutil
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from maintenance.upgrades.locks import advisory_lock, file_lock
from orchestrator_site.kernel.errors import Conflict

logger = logging.getLogger(__name__)

_CATCH_UP_SECONDS = 20.0
Name = tuple[str, str]
"""A migration: its app and its name."""


class DatabaseIsNewer(Conflict):
    """A newer version of the product changed the database."""


def ensure_schema(*, schedules: bool = False) -> None:
    """Apply every migration that the default database lacks, or return at once where it lacks none.

    1. Compare what is recorded with what is on disk; usually nothing is missing and that is all.
    2. Otherwise take the lock, look again (another process may have been faster), and migrate.

    `schedules` updates those of the jobs too; only what starts a worker needs them.

    Raises DatabaseIsNewer where the database has migrations that this code does not know and lacks others, and
    Transient where another process holds the lock for too long.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if schedules:
        from maintenance.schedules import are_in_sync, sync_schedules  # the bridge does not need the queue's modules
    if _is_complete(connection) and (not schedules or are_in_sync()):
        return
    with _lock(connection):
        _migrate(connection)
        if schedules:
            sync_schedules()


def is_current(connection: BaseDatabaseWrapper) -> bool:
    if _migrations_on_disk() <= MigrationRecorder(connection).applied_migrations().keys():
        return True
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _migrate(connection: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if unknown := unknown_migrations(executor.loader):
        raise DatabaseIsNewer(
            "A newer version of the orchestrator changed the database, and this version has migrations of its own "
            f"(unknown here: {_join(unknown)}).",
            next="Update this copy to the newer version, or set ORCHESTRATOR_HOME to another folder to start afresh.",
        )
    call_command("migrate", verbosity=0, interactive=False, database=connection.alias)
    from artifacts.search.index import catch_up  # only an upgrade needs it

    catch_up(seconds=_CATCH_UP_SECONDS)  # no longer than a start may take; a job does the rest


def unknown_migrations(loader: MigrationLoader) -> list[Name]:
    """Return what is recorded for installed apps but is neither on disk nor replaced by a squashed migration."""
    replaced = {name for migration in loader.disk_migrations.values() for name in migration.replaces}
    known = loader.disk_migrations.keys() | replaced
    return sorted(name for name in loader.applied_migrations if name[0] in loader.migrated_apps and name not in known)


def _join(names: list[Name]) -> str:
    return ", ".join(".".join(name) for name in names[:3])


def _is_complete(connection: BaseDatabaseWrapper) -> bool:
    """Compare names only: 2 ms, where building the graph of migrations takes ten times as long.

    A squashed migration that is recorded by its parts counts as missing, which costs building the graph.
    """
    on_disk = _migrations_on_disk()
    applied = MigrationRecorder(connection).applied_migrations().keys()
    if not on_disk <= applied:
        return False
    if (applied - on_disk) and (unknown := unknown_migrations(MigrationLoader(connection))):
        logger.warning("The database is newer than this copy of the orchestrator (%s); update it.", _join(unknown))
    return True


def _migrations_on_disk() -> set[Name]:
    found: set[Name] = set()
    for config in apps.get_app_configs():
        package, _ = MigrationLoader.migrations_module(config.label)
        if package is None or find_spec(package) is None:
            continue
        modules = pkgutil.iter_modules(import_module(package).__path__)
        found |= {(config.label, module.name) for module in modules if module.name[0] not in "_~"}
    return found


def _lock(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    if connection.vendor == "postgresql":
        return advisory_lock(connection)
    path = _sqlite_file(connection)
    if path is None:  # a database in memory, which has one process only
        return nullcontext()
    return file_lock(path.with_name(f"{path.name}.migrate-lock"))


def _sqlite_file(connection: BaseDatabaseWrapper) -> Path | None:
    if connection.vendor != "sqlite":
        return None
    name = str(connection.settings_dict["NAME"])
    return None if name == ":memory:" or "mode=memory" in name else Path(name)
