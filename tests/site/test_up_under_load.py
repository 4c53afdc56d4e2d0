"""Shutdown under load takes at most five seconds, with streams open, and loses nothing that was acknowledged."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.http_client import HttpClient, messages
from tests.site.processes import ROOT, manage, start, wait_until

CLIENTS = 16
BOUND_SECONDS = 5.0
PARTS = [
    {"title": f"Part {number}", "description": "One part", "specialist_type": "implementer"} for number in range(2000)
]


@pytest.mark.storm
def test_sigterm_under_load_exits_in_time_and_loses_nothing(fresh_home: Path, tmp_path: Path, folder: Path) -> None:
    with start(tmp_path / "site", "manage.py", "up", "--no-worker", "--port", "0") as site:
        site.wait_until_greeted()
        port = int(site.address.rpartition(":")[2])
        secret = manage("token", "create", "load").stdout.strip()
        client = HttpClient(port, secret)
        sessions = [open_session(client, folder) for _ in range(CLIENTS)]
        client.call("orchestrator_plan_task", description="A job", subtasks=PARTS, session_id=sessions[0])
        stream = HttpClient(port, secret)
        heard = messages(stream.open("subscriptions/listen", notifications={"toolsListChanged": True}))
        assert next(heard)["method"] == "notifications/subscriptions/acknowledged"
        crowd = begin_crowd(port=port, token=secret, sessions=sessions)

        wait_until(lambda: len(delivered(fresh_home)) > CLIENTS, "deliveries")
        took = site.end(signal.SIGTERM)

        said = json.loads(crowd.communicate(timeout=30)[0])
        for one in (client, stream):
            one.close()

    assert site.process.returncode == 0
    assert took <= BOUND_SECONDS
    assert said["errors"] == []
    assert len(said["acknowledged"]) > CLIENTS
    assert set(said["acknowledged"]) <= delivered(fresh_home)


def open_session(client: HttpClient, folder: Path) -> str:
    return str(client.call("orchestrator_initialize_session", project_dir=str(folder))["session_id"])


def begin_crowd(**given: object) -> subprocess.Popen[str]:
    """Start clients that claim and deliver until they are cut off."""
    crowd = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.crowd"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert crowd.stdin
    crowd.stdin.write(json.dumps({"kind": "work", "clients": CLIENTS, "seconds": 30, "ids": [], **given}))
    crowd.stdin.close()
    crowd.stdin = None
    return crowd


def delivered(home: Path) -> set[str]:
    """Return the completed tasks with stored artifacts, read without any of our own code."""
    query = """
        SELECT task.public_id FROM tasks_task task
        JOIN artifacts_artifact artifact ON artifact.task_id = task.id
        JOIN artifacts_artifactversion version ON version.artifact_id = artifact.id
        JOIN artifacts_content content ON content.id = version.content_id
        WHERE task.status = 'completed' AND length(content.data) > 0
    """
    database = sqlite3.connect(home / "orchestrator.sqlite3")
    try:
        return {row[0] for row in database.execute(query)}
    finally:
        database.close()
