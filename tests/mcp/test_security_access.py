"""Whose call is answered: tokens, sessions, and whose is what. Points 7, 8 and 10-13 of the checklist."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from orchestrator_site.asgi.shares import STREAMS_PER_CREDENTIAL
from orchestrator_site.mcp.subscriptions import WATCHED_PER_CLIENT
from orchestrator_site.tokens.bearer import FAILURES
from tests.mcp.http_client import FULL, HttpClient, messages
from tests.mcp.secured import Reply, SecuredSite, secured
from tests.mcp.small import SESSIONS
from tests.mcp.stdio_client import wait_for

TOKENS: dict[str, Any] = {
    "laptop": FULL,
    "desk": FULL,
    "looker": {"scopes": ["read"]},
    "north": {**FULL, "project": "north"},
    "south": {**FULL, "project": "south"},
    "demoted": {**FULL, "owner": "dan"},
    "expired": FULL,
    "revoked": FULL,
    "gone": {**FULL, "owner": "gus"},
}
PLAN = [{"title": "Hidden words", "description": "Do it", "specialist_type": "tester"}]
WORK = {"summary": "Done", "detailed_work": "Hidden work", "next_action": "complete"}
FOREIGN_TOOLS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "orchestrator_get_status": lambda ids: {"task_id": ids["task"]},
    "orchestrator_update_task": lambda ids: {"task_id": ids["task"], "title": "Mine"},
    "orchestrator_plan_task": lambda ids: {"description": "Mine", "subtasks": PLAN, "parent_task_id": ids["plan"]},
    "orchestrator_execute_subtask": lambda ids: {"task_id": ids["task"], "take_over": True},
    "orchestrator_complete_subtask": lambda ids: {"task_id": ids["task"], **WORK},
    "orchestrator_synthesize_results": lambda ids: {"parent_task_id": ids["plan"]},
    "orchestrator_read_artifact": lambda ids: {"artifact_id": ids["artifact"]},
    "orchestrator_initialize_session": lambda ids: {"project_dir": ids["folder"]},
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
UNKNOWN = {"task": "task_00000000", "plan": "task_00000000", "artifact": "artifact_00000000"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSite]:
    with secured(tmp_path_factory.mktemp("access"), TOKENS, ORCHESTRATOR_LOG_LEVEL="DEBUG") as site:
        change = "UPDATE orchestrator_site_accesstoken SET {} WHERE name = ?"
        site.ask(change.format("created_at = '2020-01-01', expires_at = '2020-01-02'"), "expired")
        site.ask(change.format("revoked_at = '2026-01-01'"), "revoked")
        site.ask("UPDATE auth_user SET is_active = 0 WHERE username = 'gus'")
        site.ask("UPDATE auth_user SET is_staff = 0 WHERE username = 'dan'")
        yield site


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSite]:
    """Serve a site with little patience."""
    folder = tmp_path_factory.mktemp("small")
    tokens = {"laptop": FULL, "desk": FULL}
    with secured(folder, tokens, DJANGO_SETTINGS_MODULE="tests.mcp.small_settings") as site:
        yield site


@pytest.fixture(autouse=True)
def hang_up(site: SecuredSite) -> Iterator[None]:
    yield
    site.hang_up()


@pytest.fixture(params=["2025-06-18", "2026-07-28"])
def modern(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "2026-07-28")


@pytest.fixture(scope="module")
def south(site: SecuredSite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Have a project with a task and a work, and return the ids of all of it."""
    client = site.client("south")
    session = client.call("orchestrator_initialize_session")["session_id"]
    planned = client.call("orchestrator_plan_task", description="A job", subtasks=PLAN * 2)
    task, done = (row["task_id"] for row in planned["subtasks"])
    work = client.call("orchestrator_complete_subtask", task_id=done, **WORK)["artifact_info"]["artifact_id"]
    folder = str(tmp_path_factory.mktemp("south"))
    site.ask("UPDATE tasks_project SET root_path = ? WHERE slug = 'south'", folder)
    plan = planned["parent_task_id"]
    return {"session": session, "task": task, "plan": plan, "artifact": work, "folder": folder}


# 7, 8. Tokens


@pytest.mark.parametrize("token", ["expired", "revoked", "gone"])
def test_an_ended_token_is_401(site: SecuredSite, token: str) -> None:
    _assert_closed(site.knock({"Authorization": f"Bearer {site.secrets[token]}"}))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer mto_never-made",
        "Bearer {good}x",
        "Bearer " + "x" * 9000,
        "Token {good}",
        "Basic {good}",
        "{good}",
        "Bearer {good}, Bearer {good}",
    ],
)
def test_the_token_is_checked_before_the_body_is_parsed(site: SecuredSite, header: str | None, modern: bool) -> None:
    sent = header.format(good=site.secrets["laptop"]) if header else header
    _assert_closed(site.knock({"Authorization": sent}, body=b"{", modern=modern))


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "key"])
def test_a_token_in_the_url_is_ignored(site: SecuredSite, name: str) -> None:
    secret = site.secrets["laptop"]
    for value in (secret, f"Bearer%20{secret}"):
        _assert_closed(site.knock({"Authorization": None}, target=f"/mcp?{name}={value}"))


def test_a_browser_session_does_not_replace_a_token(site: SecuredSite) -> None:
    path = site.process.link.removeprefix(site.process.address)
    page = site.knock({"Authorization": None}, verb="GET", target=path)
    cookies = {each.split("=")[0]: each.split(";")[0] for each in page.headers.get_all("Set-Cookie") or []}
    cookie = "; ".join([*cookies.values(), f"access_token={site.secrets['laptop']}"])
    _assert_closed(site.knock({"Authorization": None, "Cookie": cookie}))


def test_a_revoked_token_is_rejected_in_an_open_session(site: SecuredSite) -> None:
    client, older = site.client("desk"), site.client("desk", modern=False)
    assert client.request("tools/list")["result"]
    with _revoked(site, "desk"):
        for speaker in (client, older):
            wait_for(lambda speaker=speaker: _status(speaker) == 401, "the end of the token")


@contextmanager
def _revoked(site: SecuredSite, token: str) -> Iterator[None]:
    change = "UPDATE orchestrator_site_accesstoken SET revoked_at = {} WHERE name = ?"
    site.ask(change.format("'2026-01-01'"), token)
    try:
        yield
    finally:
        site.ask(change.format("NULL"), token)


def test_a_stream_ends_with_its_token(small: SecuredSite, modern: bool) -> None:
    client = small.client("desk", modern=modern)
    if modern:
        stream = client.open("subscriptions/listen", notifications={"toolsListChanged": True})
        next(messages(stream))
    else:
        stream = client.sibling().send("GET")
    with _revoked(small, "desk"):
        list(messages(stream))  # comes to its end
        assert stream.isclosed()
    assert not [line for line in small.errors().splitlines() if " ERROR " in line]


def test_a_missing_scope_is_named_and_nothing_changes(site: SecuredSite, folder: Path, modern: bool) -> None:
    site.client("laptop").call("orchestrator_initialize_session", project_dir=str(folder))
    for token in ("looker", "demoted"):
        client = site.client(token, modern=modern)
        session = client.call("orchestrator_initialize_session", project_dir=str(folder))["session_id"]
        for tool in ("plan_task", "execute_subtask", "complete_subtask", "update_task"):
            arguments = FOREIGN_TOOLS[f"orchestrator_{tool}"](UNKNOWN)
            refused = client.call(f"orchestrator_{tool}", session_id=session, **arguments)
            assert (refused["code"], refused["details"]) == ("forbidden", {"scope": "write"})


# 10. Whose is what


def test_every_tool_with_an_id_is_tested_with_a_foreign_one(site: SecuredSite) -> None:
    tools = site.client("north").request("tools/list")["result"]["tools"]
    assert {tool["name"] for tool in tools if tool["name"].startswith("orchestrator_")} == set(FOREIGN_TOOLS)


@pytest.mark.parametrize("tool", FOREIGN_TOOLS)
def test_a_tool_cannot_access_another_project(
    site: SecuredSite, south: dict[str, str], tool: str, modern: bool
) -> None:
    client = site.client("north", modern=modern)
    client.call("orchestrator_initialize_session")
    before = _project(site, "south")
    refused = client.call(tool, **FOREIGN_TOOLS[tool](south))
    assert refused["code"] == "not_found"
    assert "Hidden" not in json.dumps(refused)
    assert _project(site, "south") == before


@pytest.mark.parametrize("tool", [name for name in FOREIGN_TOOLS if name != "orchestrator_initialize_session"])
def test_a_foreign_id_looks_like_an_unknown_one(site: SecuredSite, south: dict[str, str], tool: str) -> None:
    client = site.client("north")
    session = client.call("orchestrator_initialize_session")["session_id"]
    said = [json.dumps(client.call(tool, session_id=session, **FOREIGN_TOOLS[tool](ids))) for ids in (south, UNKNOWN)]
    for kind in UNKNOWN:
        said[0] = said[0].replace(south[kind], UNKNOWN[kind])
    assert said[0] == said[1]


@pytest.mark.parametrize("tool", FOREIGN_TOOLS)
def test_a_session_id_of_another_token_is_unknown(site: SecuredSite, south: dict[str, str], tool: str) -> None:
    if tool == "orchestrator_initialize_session":  # it makes handles and takes none
        tool = "orchestrator_get_status"
    for token in ("north", "laptop"):  # the second may touch every project
        refused = site.client(token).call(tool, session_id=south["session"], **FOREIGN_TOOLS[tool](south))
        assert (refused["code"], refused["hint"]) == ("not_found", "open_session")


def test_a_resource_of_another_project_is_not_found(site: SecuredSite, south: dict[str, str], modern: bool) -> None:
    client = site.client("north", modern=modern)
    work = f"artifact://{south['artifact']}"
    for uri in (f"task://{south['task']}", f"task://{south['plan']}", work, f"{work}/v1"):
        for method in ("resources/read", *(() if modern else ("resources/subscribe",))):
            answer = client.request(method, uri=uri)
            assert "result" not in answer
            assert "Hidden" not in json.dumps(answer)


def test_a_stream_cannot_watch_another_project(site: SecuredSite, south: dict[str, str]) -> None:
    work = f"artifact://{south['artifact']}"
    for uri in (f"task://{south['task']}", work, f"{work}/v1"):
        answer = site.client("north").request("subscriptions/listen", notifications={"resourceSubscriptions": [uri]})
        assert answer["error"]["data"]["code"] == "not_found"


def test_a_stream_reports_nothing_of_another_project(site: SecuredSite, south: dict[str, str]) -> None:
    client = site.client("north")
    client.call("orchestrator_initialize_session")
    task = client.call("orchestrator_plan_task", description="A job", subtasks=PLAN)["subtasks"][0]["task_id"]
    here = _watch(site, "north", f"task://{task}", "project://status")
    there = _watch(site, "south", "project://status")
    site.client("south").call("orchestrator_plan_task", description="A job", subtasks=PLAN, session_id=south["session"])
    next(there)  # by now it was published, and would have arrived here too
    client.call("orchestrator_update_task", task_id=task, title="Another")
    assert next(here)["params"]["uri"] == f"task://{task}"


def test_an_id_of_another_project_is_not_completed(site: SecuredSite, south: dict[str, str], modern: bool) -> None:
    for token, found in (("north", False), ("south", True)):
        client = site.client(token, modern=modern)
        client.call("orchestrator_initialize_session")
        for kind in ("task", "artifact"):
            answer = client.request(
                "completion/complete",
                ref={"type": "ref/resource", "uri": f"{kind}://{{id}}"},
                argument={"name": "id", "value": south[kind][:8]},
            )
            assert (south[kind] in answer["result"]["completion"]["values"]) is found


# 11. Sessions of the older era


def test_a_session_exists_only_for_its_token(site: SecuredSite) -> None:
    owner = site.client("laptop", modern=False)
    thief = site.client("desk", modern=False)
    thief.session_id = owner.session_id
    for verb, body in (("GET", b""), ("POST", json.dumps(PING).encode()), ("DELETE", b"")):
        assert _read(thief.sibling().send(verb, body)) == 404
    assert owner.request("ping")["result"] == {}


def test_a_session_without_its_token_is_401(site: SecuredSite) -> None:
    session_id = site.client("laptop", modern=False).session_id
    _assert_closed(site.knock({"Authorization": None, "Mcp-Session-Id": session_id}, modern=False))


def test_a_session_that_its_token_did_not_open_is_opened_for_no_other(site: SecuredSite) -> None:
    real = site.client("desk", modern=False).session_id
    random_id, _, signed = site.client("laptop", modern=False).session_id.partition(".")
    for forged in (
        real,
        f"{'0' * 32}.{signed}",
        f"{random_id}.{signed[:-1]}",
        f"{random_id}.",
        f"{random_id}.{'x' * 9000}",
    ):
        assert site.knock({"Mcp-Session-Id": forged}, body=PING, modern=False).status == 404


def test_an_unknown_session_is_404(site: SecuredSite) -> None:
    for forged in ("0" * 32, "x", "../../etc/passwd", "mcp:1"):
        for verb in ("GET", "POST", "DELETE"):
            assert site.knock({"Mcp-Session-Id": forged}, verb=verb, body=PING, modern=False).status == 404


def test_a_deleted_session_is_404(site: SecuredSite) -> None:
    client = site.client("laptop", modern=False)
    assert client.end() == 0
    for verb in ("GET", "POST", "DELETE"):
        assert site.knock({"Mcp-Session-Id": client.session_id}, verb=verb, body=PING, modern=False).status == 404


def test_the_ids_of_sessions_are_random(site: SecuredSite) -> None:
    ids = {site.client("laptop", modern=False).session_id for _ in range(3)}
    assert len(ids) == 3
    assert {UUID(hex=each.partition(".")[0]).version for each in ids} == {4}


# 12. How many sessions


def test_sessions_are_limited_and_idle_ones_give_way(small: SecuredSite) -> None:
    first, silent = [small.client("laptop", modern=False) for _ in range(SESSIONS)]
    assert small.knock(modern=False).status == 503
    assert first.request("ping")["result"] == {}
    assert small.knock().status == 200
    wait_for(lambda: small.knock(modern=False).status == 200, "room for another session")
    wait_for(lambda: _status(silent) == 200, "room for it again")


# 13. Watching


def test_the_resources_of_one_client_are_limited(site: SecuredSite, modern: bool) -> None:
    client = site.client("south", modern=modern)
    client.call("orchestrator_initialize_session")
    client.call("orchestrator_plan_task", description="Much", subtasks=PLAN * WATCHED_PER_CLIENT)
    uris = [f"task://{row[0]}" for row in _project(site, "south", "t.public_id")[: WATCHED_PER_CLIENT + 1]]
    error = _watch_all(client, uris)["error"]
    assert (error["code"], str(WATCHED_PER_CLIENT) in error["message"]) == (-32602, True)


def _watch_all(client: HttpClient, uris: list[str]) -> dict[str, Any]:
    """Watch some resources in the way of the client's era; returns the last answer."""
    if client.is_modern:
        return client.request("subscriptions/listen", notifications={"resourceSubscriptions": uris})
    *accepted, last = (client.request("resources/subscribe", uri=uri) for uri in uris)
    assert all(answer["result"] == {} for answer in accepted)
    return last


def test_the_streams_of_a_credential_are_limited(site: SecuredSite) -> None:
    for _ in range(STREAMS_PER_CREDENTIAL):
        _watch(site, "laptop")
    late = site.client("laptop")
    refused = late.request("subscriptions/listen", notifications={"toolsListChanged": True})
    assert refused["error"]["data"]["code"] == "transient"
    site.hang_up()
    wait_for(lambda: _can_watch(site), "room for another stream")


def _can_watch(site: SecuredSite) -> bool:
    answer = site.client("laptop").open("subscriptions/listen", notifications={"toolsListChanged": True})
    return "method" in next(messages(answer))


# 7, 8 again, at the end of all this


def test_invalid_tokens_are_throttled_and_valid_ones_are_not(site: SecuredSite) -> None:
    guesses = [site.knock({"Authorization": f"Bearer mto_guess-{number}"}) for number in range(FAILURES + 1)]
    assert guesses[-1].status == 429
    assert int(guesses[-1].headers["Retry-After"]) > 0
    assert site.knock().status == 200


def test_no_token_is_logged(site: SecuredSite) -> None:
    site.knock(verb="GET", target=f"/nowhere/{site.secrets['laptop']}")
    log = site.errors()
    assert "/nowhere/mto_" in log
    assert "DEBUG" in log
    assert not [name for name, secret in site.secrets.items() if secret.removeprefix("mto_")[:12] in log]


def _assert_closed(reply: Reply) -> None:
    """Assert an error that names the scheme and nothing that was sent."""
    assert reply.status == 401, reply.body
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
    assert reply.json["error"]["data"]["code"] == "forbidden"
    assert b"mto_" not in reply.body


def _status(client: HttpClient) -> int:
    return _read(client.sibling().open("tools/list"))


def _read(response: Any) -> int:
    response.read()
    return int(response.status)


def _watch(site: SecuredSite, token: str, *uris: str) -> Iterator[dict[str, Any]]:
    """Open a stream that was acknowledged."""
    notifications = {"resourceSubscriptions": uris} if uris else {"toolsListChanged": True}
    stream = messages(site.client(token).open("subscriptions/listen", notifications=notifications))
    assert next(stream)["method"] == "notifications/subscriptions/acknowledged"
    return stream


def _project(site: SecuredSite, slug: str, columns: str = "t.*") -> list[tuple[Any, ...]]:
    """Return all tasks of a project as they are."""
    rows = "tasks_task t JOIN tasks_project p ON p.id = t.project_id"
    return site.ask(f"SELECT {columns} FROM {rows} WHERE slug = ? ORDER BY t.id", slug)
