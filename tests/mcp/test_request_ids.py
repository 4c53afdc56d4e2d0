"""Every request gets its own answer, whatever ids a client gives to its requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.mcp.http_client import FULL, HANDSHAKE_VERSION, HttpClient, Served, messages, served
from tests.mcp.stdio_client import CLIENT, MODERN

SUBTASK = {"title": "A", "description": "Do A", "specialist_type": "tester"}
GREETING = {"protocolVersion": HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("ids") / "home", {"bound": {**FULL, "project": "bound"}}) as site:
        yield site


@pytest.fixture
def client(site: Served) -> Iterator[HttpClient]:
    yield site.client("bound", modern=False)
    site.hang_up()


def post(client: HttpClient, id: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """Send a call over a connection of its own; return the only answer."""
    params = {"name": f"orchestrator_{tool}", "arguments": arguments}
    sent = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    (answer,) = messages(client.sibling().send("POST", json.dumps(sent).encode()))
    return answer


@pytest.mark.parametrize("id", [1, "1", "_GET_stream", "ü\u2028"])
def test_requests_with_one_id_get_their_own_answers(client: HttpClient, id: Any) -> None:
    titles = [f"Part {id!a} {number}" for number in range(24)]
    subtasks = [{"title": title, "description": "x", "specialist_type": "tester"} for title in titles]
    planned = client.call("orchestrator_plan_task", description="A job", subtasks=subtasks)
    ids = [row["task_id"] for row in planned["subtasks"]]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda task: post(client, id, "get_status", task_id=task), ids))
    assert [answer["id"] for answer in answers] == [id] * len(ids)
    assert [answer["result"]["structuredContent"]["task_id"] for answer in answers] == ids


def test_a_number_and_a_string_are_different_ids(client: HttpClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda id: post(client, id, "get_status"), [1, "1"] * 12))
    assert [answer["id"] for answer in answers] == [1, "1"] * 12


def test_an_answer_of_a_request_that_was_given_up_does_not_go_to_the_next(client: HttpClient) -> None:
    sent = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
    other = client.sibling()
    other.send("POST", json.dumps({**sent, "params": {"name": "orchestrator_get_status", "arguments": {}}}).encode())
    other.close()
    answer = post(client, 7, "initialize_session")
    assert "session_id" in answer["result"]["structuredContent"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"method": 1, "id": 1}'])
def test_what_is_no_request_is_rejected_as_before(client: HttpClient, body: bytes) -> None:
    response = client.sibling().send("POST", body)
    assert response.status == 400
    assert json.loads(response.read())["error"]["code"] < 0


@pytest.mark.parametrize("id", [1.5, True, None, [1], {"a": 1}])
@pytest.mark.parametrize("method", ["initialize", "tools/list"])
def test_a_request_with_what_is_no_id_is_refused(client: HttpClient, id: Any, method: str) -> None:
    response = client.sibling().send("POST", json.dumps({"jsonrpc": "2.0", "id": id, "method": method}).encode())
    assert response.status == 400
    answer = json.loads(response.read())
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)


def test_a_whole_number_is_an_integer_however_it_is_written(client: HttpClient) -> None:
    answer = post(client, 7.0, "get_status")
    assert "result" in answer and json.dumps(answer["id"]) == "7"
    text = '{"id": 7.0, "n": 1}'
    planned = post(client, 8.0, "plan_task", description=text, subtasks=[SUBTASK])["result"]["structuredContent"]
    task = post(client, 9, "get_status", task_id=planned["parent_task_id"])["result"]["structuredContent"]
    assert task["title"] == text


@pytest.mark.parametrize("modern", [False, True])
def test_a_greeting_and_a_request_without_a_session_may_have_such_an_id_too(site: Served, modern: bool) -> None:
    client = HttpClient(site.port, site.secrets["bound"], modern=modern)
    method, params = ("tools/list", {"_meta": MODERN}) if modern else ("initialize", GREETING)
    sent = {"jsonrpc": "2.0", "id": 3.0, "method": method, "params": params}
    (answer,) = messages(client.send("POST", json.dumps(sent).encode(), client.headers(method)))
    client.close()
    assert "result" in answer and json.dumps(answer["id"]) == "3"


def test_a_cancellation_is_heard(client: HttpClient) -> None:
    sent = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}
    response = client.sibling().send("POST", json.dumps(sent).encode())
    assert response.status == 202
    response.read()
