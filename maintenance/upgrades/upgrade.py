"""Upgrade the schema in one transaction, after a backup; restore a backup; try an upgrade on a copy."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import DatabaseError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from maintenance.choices import UpgradeOutcome
from maintenance.models import Upgrade
from maintenance.upgrades import copies
from maintenance.upgrades.early import Gap, plan_of
from maintenance.upgrades.failure import (
    Attempt,
    failed_here,
    failures,
    note,
    serve_read_only_where_failed,
)
from maintenance.upgrades.locks import schema_lock
from maintenance.upgrades.newer import DatabaseIsForeign, refuse_foreign, refuse_newer
from maintenance.upgrades.places import notice_of
from maintenance.upgrades.plan import Step, checksum, steps_of
from orchestrator_site import __version__
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.db_errors import is_passing
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.sqlite.check import quick_check

logger = logging.getLogger(__name__)

_CATCH_UP_SECONDS = 20.0
_NAMED = 3


class NeedsPerson(Conflict):
    """The upgrade removes or narrows something, so a person starts it."""


def upgrade(connection: BaseDatabaseWrapper, *, by_hand: bool = False) -> Attempt | None:
    """Bring the schema up to date and return what was done; None if nothing was. Call it under `schema_lock`.

    1. Plan. What removes or narrows, and what failed with the same migrations before, waits for a person.
    2. Back up, while others write.
    3. Migrate, check and record in one transaction: a failure, and a process that is killed, leave the old state
       with everything that others wrote.

    After a failure this process serves read-only. Raises DatabaseIsNewer, DatabaseIsForeign, NeedsPerson, and
    Unavailable where the disk has too little space; DatabaseError and OSError for what may pass.
    """
    executor, gaps = plan_of(connection)
    refuse_newer(connection, executor.loader)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        _settle(connection)
        return None
    if not gaps:
        refuse_foreign(connection, executor.loader)
    steps = steps_of(executor)
    if not by_hand:
        if failed_here(connection, executor.loader):
            logger.warning("Its last upgrade failed, so the database is read-only. See manage.py doctor.")
            serve_read_only_where_failed()
            return None
        _require_harmless(steps)
    return _apply(connection, executor, steps)


def planned(connection: BaseDatabaseWrapper) -> tuple[MigrationExecutor, list[Gap]]:
    """Return what `plan_of` does. Raises DatabaseIsNewer and DatabaseIsForeign."""
    executor, gaps = plan_of(connection)
    refuse_newer(connection, executor.loader)
    if not gaps:
        refuse_foreign(connection, executor.loader)
    return executor, gaps


def restore(connection: BaseDatabaseWrapper, *, backup: str) -> Attempt:
    """Write a backup over the database, after a backup of what is there. Raises NotFound, Invalid and Unavailable."""
    file = copies.file_of(backup)
    if connection.vendor != "sqlite":
        raise Invalid("Only SQLite is restored here.", next=f"Stop everything; pg_restore --clean {file.name}.")
    with schema_lock(connection):
        kept = copies.put_back(connection, file)
    attempt = _attempt(connection, [])
    attempt.outcome, attempt.backup = UpgradeOutcome.RESTORED, kept
    attempt.problem = f"{file.name} was restored."
    with suppress(DatabaseError), transaction.atomic():  # the backup may be older than the history
        _record([attempt])
    return attempt


def dry_run(connection: BaseDatabaseWrapper) -> Attempt | None:
    """Upgrade a copy of the database and delete it. Raises Invalid on PostgreSQL, and as `upgrade` does."""
    if connection.vendor != "sqlite":
        raise Invalid("Only SQLite is copied here.", next="Restore a dump elsewhere, and name it in DATABASE_URL.")
    with schema_lock(connection), copies.another_file(connection):
        steps = steps_of(planned(connection)[0])
        attempt = _attempt(connection, steps)
        return _migrated(connection, attempt, _Progress(len(steps))) if steps else None


def _require_harmless(steps: list[Step]) -> None:
    if harms := [f"{step.name} {harm}" for step in steps for harm in step.harms]:
        more = f" and {len(harms) - _NAMED} more" if len(harms) > _NAMED else ""
        raise NeedsPerson(
            f"The upgrade of the database removes or narrows something: {'; '.join(harms[:_NAMED])}{more}.",
            next=f"{unchanged()} The person who runs the server looks at it with manage.py upgrade --plan and does it "
            "with manage.py upgrade --apply, which backs up first.".strip(),
            details={"harms": harms[:20]},
        )


def _apply(connection: BaseDatabaseWrapper, executor: MigrationExecutor, steps: list[Step]) -> Attempt:
    read_only.stop()
    attempt, is_new = _attempt(connection, steps), not executor.loader.applied_migrations
    if not is_new:
        attempt.backup = copies.make_copy(connection, before="upgrade")
        without = "without a backup, as pg_dump is not here" if connection.vendor == "postgresql" else "in memory"
        how = f"backup: {attempt.backup}" if attempt.backup else without
        logger.info("Upgrading the database; migrations: %d; %s.", len(steps), how)
    _migrated(connection, attempt, _Progress(0 if is_new else len(steps)), is_kept=True, may_fail=not is_new)
    if attempt.outcome == UpgradeOutcome.FAILED:
        note(connection, executor.loader, attempt)
        serve_read_only_where_failed()
        return attempt
    notice_of(connection).unlink(missing_ok=True)
    from artifacts.search.index import catch_up  # only an upgrade needs it

    catch_up(seconds=_CATCH_UP_SECONDS)  # no longer than a start may take; a job does the rest
    return attempt


def _migrated(
    connection: BaseDatabaseWrapper,
    attempt: Attempt,
    progress: _Progress,
    *,
    is_kept: bool = False,
    may_fail: bool = True,
) -> Attempt:
    began = time.monotonic()
    try:
        with _one_transaction(connection):
            attempt.migrations[:0] = _close_gaps(connection)
            call_command(progress, verbosity=0, interactive=False, database=connection.alias)
            check(connection)
            attempt.seconds = round(time.monotonic() - began, 3)
            if is_kept:
                _record([*failures(connection), attempt])
    except DatabaseIsForeign:
        raise
    except Exception as error:  # the outermost edge of migrations, which run any code
        if not may_fail or is_passing(error):
            raise
        logger.exception("The upgrade of the database failed; all of it was taken back.")
        attempt.outcome, attempt.seconds = UpgradeOutcome.FAILED, round(time.monotonic() - began, 3)
        attempt.problem = f"{progress.current}: {type(error).__name__}: {error}"[:2000]
    return attempt


def _close_gaps(connection: BaseDatabaseWrapper) -> list[dict[str, str]]:
    """Make an early database what its recorded migrations make today. Raises DatabaseIsForeign for any other one."""
    executor, gaps = plan_of(connection)
    for gap in gaps:
        logger.info("Adding what the database lacks: %s.", gap.name)
        gap.close(connection, executor.loader)
    if gaps:
        refuse_foreign(connection, MigrationLoader(connection))
    files = {str(each): checksum(each) for each in executor.loader.disk_migrations.values()} if gaps else {}
    return [{"name": gap.name, "sha256": files.get(gap.name, "")} for gap in gaps]


@contextmanager
def _one_transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Begin with what migrations would do one by one: SQLite rebuilds tables only without foreign keys, which are
    switched outside of transactions, and PostgreSQL alters only tables without pending checks."""
    connection.disable_constraint_checking()
    try:
        with transaction.atomic(using=connection.alias):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            yield
    finally:
        connection.enable_constraint_checking()


def check(connection: BaseDatabaseWrapper) -> None:
    """Read the whole database and compare its foreign keys. Raises IntegrityError."""
    if connection.vendor == "sqlite" and (damage := quick_check(connection)):
        raise IntegrityError(f"The database is damaged: {damage[:200]}")
    connection.check_constraints()


class _Progress(Migrate):
    """Django's command, which names each migration as it begins."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.current, self._total, self._begun = "", total, 0

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action != "apply_start":
            return
        self.current, self._begun = str(migration), self._begun + 1
        if self._total:
            logger.info("Migration %d of %d: %s.", self._begun, self._total, migration)


def _attempt(connection: BaseDatabaseWrapper, steps: list[Step]) -> Attempt:
    files = [{"name": step.name, "sha256": checksum(step.migration)} for step in steps]
    return Attempt(__version__, _who(), timezone.now(), migrations=files, rows=_count_rows(connection))


def _who() -> str:
    command = " ".join([Path(sys.argv[0]).name, *(word for word in sys.argv[1:2] if not word.isdigit())])
    return f"{psutil.Process().username()}: {command}"[:200]


def _count_rows(connection: BaseDatabaseWrapper) -> int:
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        return sum(_count(cursor, connection.ops.quote_name(table)) for table in tables)


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
    return int(cursor.fetchone()[0])


def _settle(connection: BaseDatabaseWrapper) -> None:
    """End a failure that another version has left behind: for this one, the schema is complete."""
    if notice_of(connection).exists():
        _record(failures(connection))
        notice_of(connection).unlink()
        read_only.stop()


def _record(attempts: list[Attempt]) -> None:
    """Write rows, but none twice: a process may have been killed before it could remove the file."""
    known = set(Upgrade.objects.filter(started_at__in=[each.started_at for each in attempts]).values_list("started_at"))
    Upgrade.objects.bulk_create(
        Upgrade(**{name: getattr(each, name) for name in Attempt.__slots__})
        for each in attempts
        if (each.started_at,) not in known
    )
