"""Bring the schema up to date before a process serves, however many processes start at once."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from maintenance.upgrades.locks import schema_lock
from maintenance.upgrades.places import notice_of
from orchestrator_site.kernel import read_only


def ensure_schema(*, schedules: bool = False) -> None:
    """Apply every migration that the default database lacks, or return at once where it lacks none.

    1. Compare what is recorded with what is on disk; usually nothing is missing and that is all.
    2. Otherwise take the lock, look again (another process may have been faster), and upgrade.

    Where the upgrade fails, this returns and the process serves read-only. `schedules` updates those of the jobs too;
    only what starts a worker needs them.

    Raises Transient where another process holds the lock for too long, and what `upgrade` raises.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if schedules:
        from maintenance.schedules import are_in_sync, sync_schedules  # the bridge does not need the queue's modules
    if _is_complete(connection) and (not schedules or are_in_sync()):
        return
    from maintenance.upgrades.upgrade import upgrade  # few starts upgrade

    with schema_lock(connection):
        upgrade(connection)
        if schedules and not read_only.is_on():
            sync_schedules()


def is_current(connection: BaseDatabaseWrapper) -> bool:
    if _migrations_on_disk() <= MigrationRecorder(connection).applied_migrations().keys():
        return True
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _is_complete(connection: BaseDatabaseWrapper) -> bool:
    """Compare names only: 2 ms, where building the graph of migrations takes ten times as long.

    A squashed migration that is recorded by its parts counts as missing, which costs building the graph.
    """
    on_disk = _migrations_on_disk()
    applied = MigrationRecorder(connection).applied_migrations().keys()
    if not on_disk <= applied or notice_of(connection).exists():
        return False
    if applied - on_disk:
        from maintenance.upgrades.newer import refuse_newer

        refuse_newer(connection, MigrationLoader(connection))
    return True


def _migrations_on_disk() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for config in apps.get_app_configs():
        package, _ = MigrationLoader.migrations_module(config.label)
        if package is None or find_spec(package) is None:
            continue
        modules = pkgutil.iter_modules(import_module(package).__path__)
        found |= {(config.label, module.name) for module in modules if module.name[0] not in "_~"}
    return found
