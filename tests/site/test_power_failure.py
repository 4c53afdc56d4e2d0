"""A power failure: of the database and its log, only what was synced is there afterwards."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection, connections
from pytest_django import Settings

from artifacts.storage import staging
from orchestrator_site.kernel.files import make_folder
from tests.assistants import Assistant

CACHESTAT = 451


def is_unsynced(path: Path) -> bool:
    """Ask Linux whether a file has pages that are not on the disk."""
    handle = os.open(path, os.O_RDONLY)
    found = ctypes.create_string_buffer(40)
    try:
        failed = ctypes.CDLL(None).syscall(CACHESTAT, handle, struct.pack("QQ", 0, 0), found, 0)
    finally:
        os.close(handle)
    if failed:
        pytest.skip("this system does not say what is synced")
    _, dirty, writeback, *_ = struct.unpack("5Q", found.raw)
    return bool(dirty or writeback)


class Disk:
    """What would be left of a database now."""

    def __init__(self, database: Path, at: Path) -> None:
        self.database, self.log = database, Path(f"{database}-wal")
        self.left, self.synced = at, b""

    def cut(self) -> int:
        """Return how many completed tasks are there after the power failed."""
        if not is_unsynced(self.log):
            self.synced = self.log.read_bytes()
        shutil.copyfile(self.database, self.left)
        Path(f"{self.left}-wal").write_bytes(self.synced)
        Path(f"{self.left}-shm").unlink(missing_ok=True)
        with closing(sqlite3.connect(self.left)) as database:
            assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)
            sql = "SELECT count(*) FROM tasks_task WHERE status = 'completed' AND parent_id IS NOT NULL"
            return int(database.execute(sql).fetchone()[0])


@pytest.fixture
def disk(transactional_db: None, tmp_path: Path) -> Disk:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's log")
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint=0")
    return Disk(Path(connection.settings_dict["NAME"]), tmp_path / "left.sqlite3")


def test_every_acknowledged_completion_survives(disk: Disk, ada: Assistant) -> None:
    tasks = ada.plan(*[f"Task {number}" for number in range(20)])
    ids = [key for title, key in tasks.items() if title != "plan"]
    survived = []
    for task_id in ids:
        ada.complete(task_id)
        survived.append(disk.cut())
    assert survived == list(range(1, 21))


def test_with_normal_staged_bytes_go_only_once_their_commit_is_synced(
    disk: Disk, ada: Assistant, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.ORCHESTRATOR_HOME, settings.ORCHESTRATOR_SYNCHRONOUS = tmp_path / "home", "normal"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    upload = ada.call("store_artifact", action="begin", task_id=task)["upload_id"]
    ada.call("store_artifact", action="append", upload_id=upload, offset=0, text="The work")
    unlink, unsynced = Path.unlink, []

    def seen(path: Path, missing_ok: bool = False) -> None:
        if path == staging.path_of(upload):
            unsynced.append(is_unsynced(disk.log))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", seen)
    ada.call("store_artifact", action="commit", upload_id=upload)
    connections.close_all()
    assert unsynced == [False]


def test_the_names_of_new_folders_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("orchestrator_site.kernel.files.sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
