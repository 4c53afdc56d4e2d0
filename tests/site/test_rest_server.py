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


def test_two_tokens_finish_a_plan_over_http(site: Served) -> None:
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


def test_a_chunked_body_without_a_length_is_read(site: Served) -> None:
    raw = json.dumps({"name": "In chunks"}).encode()
    chunks = iter([raw[:5], raw[5:]])
    assert call(site, "A", "POST", "/projects", chunks, Transfer_Encoding="chunked")[1]["slug"] == "in-chunks"


def test_a_content_length_above_the_limit_is_413_before_the_body_is_sent(site: Served) -> None:
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
def test_a_form_above_the_limit_is_413_with_a_page(site: Served, address: str) -> None:
    head = f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {4 * LARGEST}0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb").read().decode()
    head, _, page = answer.partition("\r\n\r\n")
    assert answer.startswith("HTTP/1.1 413")
    headers = head.lower().splitlines()
    assert "content-type: text/html; charset=utf-8" in headers
    assert any(header.startswith("content-security-policy: default-src 'none'") for header in headers)
    assert page.startswith("<!doctype html>")


def test_an_endless_body_is_cut_off_at_the_limit(site: Served) -> None:
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
            pass  # this is how a client notices
    assert sent < 2 * LARGEST
    assert call(site, "A", "GET", "/projects")[0] == 200


def test_a_deeply_nested_body_is_413(site: Served) -> None:
    assert call(site, "A", "POST", "/projects", b'{"a":' * 200_000)[0] == 413
    assert call(site, "A", "GET", "/projects")[0] == 200


def test_the_server_logs_no_traceback(site: Served) -> None:
    call(site, "A", "GET", "/tasks")
    assert "Traceback" not in site.errors()
