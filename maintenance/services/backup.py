"""Backup: copy the data of a running site, so that no row of the copy lacks its bytes."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from io import FileIO
from itertools import chain
from pathlib import Path
from shutil import rmtree

from django.db import connection
from django.utils import timezone

from artifacts.models import Content
from artifacts.services.export import require_outside_home
from artifacts.storage import staging
from artifacts.storage.backends import content_store
from artifacts.storage.base import Readable, place_of
from maintenance.exports import zipped
from orchestrator_site.kernel.errors import Conflict, Invalid, ServerFault
from orchestrator_site.kernel.files import disk_fault, make_folder, sync_folder

DATABASE = "orchestrator.sqlite3"
KEPT, KEPT_WEEKS = 5, 4
"""How many dated copies stay: the newest, and of so many weeks the last."""
_NAME = "%Y%m%dT%H%M%SZ"
_DATED = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_CHUNK = 1024 * 1024
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Backup:
    """How much was copied, and what is wrong with the copy, and so with the original."""

    contents: int
    size_bytes: int
    problems: list[str]


def back_up(*, to: Path) -> Backup:
    """Copy the database, content, open uploads and exports into an empty folder, and read all of the copy again.

    Only this account can read the copy. Raises Invalid on PostgreSQL, without data, and for a folder that is inside
    the data folder or cannot be written to, Conflict for one that is not empty, ServerFault for data that is not read.
    """
    if connection.vendor != "sqlite":
        raise Invalid(
            "Only SQLite is copied here.",
            next="Run pg_dump first, and copy the folder content of ORCHESTRATOR_HOME then.",
        )
    _require_data()
    try:
        _require_empty(to)
        # What is removed from now on was copied before; what is new is too young to be removed.
        _copy_content(to, _stored())
        _copy_staged(to)
        _copy_exports(to)
        draft = to / f"{DATABASE}.partial"
        with closing(copy_database(draft)) as copy:
            _copy_content(to, _names_in(copy))
            _copy_staged(to)
            _copy_exports(to)
            _end_uploads_without_bytes(copy, to)
            found = _check(copy, to)
        draft.replace(to / DATABASE)
        sync_folder(to)
    except (OSError, sqlite3.Error) as error:  # of the copy; those of the data are told apart where it is read
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        what = f"The backup cannot be written to {to}: {why}."
        raise Invalid(what, next="Free space there or make it writable, and name a new or empty folder.") from error
    return found


def back_up_dated(*, folder: Path) -> Backup:
    """Copy the data into a new folder in this one, named by the time, and remove what is older than the newest copies.

    Raises what `back_up` does, and ServerFault for a copy that is not whole; then no older one is removed.
    """
    made = back_up(to=folder / timezone.now().strftime(_NAME))
    if made.problems:
        raise ServerFault(f"Not all of the backup is whole: {made.problems[0]}", next="Run manage.py artifacts verify.")
    copies = sorted(each for each in folder.iterdir() if _DATED.fullmatch(each.name))
    whole = [each for each in copies if (each / DATABASE).is_file()]
    by_week = {datetime.strptime(each.name, _NAME).isocalendar()[:2]: each for each in whole}
    for old in set(copies) - {*whole[-KEPT:], *list(by_week.values())[-KEPT_WEEKS:]}:
        rmtree(old)
    return made


def _require_data() -> None:
    is_there = Path(connection.settings_dict["NAME"]).is_file()  # connecting would make one
    if not is_there or Content._meta.db_table not in connection.introspection.table_names():
        raise Invalid("There is no data to back up.", next="Check ORCHESTRATOR_HOME; the first start makes its data.")


@contextmanager
def _reading_data() -> Iterator[None]:
    """Tell errors of the data folder from those of the copy; a file that is gone by now is the caller's."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk_fault("The data cannot be read", error) from error


def _require_empty(to: Path) -> None:
    require_outside_home(to, to)
    make_folder(to, 0o700)
    if any(to.iterdir()):
        raise Conflict(f"{to} is not empty.", next="Name a new folder for each backup.")


def copy_database(file: Path) -> sqlite3.Connection:
    """Copy the database as it is at one time, while others write."""
    file.touch(_PRIVATE, exist_ok=False)
    copy = sqlite3.connect(file, isolation_level=None)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=20)) as source:
        source.backup(copy)
    copy.execute("PRAGMA journal_mode=DELETE")  # one file, that is synced when it is written
    return copy


def _stored() -> list[str]:
    with _reading_data():
        return [each.name for each in content_store().stored()]


def _names_in(copy: sqlite3.Connection) -> list[str]:
    return [name for (name,) in copy.execute("SELECT stored_as FROM artifacts_content WHERE data IS NULL")]


def _copy_content(to: Path, names: list[str]) -> None:
    for name in names:
        target = to / "content" / place_of(name)
        if not target.exists():
            _copy(target, partial(content_store().open, name))


def _copy_staged(to: Path) -> None:
    with _reading_data():
        names = staging.names()
    for name in names:
        _copy(to / "staging" / name, partial(FileIO, staging.path_of(name)))


def _copy_exports(to: Path) -> None:
    with _reading_data():
        files = [file for file in zipped.folder().rglob("*.zip") if not file.name.startswith(".")]
    for file in files:
        target = to / "exports" / file.relative_to(zipped.folder())
        if not target.exists():
            _copy(target, partial(FileIO, file))


def _copy(target: Path, open_source: Callable[[], AbstractContextManager[Readable]]) -> None:
    """Copy a file, unless it has gone: what the database names is checked at the end."""
    chunks = _chunks_of(open_source)
    try:
        first = next(chunks, b"")
    except FileNotFoundError:
        return
    _write(target, chain([first], chunks))


def _chunks_of(open_source: Callable[[], AbstractContextManager[Readable]]) -> Iterator[bytes]:
    with _reading_data(), open_source() as source:
        while chunk := source.read(_CHUNK):
            yield chunk


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    make_folder(target.parent, 0o700)
    draft = target.with_name(f"{target.name}.partial")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), _PRIVATE), "wb") as handle:
        handle.writelines(chunks)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(target)
    sync_folder(target.parent)


def _end_uploads_without_bytes(copy: sqlite3.Connection, to: Path) -> None:
    """End uploads whose staged bytes went while they were copied: they are committed or aborted by now."""
    for key, name, received in copy.execute(
        "SELECT id, public_id, received FROM artifacts_upload WHERE state = 'open'"
    ).fetchall():
        file = to / "staging" / name
        if received and (not file.exists() or file.stat().st_size < received):
            copy.execute("UPDATE artifacts_upload SET state = 'aborted' WHERE id = ?", [key])


def _check(copy: sqlite3.Connection, to: Path) -> Backup:
    damage = [line for (line,) in copy.execute("PRAGMA quick_check(5)") if line != "ok"]
    problems, count, total = [f"damaged database: {line}" for line in damage], 0, 0
    for digest, data, name, size in copy.execute("SELECT sha256, data, stored_as, size_bytes FROM artifacts_content"):
        count, total = count + 1, total + size
        if _digest_of(data, to / "content" / place_of(name)) != digest:
            problems.append(f"missing or damaged: {digest}")
    for name, digest in copy.execute(
        "SELECT export_name, export_sha256 FROM maintenance_tombstone WHERE imported_at IS NULL"
    ):
        if _digest_of(None, to / "exports" / name) != digest:
            problems.append(f"missing or damaged export: {name}")
    return Backup(count, total, problems)


def _digest_of(data: bytes | None, file: Path) -> str:
    digest = sha256(data or b"")
    if data is None:
        with suppress(FileNotFoundError), file.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
