"""Map what a database refuses to an error: transient where it passes, unavailable where a person has to act."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import ServerFault, Transient, Unavailable
from orchestrator_site.kernel.files import FULL_BELOW, Fault, fault_at

logger = logging.getLogger(__name__)

DATABASE_ERRORS = (DatabaseError, InterfaceError)
"""What the database raises: busy, full, gone, damaged, or two requests with the same random id."""
_SQLITE = {
    sqlite3.SQLITE_PERM: Fault.DENIED,
    sqlite3.SQLITE_READONLY: Fault.DENIED,
    sqlite3.SQLITE_IOERR: Fault.BROKEN,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_CANTOPEN: Fault.MISSING,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
}
_POSTGRESQL = {
    "25006": Fault.DENIED,
    "28000": Fault.DENIED,
    "28P01": Fault.DENIED,
    "3D000": Fault.MISSING,
    "53100": Fault.FULL,
    "58030": Fault.BROKEN,
    "XX001": Fault.DAMAGED,
    "XX002": Fault.DAMAGED,
    "23502": Fault.REFUSED,
    "23514": Fault.REFUSED,
    "P0001": Fault.REFUSED,
}
_PASSING = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
)
"""Constraints that another change may have violated just before, as the same ones of PostgreSQL."""
_PASSING_STATES = ("08", "40", "55P03", "57")
"""PostgreSQL: the connection, a deadlock, a lock that is not to be had, a shutdown."""
_OF_THE_PLACE = (Fault.FULL, Fault.DENIED, Fault.MISSING, Fault.BROKEN)
_NO_TABLE = ("no such table", "no such column")


def fault_of(error: BaseException) -> Fault | None:
    """Return what a person has to cure; None for what passes, and for what is no fault of the database."""
    cause = error if error.__cause__ is None else error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return _POSTGRESQL.get(getattr(cause, "sqlstate", None) or "")
    if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        return None if code in _PASSING else Fault.REFUSED
    if code & 0xFF == sqlite3.SQLITE_ERROR and str(cause).startswith(_NO_TABLE):
        return Fault.NO_SCHEMA
    found = _SQLITE.get(code & 0xFF)
    # SQLite says only that it could not: the folder shows why.
    return (fault_of_data() or found) if found in (Fault.BROKEN, Fault.MISSING) else found


def is_passing(error: BaseException) -> bool:
    """Tell what time or a person at the machine cures (busy, full, out of reach) from a mistake of a statement."""
    cause = error if error.__cause__ is None else error.__cause__
    busy = getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    state = getattr(cause, "sqlstate", None) or ""
    return busy or state.startswith(_PASSING_STATES) or fault_of(error) in _OF_THE_PLACE


def fault_of_data(*, keep_free: int = FULL_BELOW) -> Fault | None:
    """Return what is wrong with the data folder, or with the folder of an SQLite database."""
    found = fault_at(Path(settings.ORCHESTRATOR_HOME), keep_free=keep_free)
    if found or connection.vendor != "sqlite":
        return found
    file = Path(str(connection.settings_dict["NAME"]))
    return fault_at(file.parent, file, keep_free=keep_free) if file.is_absolute() else None


def error_for(error: BaseException) -> ServerFault | None:
    """Return the error for callers; None for a mistake of ours, such as malformed SQL."""
    fault = fault_of(error)
    if fault is Fault.DENIED and read_only.is_on():
        return read_only.refused()
    if fault:
        return Unavailable(f"The database cannot do this: {fault.value}.", next=f"{unchanged()} {fault.cure}".strip())
    if isinstance(error, OperationalError | IntegrityError | InterfaceError):
        return Transient("The database is busy.", retry_after_ms=2000, next=f"{unchanged()} Retry later.".strip())
    return None


@contextmanager
def db_errors_mapped(what: str) -> Iterator[None]:
    """Log the database's message, which may hold rows, and raise Transient or Unavailable instead."""
    try:
        yield
    except DATABASE_ERRORS as error:
        if (shown := error_for(error)) is None:
            raise
        logger.error("The database refused %s.", what, exc_info=not read_only.is_on())
        raise shown from error
