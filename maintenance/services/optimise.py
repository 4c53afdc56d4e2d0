"""Optimise: delete what has expired, refresh the planner's statistics, merge the search index, give back free pages.

Writers wait for one another on SQLite, so everything is done in steps of a few milliseconds. A full VACUUM is never
run here: it would keep every writer waiting while it copies the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from artifacts.services.abandon import abandon_uploads
from maintenance.services import prune
from tasks.services import idempotency

_ROWS_LOOKED_AT = 400
"""Rows of an index that ANALYZE looks at: enough for a good plan, and a matter of milliseconds at any size."""
_PAGES_AT_ONCE = 100
_STEPS = 2_000
"""The most steps of one kind in a run; the next run goes on."""
_INCREMENTAL = 2


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the database, of its free pages, and of its write-ahead log."""

    database: int
    free: int = 0
    log: int = 0


@dataclass(frozen=True, slots=True)
class Optimised:
    """What was deleted and done, and the sizes before and after."""

    before: Sizes
    after: Sizes
    keys: int
    runs: int
    uploads: int
    merges: int = 0

    def __str__(self) -> str:
        kept = f", of which {_size(self.after.free)} are free" if self.after.free else ""
        return (
            f"Deleted {self.keys} idempotency keys and {self.runs} runs of jobs, aborted {self.uploads} uploads, and "
            f"merged the search index in {self.merges} steps. The database has {_size(self.after.database)} "
            f"(before: {_size(self.before.database)}){kept}, and its log {_size(self.after.log)} "
            f"(before: {_size(self.before.log)})."
        )


def optimise() -> Optimised:
    before = sizes()
    keys = idempotency.forget(before=timezone.now() - prune.KEEP_KEYS)
    runs, uploads, merges = prune.delete_old_runs(), abandon_uploads(), 0
    if connection.vendor == "sqlite":
        merges = _merge_search()
        _give_back_pages()
    _analyse()
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        _checkpoint()
    return Optimised(before, sizes(), keys, runs, uploads, merges)


def sizes() -> Sizes:
    if connection.vendor != "sqlite":
        return Sizes(_value("SELECT pg_database_size(current_database())"))
    page = _value("PRAGMA page_size")
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    return Sizes(
        _value("PRAGMA page_count") * page,
        _value("PRAGMA freelist_count") * page,
        log.stat().st_size if log.exists() else 0,
    )


def _analyse() -> None:
    """Look at each table in a transaction of its own."""
    if connection.vendor == "sqlite":
        _run(f"PRAGMA analysis_limit={_ROWS_LOOKED_AT}")
    for model in apps.get_models():
        if model._meta.managed:
            _run(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def _merge_search() -> int:
    """Merge the parts of the search index, beginning with a merge of all of them (section 6.8 of sqlite.org/fts5)."""
    pages = -_PAGES_AT_ONCE

    def merge() -> bool:
        nonlocal pages
        before = _changes()
        statement = "INSERT INTO artifacts_searchindex (artifacts_searchindex, rank) VALUES ('merge', %s)"
        _run(statement, pages)
        pages = _PAGES_AT_ONCE
        return _changes() - before >= 2

    return _repeated(merge)


def _give_back_pages() -> int:
    """Shorten the file where it was made so that it can be, a few pages at a time."""
    if _value("PRAGMA auto_vacuum") != _INCREMENTAL:
        return 0

    def give_back() -> bool:
        _run(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
        return _value("PRAGMA freelist_count") > 0

    return _repeated(give_back)


def _checkpoint() -> None:
    """Write the log into the database, and empty it where neither readers nor writers need it; wait for none."""
    timeout = int(connection.settings_dict["OPTIONS"]["timeout"] * 1000)
    _run("PRAGMA busy_timeout=0")
    try:
        _run("PRAGMA wal_checkpoint(PASSIVE)")
        _run("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        _run(f"PRAGMA busy_timeout={timeout}")


def _repeated(step: Callable[[], bool]) -> int:
    """Repeat a step while it says that there is more to do; returns how often that was."""
    done = 0
    while done < _STEPS and step():
        done += 1
    return done


def _run(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        if cursor.description:
            cursor.fetchall()


def _value(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _changes() -> int:
    raw: Any = connection.connection
    return int(raw.total_changes)


def _size(number: int) -> str:
    return filesizeformat(number).replace("\xa0", " ")
