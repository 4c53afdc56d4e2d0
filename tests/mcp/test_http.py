"""The bridge over Streamable HTTP: both eras, sessions, scopes, and what belongs to whom."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from django.db import OperationalError

from orchestrator_site.mount import mounted
from tests.mcp.http_client import FULL, HttpClient, Served, messages, served
from tests.mcp.stdio_client import DEADLINE_SECONDS, MODERN

WORK = {"summary": "Done", "detailed_work": "The work", "next_action": "complete"}
SUBTASKS = [
    {"title": "First", "description": "Begin", "specialist_type": "architect"},
    {"title": "Second", "description": "Go on", "specialist_type": "implementer"},
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("http")
    tokens = {
        "laptop": FULL,
        "desk": FULL,
        "looker": {"scopes": ["read"]},
        "worker": {"scopes": ["write"]},
        "bound": {**FULL, "project": "bound"},
    }
    with served(folder / "home", tokens) as site:
        yield site


@pytest.fixture(autouse=True)
def hang_up(site: Served) -> Iterator[None]:
    yield
    site.hang_up()


@pytest.fixture(params=["2025-06-18", "2026-07-28"])
def client(request: pytest.FixtureRequest, site: Served) -> HttpClient:
    return site.client("laptop", modern=request.param == "2026-07-28")


def start(client: HttpClient, folder: Path) -> str:
    """Open the project of a folder and return the session's handle."""
    return str(client.call("orchestrator_initialize_session", project_dir=str(folder))["session_id"])


def plan(client: HttpClient, session_id: str | None = None) -> list[str]:
    """Plan two tasks and return their ids; without a handle in the session of the connection."""
    made = client.call("orchestrator_plan_task", description="A job", subtasks=SUBTASKS, session_id=session_id)
    return [row["task_id"] for row in made["subtasks"]]


def test_a_plan_is_finished_in_both_eras(client: HttpClient, folder: Path) -> None:
    session = start(client, folder)
    first, _ = plan(client, session)
    lease = client.call("orchestrator_execute_subtask", task_id=first, session_id=session)["lease_number"]

    done = client.call("orchestrator_complete_subtask", task_id=first, lease_number=lease, session_id=session, **WORK)

    assert done["status"] == "completed"


def test_the_address_may_end_in_a_slash(client: HttpClient) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": {"_meta": MODERN}}).encode()
    (answer,) = messages(client.send(body=body, headers=client.headers("tools/list"), path="/mcp/"))
    assert answer["result"]["tools"]


def test_a_greeting_opens_a_session_whatever_session_it_names(site: Served) -> None:
    client = site.client("laptop", modern=False)
    client.session_id = "of-an-earlier-server"
    assert client.handshake()["serverInfo"]
    assert client.session_id != "of-an-earlier-server"
    assert client.request("tools/list")["result"]["tools"]


def test_the_same_tools_are_listed_in_both_eras(client: HttpClient) -> None:
    names = [tool["name"] for tool in client.request("tools/list")["result"]["tools"]]

    assert "orchestrator_plan_task" in names
    assert len(names) == 8


def test_each_initialize_session_without_a_connection_opens_a_session(site: Served, folder: Path) -> None:
    client = site.client("laptop")

    assert start(client, folder) != start(client, folder)


def test_initialize_session_is_idempotent_with_a_key(site: Served, folder: Path) -> None:
    client = site.client("laptop")
    call = {"project_dir": str(folder), "idempotency_key": "again"}

    first = client.call("orchestrator_initialize_session", **call)

    assert client.call("orchestrator_initialize_session", **call)["session_id"] == first["session_id"]


def test_two_sessions_of_one_token_do_not_share_leases(site: Served, folder: Path) -> None:
    one, other = site.client("laptop"), site.client("laptop")
    first, second = start(one, folder), start(other, folder)
    task, _ = plan(one, first)
    one.call("orchestrator_execute_subtask", task_id=task, session_id=first)

    assert other.call("orchestrator_execute_subtask", task_id=task, session_id=second)["code"] == "conflict"
    assert other.call("orchestrator_complete_subtask", task_id=task, session_id=second, **WORK)["code"] == "conflict"


def test_a_lease_number_replaces_a_missing_session_id(site: Served, folder: Path) -> None:
    client = site.client("laptop")
    session = start(client, folder)
    task, _ = plan(client, session)
    lease = client.call("orchestrator_execute_subtask", task_id=task, session_id=session)["lease_number"]
    other = client.call("orchestrator_initialize_session", project_dir=str(folder))["session_id"]

    done = client.call("orchestrator_complete_subtask", task_id=task, lease_number=lease, session_id=other, **WORK)

    assert done["status"] == "completed"


def test_a_lease_number_of_another_token_is_rejected(site: Served, folder: Path) -> None:
    owner, stranger = site.client("laptop"), site.client("desk")
    session, other = start(owner, folder), start(stranger, folder)
    task, _ = plan(owner, session)
    lease = owner.call("orchestrator_execute_subtask", task_id=task, session_id=session)["lease_number"]

    answer = stranger.call("orchestrator_complete_subtask", task_id=task, lease_number=lease, session_id=other, **WORK)

    assert answer["code"] == "conflict"


def test_a_session_id_works_only_for_its_token(site: Served, folder: Path) -> None:
    session = start(site.client("laptop"), folder)

    assert site.client("desk").call("orchestrator_get_status", session_id=session)["code"] == "not_found"


def test_a_bound_token_needs_no_folder(site: Served) -> None:
    opened = site.client("bound").call("orchestrator_initialize_session")

    assert opened["project"]["slug"] == "bound"
    assert "Send session_id with every call." in opened["next"]


def test_a_bound_token_cannot_open_another_project(site: Served, folder: Path) -> None:
    answer = site.client("bound").call("orchestrator_initialize_session", project_dir=str(folder))

    assert answer["code"] == "not_found"
    assert "project_dir" in answer["next"]


def test_a_token_with_two_projects_must_name_one(site: Served, tmp_path: Path) -> None:
    client = site.client("worker")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        start(client, tmp_path / name)

    answer = client.call("orchestrator_get_status")

    assert answer["code"] == "invalid"
    assert answer["hint"] == "name_project"


def test_a_read_token_cannot_write(site: Served, folder: Path) -> None:
    start(site.client("worker"), folder)
    client = site.client("looker")
    session = start(client, folder)

    answer = client.call("orchestrator_plan_task", description="A job", subtasks=SUBTASKS, session_id=session)

    assert answer["code"] == "forbidden"
    assert answer["details"] == {"scope": "write"}
    assert client.call("orchestrator_get_status", session_id=session)["total"] == 0


def test_a_write_token_cannot_approve(site: Served, folder: Path) -> None:
    client = site.client("worker")
    session = start(client, folder)
    task, _ = plan(client, session)
    client.call("orchestrator_complete_subtask", task_id=task, session_id=session, **WORK)

    answer = client.call("orchestrator_update_task", task_id=task, action="approve", session_id=session)

    assert (answer["code"], answer["details"]) == ("forbidden", {"scope": "review"})


def test_a_write_token_cannot_edit_tasks_that_others_hold(site: Served, folder: Path) -> None:
    holder, worker = site.client("laptop"), site.client("worker")
    session, other = start(holder, folder), start(worker, folder)
    task, _ = plan(holder, session)
    holder.call("orchestrator_execute_subtask", task_id=task, session_id=session)

    for change in ({"action": "cancel"}, {"title": "Mine"}):
        answer = worker.call("orchestrator_update_task", task_id=task, session_id=other, **change)
        assert answer["code"] == "conflict"


def test_delete_frees_the_leases_of_a_legacy_connection(site: Served, folder: Path) -> None:
    leaving, staying = site.client("laptop", modern=False), site.client("desk", modern=False)
    start(leaving, folder)
    start(staying, folder)
    task, _ = plan(leaving)
    leaving.call("orchestrator_execute_subtask", task_id=task)

    assert leaving.end() == 0

    assert staying.call("orchestrator_execute_subtask", task_id=task)["task_id"] == task


def test_leases_are_free_once_delete_is_answered(site: Served, folder: Path) -> None:
    leaving = site.client("laptop", modern=False)
    start(leaving, folder)
    with closing(sqlite3.connect(site.home / "orchestrator.sqlite3", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")  # blocks other writers
        with ThreadPoolExecutor(1) as threads:
            left = threads.submit(leaving.end)
            with pytest.raises(TimeoutError):
                left.result(timeout=0.5)
            database.execute("ROLLBACK")
            assert left.result(timeout=DEADLINE_SECONDS) == 0


def test_a_session_header_is_ignored_in_the_modern_era(site: Served, folder: Path) -> None:
    holder = site.client("laptop", modern=False)
    start(holder, folder)
    task, _ = plan(holder)
    holder.call("orchestrator_execute_subtask", task_id=task)
    thief = site.client("desk")
    session = start(thief, folder)
    thief.headers = lambda method="", name="": {  # type: ignore[method-assign]
        **HttpClient.headers(thief, method, name),
        "Mcp-Session-Id": holder.session_id,
    }

    assert thief.call("orchestrator_complete_subtask", task_id=task, session_id=session, **WORK)["code"] == "conflict"


def test_a_stream_reports_changes_by_another_client(site: Served, folder: Path) -> None:
    client, watcher = site.client("laptop"), site.client("laptop")
    session = start(client, folder)
    task, _ = plan(client, session)
    stream = messages(watcher.open("subscriptions/listen", notifications={"resourceSubscriptions": [f"task://{task}"]}))
    assert next(stream)["method"] == "notifications/subscriptions/acknowledged"

    client.call("orchestrator_execute_subtask", task_id=task, session_id=session)

    heard = next(stream)
    assert (heard["method"], heard["params"]["uri"]) == ("notifications/resources/updated", f"task://{task}")


def test_a_legacy_subscription_reports_changes_by_another_client(site: Served, folder: Path) -> None:
    client = site.client("laptop", modern=False)
    start(client, folder)
    task, _ = plan(client)
    assert client.request("resources/subscribe", uri=f"task://{task}")["result"] == {}
    stream = messages(client.sibling().send("GET"))

    client.call("orchestrator_execute_subtask", task_id=task)

    assert next(stream)["params"]["uri"] == f"task://{task}"


def test_a_token_cannot_watch_what_it_cannot_read(site: Served, folder: Path) -> None:
    owner = site.client("laptop")
    task, _ = plan(owner, start(owner, folder))

    answer = site.client("bound").request(
        "subscriptions/listen", notifications={"resourceSubscriptions": [f"task://{task}"]}
    )

    assert answer["error"]["data"]["code"] == "not_found"


def test_completions_are_limited_to_the_project_of_the_caller(site: Served) -> None:
    client = site.client("bound")
    session = client.call("orchestrator_initialize_session")["session_id"]
    task, _ = plan(client, session)

    answer = client.request(
        "completion/complete",
        ref={"type": "ref/resource", "uri": "task://{id}"},
        argument={"name": "id", "value": task[:6]},
    )

    assert task in answer["result"]["completion"]["values"]


def test_a_resource_is_found_in_any_project_of_the_token(site: Served, tmp_path: Path) -> None:
    client = site.client("desk")
    tasks = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tasks.append(plan(client, start(client, tmp_path / name))[0])

    for task in tasks:
        contents = client.request("resources/read", uri=f"task://{task}")["result"]["contents"]
        assert "First" in contents[0]["text"]


@pytest.mark.parametrize("odd", ["\x00", "\ud800"], ids=["nul", "half-a-character"])
def test_an_impossible_id_is_neither_found_nor_completed(site: Served, odd: str) -> None:
    client = site.client("bound")
    for kind in ("task", "artifact"):
        for uri in (f"{kind}://{odd}", f"{kind}://{kind}_{odd}"):
            answer = client.request("subscriptions/listen", notifications={"resourceSubscriptions": [uri]})
            assert "There is no" in answer["error"]["message"]
        reference = {"type": "ref/resource", "uri": f"{kind}://{{id}}"}
        answer = client.request("completion/complete", ref=reference, argument={"name": "id", "value": odd})
        assert answer["result"]["completion"]["values"] == []


@pytest.mark.parametrize("odd", ["\x00", "\ud800"], ids=["nul", "half-a-character"])
def test_a_client_with_an_unstorable_name_is_served(site: Served, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODERN, "io.modelcontextprotocol/clientInfo", {"name": f"raw{odd}", "version": f"1{odd}"})

    assert "session_id" in site.client("bound").call("orchestrator_initialize_session")


def test_an_unavailable_database_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator_site.mcp import http
    from orchestrator_site.mcp.server import build_server

    def refuse(secret: str | None, *, address: str) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(http, "authenticate", refuse)
    bridge = http.HttpBridge(build_server(caller_for=http.caller_of))
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer mto_x")]
    scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/mcp", "headers": headers}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        await bridge(scope, None, send)  # type: ignore[arg-type]  # nothing of the body is read

    anyio.run(call)

    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["error"]["data"]["code"] == "transient"


def test_trailing_whitespace_in_headers_is_ignored() -> None:
    heard: list[Any] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        heard.extend(scope["headers"])

    headers = [(b"accept", b"text/html \t"), (b"x-name", b" in between ")]
    scope = {"type": "http", "path": "/", "headers": headers}
    anyio.run(mounted(site), scope, None, None)

    assert heard == [(b"accept", b"text/html"), (b"x-name", b" in between")]
