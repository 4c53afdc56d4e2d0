"""Messages are one line each for every reader: what some take for the end of a line is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_site.kernel.text import line_safe
from tests.homes import make_home
from tests.mcp.http_client import FULL, HttpClient, Served, served
from tests.mcp.stdio_client import connected, said

ODD = "a\u2028b\u2029c\x85d\x1ee 😀"
SUBTASKS = [{"title": f"T {ODD}", "description": ODD, "specialist_type": "tester"}]


def test_escaping_changes_no_text() -> None:
    whole = json.dumps({ODD: ODD}, ensure_ascii=False).encode()
    assert json.loads(line_safe(whole)) == {ODD: ODD}
    assert len(line_safe(whole).decode().splitlines()) == 1
    assert line_safe("…Å\u2027\u2030".encode()) == "…Å\u2027\u2030".encode()


@pytest.mark.parametrize("modern", [False, True])
def test_over_a_pipe(tmp_path: Path, folder: Path, modern: bool) -> None:
    with connected(make_home(tmp_path / "home"), trial=False, modern=modern) as client:
        client.call("orchestrator_initialize_session", project_dir=str(folder))
        client.call("orchestrator_plan_task", description=ODD, subtasks=SUBTASKS)
        client.start_call("orchestrator_get_status", detail="full")
        line = client._lines.get(timeout=30).decode()
    assert len(line.splitlines()) == 1
    assert said(json.loads(line))["tasks"][0]["description"] == ODD


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("lines") / "home", {"bound": {**FULL, "project": "bound"}}) as site:
        yield site


def streamed(client: HttpClient, body: bytes) -> str:
    response = client.send("POST", body)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    return response.read().decode()


def test_over_an_event_stream(site: Served) -> None:
    client = site.client("bound", modern=False)
    client.call("orchestrator_plan_task", description=ODD, subtasks=SUBTASKS)
    call = {"name": "orchestrator_get_status", "arguments": {"detail": "full"}}
    whole = streamed(client, json.dumps({"jsonrpc": "2.0", "id": ODD, "method": "tools/call", "params": call}).encode())
    (data,) = (line for line in whole.splitlines() if line.startswith("data:") and len(line) > 6)
    answer = json.loads(data.removeprefix("data:"))
    assert answer["id"] == ODD
    assert said(answer)["tasks"][0]["description"] == ODD
    site.hang_up()
