"""Copies of the database alone, made before each upgrade, and the way back to one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from math import ceil
from pathlib import Path

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from maintenance.services.backup import copy_database
from maintenance.upgrades.places import sqlite_file
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.db_errors import error_for
from orchestrator_site.kernel.errors import Invalid, NotFound, Unavailable
from orchestrator_site.kernel.files import disk_fault, make_folder, sync_folder

KEPT = 5
_NAME = "%Y%m%dT%H%M%SZ"
_MEGABYTE = 1024 * 1024


class DatabaseIsDamaged(Unavailable):
    """The file cannot be read as a whole."""


def folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "backups"


def make_copy(connection: BaseDatabaseWrapper, *, before: str) -> str:
    """Copy the database while others write, read the copy again, and keep the newest five; return its name.

    The name is empty where none is made: in memory, and on PostgreSQL without pg_dump. Raises Unavailable where the
    disk has not twice the space that the database takes, for a full disk all the same, and for a damaged database.
    """
    file = sqlite_file(connection)
    if file is None and (connection.vendor == "sqlite" or not shutil.which("pg_dump")):
        return ""
    name = f"{timezone.now():{_NAME}}-before-{before}{'.dump' if file is None else '.sqlite3'}"
    draft = folder() / f"{name}.partial"
    with _faults_named():
        make_folder(folder(), 0o700)
        for left_over in folder().glob("*.partial"):
            left_over.unlink()
        _require_space(connection, file)
        try:
            _dump(connection, draft) if file is None else _copy(draft)
            draft.replace(folder() / name)
            sync_folder(folder())
        finally:
            draft.unlink(missing_ok=True)
        for old in sorted(folder().glob(f"*-before-{before}.*"))[:-KEPT]:
            old.unlink()
    return name


def file_of(name: str) -> Path:
    """Return a backup by its name in the folder, or by its path. Raises NotFound."""
    for file in (folder() / name, Path(name).absolute()):
        if file.is_file():
            return file
    raise NotFound(
        f"There is no backup {name!r}.",
        next=f"They are in {folder()}. To go back to one that manage.py backup made, set ORCHESTRATOR_HOME to it.",
    )


def put_back(connection: BaseDatabaseWrapper, file: Path) -> str:
    """Write a copy over the database, in one transaction that others see begin and end.

    Returns the name of the copy that was made of what was there, empty where nothing was. Raises Invalid for a file
    that is no whole database of the product, Unavailable where the disk refuses.
    """
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source:
        try:
            is_whole = source.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            source.execute("SELECT 1 FROM django_migrations")
        except sqlite3.Error:
            is_whole = False
        if not is_whole:
            raise Invalid(f"{file} is no whole backup of the database.", next=f"{unchanged()} Name another.".strip())
        connection.close()
        with _faults_named():
            return _write_over(connection, source)


def _write_over(connection: BaseDatabaseWrapper, source: sqlite3.Connection) -> str:
    """Nothing can be written over a damaged file, so it is moved as it is, once another one is complete."""
    live = Path(connection.settings_dict["NAME"])
    target, kept = live.with_name(f"{live.name}.partial"), ""
    with suppress(DatabaseIsDamaged):
        if live.exists():
            target, kept = live, make_copy(connection, before="restore")
    with closing(sqlite3.connect(target, timeout=20)) as written:
        source.backup(written)
    if target != live:
        kept = _set_aside(live)
        target.replace(live)
        sync_folder(live.parent)
    return kept


def _set_aside(file: Path) -> str:
    """Move the file, if it is there, and its log, which SQLite would apply to the next one."""
    name = f"{timezone.now():{_NAME}}-damaged.sqlite3" if file.exists() else ""
    make_folder(folder(), 0o700)
    for ending in ("-wal", "-shm", ""):
        if (part := file.with_name(file.name + ending)).exists():
            shutil.move(part, folder() / f"{name or file.name}{ending}")
    return name


@contextmanager
def another_file(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let this process use a copy that is deleted afterwards, in place of the database."""
    name, draft = connection.settings_dict["NAME"], folder() / f"dry-run-{os.getpid()}.partial"
    with _faults_named():
        make_folder(folder(), 0o700)
        _require_space(connection, sqlite_file(connection))
        _copy(draft)
    try:
        connection.close()
        connection.settings_dict["NAME"] = str(draft)
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
        for left_over in folder().glob(f"{draft.name}*"):
            left_over.unlink()


def _copy(draft: Path) -> None:
    try:
        with closing(copy_database(draft)) as copy:
            damage = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        damage = str(error)
    if damage != "ok":
        raise DatabaseIsDamaged(
            f"The database is damaged ({damage[:200]}).",
            next=f"{unchanged()} Stop everything, then restore a backup: manage.py upgrade --restore BACKUP".strip(),
        )


def _dump(connection: BaseDatabaseWrapper, draft: Path) -> None:
    arguments, environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    command = ["pg_dump", "--format=custom", f"--file={draft}", *arguments[1:]]
    draft.touch(0o600)
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True)
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise Unavailable(
            f"pg_dump cannot back up the database: {why[0][:300]}",
            next=f"{unchanged()} Install that of the server's version, or take it off PATH to go without.".strip(),
        )


def _require_space(connection: BaseDatabaseWrapper, file: Path | None) -> None:
    if file is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            size = int(cursor.fetchone()[0])
    else:
        size = sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*") if each.suffix != ".json")
    for place in {folder(), file.parent if file else folder()}:
        if (free := shutil.disk_usage(place).free) < 2 * size:
            raise Unavailable(
                f"The disk has {free // _MEGABYTE:,} MB free; a backup and an upgrade take up to "
                f"{ceil(2 * size / _MEGABYTE):,} MB.",
                next=f"{unchanged()} Ask the person who runs the server to free disk space.".strip(),
            )


@contextmanager
def _faults_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_fault("The database cannot be copied", error) from error
    except sqlite3.Error as error:
        raise error_for(error) or Unavailable(f"The database cannot be copied: {error}.") from error
