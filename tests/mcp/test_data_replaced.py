"""A database that goes away under a running server, or is replaced, is noticed before anything is written to it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.assistants import subtask
from tests.homes import DATABASE, make_home
from tests.mcp.http_client import FULL, served
from tests.mcp.stdio_client import connected

JOB: dict[str, Any] = {"description": "A job", "subtasks": [subtask("First")]}


def deleted(home: Path) -> None:
    for file in home.glob(f"{DATABASE}*"):
        file.unlink()


def folder_deleted(home: Path) -> None:
    shutil.rmtree(home)


def folder_in_its_place(home: Path) -> None:
    deleted(home)
    (home / DATABASE).mkdir()


GOES = pytest.mark.parametrize("goes", [deleted, folder_deleted, folder_in_its_place])


def rows(home: Path, sql: str = "SELECT count(*) FROM tasks_task") -> int:
    with closing(sqlite3.connect(home / DATABASE)) as database:
        return int(database.execute(sql).fetchone()[0])


@GOES
def test_what_is_gone_is_unavailable_over_stdio_and_not_made_again(
    home: Path, folder: Path, goes: Callable[[Path], None]
) -> None:
    with connected(home, trial=False, ORCHESTRATOR_PROJECT_DIR=str(folder)) as client:
        client.call("orchestrator_plan_task", **JOB)
        goes(home)
        for tool, arguments in (("plan_task", JOB), ("execute_subtask", {}), ("get_status", {})):
            assert client.call(f"orchestrator_{tool}", **arguments)["code"] == "unavailable"
        assert not (home / DATABASE).is_file()


@GOES
def test_what_is_gone_is_unavailable_over_http_and_not_made_again(home: Path, goes: Callable[[Path], None]) -> None:
    with served(home, {"ada": {**FULL, "project": "shop"}}) as site:
        client = site.client("ada")
        planned = client.call("orchestrator_plan_task", **JOB)
        assert planned["subtasks"]
        goes(home)
        answers = [client.request("tools/call", name="orchestrator_plan_task", arguments=JOB) for _ in range(3)]
        assert "unavailable" in str(answers[-1]) and "parent_task_id" not in str(answers)
        assert not (home / DATABASE).is_file()


def test_what_is_put_back_is_used_again(home: Path, tmp_path: Path, folder: Path) -> None:
    with connected(home, trial=False, ORCHESTRATOR_PROJECT_DIR=str(folder)) as client:
        planned = client.call("orchestrator_plan_task", **JOB)
        home.rename(tmp_path / "aside")
        assert client.call("orchestrator_get_status")["code"] == "unavailable"
        (tmp_path / "aside").rename(home)
        assert client.call("orchestrator_execute_subtask")["task_id"] == planned["subtasks"][0]["task_id"]


def test_a_backup_in_its_place_is_brought_up_to_date_and_gets_what_follows(home: Path, folder: Path) -> None:
    backup = make_home(home.parent / "backup") / DATABASE
    with closing(sqlite3.connect(backup)) as database, database:
        database.execute("DROP TABLE django_session")
        database.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        database.execute("INSERT INTO auth_user VALUES (7, '!', NULL, 1, 'eve', '', '', 1, 1, '2026-01-01', '')")
    with connected(home, trial=False, ORCHESTRATOR_PROJECT_DIR=str(folder)) as client:
        client.call("orchestrator_plan_task", **JOB)
        deleted(home)
        backup.rename(home / DATABASE)
        with connected(home, trial=False, ORCHESTRATOR_PROJECT_DIR=str(folder)) as other:
            other.call("orchestrator_plan_task", **JOB)
            claimed = client.call("orchestrator_execute_subtask")
            assert other.call("orchestrator_get_status", task_id=claimed["task_id"])["status"] == "active"
    assert (rows(home), rows(home, "SELECT count(*) FROM django_session")) == (2, 0)
