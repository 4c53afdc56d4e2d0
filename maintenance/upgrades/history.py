"""The upgrades so far, and the files of what they applied."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from maintenance.choices import UpgradeOutcome
from maintenance.models import Upgrade
from maintenance.upgrades.failure import Attempt, failures
from maintenance.upgrades.plan import checksum


def changed_files(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the migrations whose files are not those that were applied, as far as that was recorded."""
    if not _has_history(connection):
        return []
    rows = Upgrade.objects.filter(outcome=UpgradeOutcome.SUCCEEDED).order_by("id")
    recorded = {each["name"]: each["sha256"] for row in rows for each in row.migrations}
    files = {str(each): each for each in MigrationLoader(None).disk_migrations.values()}
    return sorted(name for name, known in recorded.items() if name in files and checksum(files[name]) != known)


def history(connection: BaseDatabaseWrapper, limit: int = 50) -> list[Attempt]:
    """Return upgrades, newest first, those that failed since the last success included."""
    rows = Upgrade.objects.all()[:limit] if _has_history(connection) else []
    done = [Attempt(**{name: getattr(row, name) for name in Attempt.__slots__}) for row in rows]
    return [*reversed(failures(connection)), *done]


def _has_history(connection: BaseDatabaseWrapper) -> bool:
    return Upgrade._meta.db_table in connection.introspection.table_names()
