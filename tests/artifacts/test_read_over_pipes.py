"""Reading back through the bridge's own processes, with content in a folder and in an object store."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.artifacts.object_store import object_store
from tests.assistants import completion, subtask
from tests.mcp.stdio_client import StdioClient, connected

FIRST = "".join(f"{number}: ünïcödé 漢字 🎉\u2028\x00 e\u0301\r\n" for number in range(12_000)) + "no end"
SECOND = "Second\n"


@pytest.fixture(params=["folder", "object store"])
def pipe(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StdioClient]:
    if request.param == "folder":
        with connected(tmp_path / "home", trial=False, ORCHESTRATOR_PROJECT_DIR=str(tmp_path)) as client:
            yield client
        return
    with object_store() as address:
        for name, value in {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key", "ENDPOINT_URL": address}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        options = {"ORCHESTRATOR_PROJECT_DIR": str(tmp_path), "ORCHESTRATOR_CONTENT_URL": "s3://works/all"}
        with connected(tmp_path / "home", trial=False, **options) as client:
            yield client


def test_every_unit_of_every_version_is_read_back(pipe: StdioClient) -> None:
    tool = delivered_twice(pipe)
    lines = [f"{line}\n" for line in FIRST.split("\n")]
    lines[-1] = "no end"
    for unit, whole in (("chars", FIRST), ("lines", lines), ("bytes", FIRST.encode())):
        parts, answer = list[bytes](), {"next_offset": 0}
        while "next_offset" in answer:
            answer = tool(unit=unit, offset=answer["next_offset"], limit=99_991, version=1)
            parts.append(base64.b64decode(answer["base64"]) if "base64" in answer else answer["text"].encode())
        assert b"".join(parts) == FIRST.encode()
        assert answer[f"total_{unit}"] == len(whole)
    assert (tool()["text"], tool()["version"], tool(unit="lines")["total_lines"]) == (SECOND, 2, 1)


def delivered_twice(pipe: StdioClient) -> Any:
    """Deliver two versions; returns what reads them."""
    pipe.call("orchestrator_initialize_session")
    task = pipe.call("orchestrator_plan_task", description="A job", subtasks=[subtask("A")])["subtasks"][0]["task_id"]
    for text in (FIRST, SECOND):
        done = pipe.call("orchestrator_complete_subtask", **completion(task) | {"detailed_work": text})
        if text is FIRST:
            pipe.call("orchestrator_update_task", task_id=task, action="request_revision", reason="Fix it")
    artifact = done["artifact_info"]["artifact_id"]
    return lambda **given: pipe.call("orchestrator_read_artifact", artifact_id=artifact, **given)
