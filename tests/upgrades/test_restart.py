"""An assistant restarts its server on newer code: the same connection goes on with the new schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.assistants import subtask
from tests.homes import make_home
from tests.mcp.stdio_client import StdioClient, connected, wait_for
from tests.upgrades.versions import ADD, FAIL, Version, make_version, put_migration

JOB: dict[str, Any] = {"description": "A job", "subtasks": [subtask("First"), subtask("Second")]}


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return make_version(tmp_path / "code", make_home(tmp_path / "home"))


@pytest.fixture
def client(version: Version, folder: Path) -> Iterator[StdioClient]:
    options = {"trial": False, "toolsets": "core,server", "code": version.code, "ORCHESTRATOR_PROJECT_DIR": str(folder)}
    with connected(version.home, **options) as client:
        yield client


def test_a_restart_on_newer_code_upgrades_the_database_and_the_lease_goes_on(
    client: StdioClient, version: Version
) -> None:
    client.call("orchestrator_plan_task", **JOB)
    held = client.call("orchestrator_execute_subtask")
    put_migration(version.code, ADD)
    assert client.call("orchestrator_restart_server")["restarted"] is True
    done = client.call("orchestrator_complete_subtask", task_id=held["task_id"], summary="Done.", detailed_work="Work.")
    assert done["status"] == "completed"
    assert "place" in version.columns() and len(version.backups) == 1


def test_a_restart_on_code_whose_migration_fails_reads_on_until_a_good_version_comes(
    client: StdioClient, version: Version
) -> None:
    planned = client.call("orchestrator_plan_task", **JOB)
    put_migration(version.code, FAIL)
    client.call("orchestrator_restart_server")
    assert client.call("orchestrator_get_status", task_id=planned["parent_task_id"])["status"] == "pending"
    assert client.call("orchestrator_execute_subtask")["code"] == "transient"
    assert "migrations" in client.call("orchestrator_health_check")["problems"]
    put_migration(version.code, ADD)
    client.call("orchestrator_restart_server")
    assert client.call("orchestrator_execute_subtask")["task_id"] == planned["subtasks"][0]["task_id"]
    assert version.rows("SELECT outcome FROM maintenance_upgrade ORDER BY id") == [("failed",), ("succeeded",)]


def test_changed_code_is_taken_over_where_that_was_asked_for(version: Version, folder: Path) -> None:
    options = {"trial": False, "toolsets": "core,server", "code": version.code, "words": ("--reload",)}
    with connected(version.home, **options, ORCHESTRATOR_PROJECT_DIR=str(folder)) as client:
        before = client.call("orchestrator_health_check")["pid"]
        put_migration(version.code, ADD)
        wait_for(lambda: client.call("orchestrator_health_check")["pid"] != before, "the restart")
        wait_for(lambda: "place" in version.columns(), "the upgrade")
