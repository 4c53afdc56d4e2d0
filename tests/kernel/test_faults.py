"""What a database or a disk refuses: only what passes is transient, and the rest says who can cure it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.db import DatabaseError, connection
from pytest_django import Settings

from orchestrator_site.kernel.db_errors import db_errors_mapped, fault_of
from orchestrator_site.kernel.errors import OrchestratorError, ServerFault
from orchestrator_site.kernel.files import Fault, disk_fault, fault_at

Ask = Callable[[Path], None]


def ask(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, timeout=0)) as database:
        for statement in statements:
            database.execute(statement)


def no_database(path: Path) -> None:
    path.write_text("not a database, but long enough to be read as one" * 20)
    ask(path, "SELECT * FROM sqlite_master")


def damaged(path: Path) -> None:
    ask(path, "CREATE TABLE t (x)", "CREATE INDEX i ON t (x)")
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 1000)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 200_000)
    ask(path, "SELECT max(length(x)) FROM t NOT INDEXED")


def a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    ask(path)


def full(path: Path) -> None:
    ask(path, "PRAGMA max_page_count=2", "CREATE TABLE t (x)", "INSERT INTO t VALUES (zeroblob(100000))")


def read_only(path: Path) -> None:
    ask(path, "PRAGMA query_only=ON", "CREATE TABLE t (x)")


def no_folder(path: Path) -> None:
    ask(path / "nowhere" / "at all")


def no_tables(path: Path) -> None:
    ask(path, "SELECT * FROM tasks_task")


def a_trigger_that_aborts(path: Path) -> None:
    trigger = "CREATE TRIGGER no BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END"
    ask(path, "CREATE TABLE t (x)", trigger, "INSERT INTO t VALUES (1)")


def a_constraint(path: Path) -> None:
    ask(path, "CREATE TABLE t (x CHECK (x > 1))", "INSERT INTO t VALUES (1)")


def twice(path: Path) -> None:
    ask(path, "CREATE TABLE t (x UNIQUE)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)")


def no_parent(path: Path) -> None:
    ask(path, "PRAGMA foreign_keys=ON", "CREATE TABLE t (x PRIMARY KEY, y REFERENCES t)", "INSERT INTO t VALUES (1, 2)")


def locked(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ask(path, "CREATE TABLE t (x)")


LASTING: list[tuple[Ask, Fault]] = [
    (no_database, Fault.DAMAGED),
    (damaged, Fault.DAMAGED),
    (a_folder_in_its_place, Fault.MISSING),
    (no_folder, Fault.MISSING),
    (full, Fault.FULL),
    (read_only, Fault.DENIED),
    (no_tables, Fault.NO_SCHEMA),
    (a_trigger_that_aborts, Fault.REFUSED),
    (a_constraint, Fault.REFUSED),
]


def shown(ask: Ask, path: Path) -> tuple[OrchestratorError, Fault | None]:
    with pytest.raises(ServerFault) as raised, db_errors_mapped("a test"), connection.wrap_database_errors:
        ask(path)
    assert isinstance(raised.value.__cause__, DatabaseError)
    return raised.value, fault_of(raised.value.__cause__)


@pytest.mark.parametrize(("ask", "fault"), LASTING, ids=lambda value: getattr(value, "__name__", ""))
def test_a_database_that_needs_a_person_is_unavailable(tmp_path: Path, ask: Ask, fault: Fault) -> None:
    error, found = shown(ask, tmp_path / "x.sqlite3")
    assert (error.code, found) == ("unavailable", fault)
    assert fault.cure in error.next and str(tmp_path) not in f"{error.message} {error.next}"


@pytest.mark.parametrize("ask", [locked, twice, no_parent])
def test_what_another_change_causes_is_transient(tmp_path: Path, ask: Ask) -> None:
    error, found = shown(ask, tmp_path / "x.sqlite3")
    assert (error.code, found) == ("transient", None)


def test_a_data_folder_that_is_gone_explains_what_the_database_refuses(tmp_path: Path, settings: Settings) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path / "gone"
    assert shown(no_folder, tmp_path)[1] is Fault.MISSING


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "unavailable"),
        (errno.EDQUOT, "unavailable"),
        (errno.EROFS, "unavailable"),
        (errno.EACCES, "unavailable"),
        (errno.ENOENT, "unavailable"),
        (errno.ENOTDIR, "unavailable"),
        (errno.EIO, "unavailable"),
        (errno.EMFILE, "transient"),
        (errno.EAGAIN, "transient"),
    ],
)
def test_a_disk_is_transient_only_where_it_passes(number: int, code: str) -> None:
    assert disk_fault("It cannot be stored", OSError(number, "no")).code == code


def test_a_folder_is_looked_at_with_what_is_in_it(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    (folder := tmp_path / "folder").mkdir()
    assert [fault_at(tmp_path, file), fault_at(file), fault_at(tmp_path / "gone"), fault_at(tmp_path, folder)] == [
        None, Fault.MISSING, Fault.MISSING, Fault.MISSING
    ]  # fmt: skip
    assert fault_at(tmp_path, keep_free=2**60) is Fault.FULL
