"""Look at the database and its history without changing either."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from maintenance.choices import UpgradeOutcome
from maintenance.models import Upgrade
from maintenance.upgrades.failure import Attempt, failures
from maintenance.upgrades.newer import unknown_migrations
from maintenance.upgrades.plan import checksum, steps_of
from maintenance.upgrades.upgrade import check


@dataclass(frozen=True, slots=True)
class Verified:
    """What is wrong, and what only should be looked at, each as a sentence."""

    problems: list[str]
    warnings: list[str]


def verify(connection: BaseDatabaseWrapper) -> Verified:
    """Check the file, foreign keys and migrations, and the last failure."""
    executor = MigrationExecutor(connection)
    problems = [f"Unknown to this version: {'.'.join(name)}." for name in unknown_migrations(executor.loader)]
    problems += [f"The last upgrade failed: {each.problem}" for each in failures(connection)[-1:]]
    try:
        check(connection)
    except IntegrityError as error:
        problems.append(str(error))
    warnings = [f"Not applied yet: {step.name}." for step in steps_of(executor)]
    warnings += [f"Its file has changed since it was applied: {name}." for name in changed_files(connection)]
    return Verified(problems, warnings)


def changed_files(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the migrations whose files are not those that were applied, as far as that was recorded."""
    if not _has_history(connection):
        return []
    rows = Upgrade.objects.filter(outcome=UpgradeOutcome.SUCCEEDED).order_by("id")
    recorded = {each["name"]: each["sha256"] for row in rows for each in row.migrations}
    files = {str(each): each for each in MigrationExecutor(connection).loader.disk_migrations.values()}
    return sorted(name for name, known in recorded.items() if name in files and checksum(files[name]) != known)


def history(connection: BaseDatabaseWrapper, limit: int = 50) -> list[Attempt]:
    """Return upgrades, newest first, those that failed since the last success included."""
    rows = Upgrade.objects.all()[:limit] if _has_history(connection) else []
    done = [Attempt(**{name: getattr(row, name) for name in Attempt.__slots__}) for row in rows]
    return [*reversed(failures(connection)), *done]


def _has_history(connection: BaseDatabaseWrapper) -> bool:
    return Upgrade._meta.db_table in connection.introspection.table_names()
