"""The REST API over a real socket: the site as `up` serves it, and bodies as clients really send them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.mcp.http_client import Served, served
from tests.rest import ALL, API, subtask

LARGEST = 2 * 16 * 1024 * 1024 + 2 * 1024 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("rest")
    tokens = {"A": {"scopes": ALL}, "B": {"scopes": ["read", "write"]}}
    with served(folder / "home", tokens) as running:
        call(running, "A", "POST", "/projects", {"name": "Shop"})
        yield running


def call(site: Served, token: str, method: str, address: str, body: Any = None, **headers: str) -> Any:
    """Send one request; bytes in an iterator go in chunks of unknown number."""
    connection = HTTPConnection("127.0.0.1", site.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"Authorization": f"Bearer {site.secrets[token]}", "Content-Type": "application/json"}
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    connection.request(method, f"{API}{address}", sent, named, encode_chunked=isinstance(body, Iterator))
    response = connection.getresponse()
    answer = json.loads(response.read() or b"null")
    connection.close()
    assert response.status < 400 or response.headers["Content-Type"] == "application/problem+json"
    return response.status, answer


def test_a_job_is_done_from_the_plan_to_the_synthesis_by_two_tokens(site: Served) -> None:
    subtasks = [subtask("One", review=True), subtask("Two", dependencies=["One"])]
    body = {"project": "shop", "description": "A job", "subtasks": subtasks}
    status, plan = call(site, "A", "POST", "/plans", body, Idempotency_Key="the plan")
    assert (status, call(site, "A", "POST", "/plans", body, Idempotency_Key="the plan")[1]) == (201, plan)
    for number in range(2):
        _, taken = call(site, "B", "POST", "/projects/shop/claim-next", {})
        task = taken["task"]
        work = {"summary": "Done", "detailed_work": "x" * 12_534, "lease_number": task["lease_number"]}
        status, done = call(site, "B", "POST", f"/tasks/{task['task_id']}/complete", work)
        assert (status, done["artifact_info"]["size_bytes"]) == (200, 12_534)
        if number == 0:
            assert call(site, "B", "POST", f"/tasks/{task['task_id']}/approve", {})[0] == 403
            assert call(site, "A", "POST", f"/tasks/{task['task_id']}/approve", {})[1]["unblocked"]
    assert call(site, "A", "GET", f"/plans/{plan['plan']}/synthesis")[1]["complete"] is True


def test_a_body_in_chunks_without_a_length_is_read(site: Served) -> None:
    raw = json.dumps({"name": "In chunks"}).encode()
    chunks = iter([raw[:5], raw[5:]])
    assert call(site, "A", "POST", "/projects", chunks, Transfer_Encoding="chunked")[1]["slug"] == "in-chunks"


def test_a_body_that_is_told_to_be_too_large_is_refused_before_it_is_sent(site: Served) -> None:
    head = (
        f"POST {API}/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.secrets['A']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {LARGEST + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 413")
    assert '"code": "too_large"' in answer


@pytest.mark.parametrize("address", ["/tasks/task_1/complete/", "/tasks/task_1/edit/", "/apidocs/"])
def test_a_form_that_is_too_large_is_refused_with_a_page_for_people(site: Served, address: str) -> None:
    head = f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {4 * LARGEST}0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb").read().decode()
    head, _, page = answer.partition("\r\n\r\n")
    assert answer.startswith("HTTP/1.1 413")
    assert "content-type: text/html" in head and "content-security-policy: default-src 'none'" in head
    assert page.startswith("<!doctype html>") and "more than one request may carry" in page and "MB at once" in page


def test_a_body_that_never_ends_is_cut_off(site: Served) -> None:
    head = (
        f"POST {API}/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.secrets['A']}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as client:
        client.sendall(head.encode())
        sent = 0
        try:
            while sent < 4 * LARGEST:
                client.sendall(chunk)
                sent += 0x100000
        except OSError:
            pass  # that is how a client learns it
    assert sent < 2 * LARGEST
    assert call(site, "A", "GET", "/projects")[0] == 200


def test_a_deeply_nested_body_ends_nothing(site: Served) -> None:
    assert call(site, "A", "POST", "/projects", b'{"a":' * 200_000)[0] == 400
    assert call(site, "A", "GET", "/projects")[0] == 200


def test_the_server_complains_about_nothing(site: Served) -> None:
    call(site, "A", "GET", "/tasks")
    assert "Traceback" not in site.errors()
