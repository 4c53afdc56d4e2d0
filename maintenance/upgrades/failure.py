"""What is known of an upgrade that failed, in a file beside the database, whose schema is still the old one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from maintenance.choices import UpgradeOutcome
from maintenance.upgrades.places import notice_of
from maintenance.upgrades.plan import digest
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.files import sync_folder, write_whole


@dataclass(slots=True)
class Attempt:
    """An upgrade, with the columns of its row."""

    version: str
    actor_name: str
    started_at: datetime
    outcome: UpgradeOutcome = UpgradeOutcome.SUCCEEDED
    migrations: list[dict[str, str]] = field(default_factory=list)
    rows: int = 0
    backup: str = ""
    problem: str = ""
    seconds: float = 0.0


def failures(connection: BaseDatabaseWrapper) -> list[Attempt]:
    """Return what failed since the last success, the newest last."""
    return [
        Attempt(**{**each, "started_at": datetime.fromisoformat(each["started_at"])})
        for each in _read(notice_of(connection)).get("failed", [])
    ]


def last_failure() -> Attempt | None:
    return next(reversed(failures(connections[DEFAULT_DB_ALIAS])), None)


def failed_here(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> bool:
    """Tell whether the upgrade failed with just the migrations that this version has."""
    notice = notice_of(connection)
    return notice.exists() and _read(notice).get("digest") == digest(loader)


def note(connection: BaseDatabaseWrapper, loader: MigrationLoader, attempt: Attempt) -> None:
    notice, failed = notice_of(connection), [*failures(connection), attempt]
    rows = [{**asdict(each), "started_at": each.started_at.isoformat()} for each in failed]
    write_whole(notice, json.dumps({"digest": digest(loader), "failed": rows}, indent=1).encode())
    sync_folder(notice.parent)


def serve_read_only_where_failed() -> bool:
    """Refuse changes in this process if its version failed to upgrade the database; return whether it is so."""
    connection = connections[DEFAULT_DB_ALIAS]
    if notice_of(connection).exists() and failed_here(connection, MigrationLoader(None)):
        read_only.start(notice_of(connection))
        connection.close()
    return read_only.is_on()


def _read(notice: Path) -> dict[str, Any]:
    try:
        found = json.loads(notice.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
