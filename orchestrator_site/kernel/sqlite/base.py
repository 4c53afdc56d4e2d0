"""Turn on WAL, follow the file, note each commit, and rewrite placeholders once per SQL text, not per statement."""

from __future__ import annotations

import sqlite3
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.commits import note_commit
from orchestrator_site.kernel.files import file_identity

_had: set[str] = set()
"""The files that this process had open. One that has gone is not made again: it may be put back."""


@lru_cache(maxsize=1000)
def _with_question_marks(query: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


def _turn_on_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Wait where several processes open a new file at once.

    SQLite needs the file for itself to change its journal, and fails at once, instead of waiting, while it has not.
    Never look into the file without SQLite: closing it then would free all locks of this process on it, and others
    could take the log away from under its connections (section 2.2 of sqlite.org/howtocorrupt.html).
    """
    ends_at = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                connection.close()
                raise
        time.sleep(0.02)


class Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        if param_names is None:
            return _with_question_marks(query)
        return super().convert_query(query, param_names=param_names)


class DatabaseWrapper(base.DatabaseWrapper):
    _file: tuple[int, int] | None = None
    _is_read_only = False

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        self._is_read_only = read_only.is_on()
        name = str(params["database"])
        if self._is_read_only or name in _had:
            params["database"] = f"{Path(name).absolute().as_uri()}?mode={'ro' if self._is_read_only else 'rw'}"
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        name = str(self.settings_dict["NAME"])
        before = file_identity(name)  # if it is replaced now, the next cursor knows
        connection = super().get_new_connection(conn_params)
        _turn_on_wal(connection, conn_params["timeout"])
        self._file = before or file_identity(name)
        if self._file is not None:
            _had.add(name)
        return connection

    def cursor(self) -> Any:
        """Leave a file that was deleted or replaced: what is written there would be lost."""
        is_free = self.connection is not None and not self.in_atomic_block
        if is_free and (
            read_only.is_on() != self._is_read_only or file_identity(str(self.settings_dict["NAME"])) != self._file
        ):
            self.close()
        return super().cursor()

    def create_cursor(self, name: Any = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # the stubs lack it; where it fails, SQLite has rolled back
        note_commit()
