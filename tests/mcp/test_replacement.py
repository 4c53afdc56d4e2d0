"""A worker that dies is replaced, and the client notices as little as possible."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.mcp.stdio_client import StdioClient, connected, is_alive, said, wait_for


def _started(folder: Path, name: str = "started") -> list[Path]:
    return list(folder.glob(f"{name}-*"))


def test_a_killed_worker_is_replaced_and_the_handshake_is_replayed(client: StdioClient) -> None:
    before = client.call("trial_echo", text="one")
    client.kill_worker()
    after = client.call("trial_echo", text="two")
    assert after["pid"] != before["pid"]
    assert after["text"] == "two"
    assert after["connection_id"] == before["connection_id"]
    assert after["client"] == "raw 1.2"
    assert [m["id"] for m in client.messages if "id" in m] == [1, 2, 3]


def test_a_killed_worker_is_replaced_without_a_handshake(modern_client: StdioClient) -> None:
    before = modern_client.call("trial_echo")
    modern_client.kill_worker()
    after = modern_client.call("trial_echo")
    assert after["pid"] != before["pid"]
    assert after["connection_id"] == before["connection_id"]
    assert after["client"] == "raw 1.2"


@pytest.mark.parametrize("modern", [False, True])
def test_an_interrupted_call_is_transient(home: Path, tmp_path: Path, modern: bool) -> None:
    with connected(home, modern=modern) as client:
        call = client.start_call("trial_block", folder=str(tmp_path))
        wait_for(lambda: _started(tmp_path), "the call")
        client.kill_worker()
        answer = client.answer_to(call)
        facts = said(answer)
        assert facts["code"] == "transient"
        assert facts["details"]["retry_after_ms"] > 0
        assert facts["next"]
        assert answer["result"].get("resultType") == ("complete" if modern else None)
        assert client.call("trial_echo", text="goes on")["text"] == "goes on"
        assert len(_started(tmp_path)) == 1


def test_an_interrupted_call_with_an_idempotency_key_is_retried(client: StdioClient, tmp_path: Path) -> None:
    call = client.start_call("trial_block", folder=str(tmp_path), idempotency_key="k")
    wait_for(lambda: _started(tmp_path), "the call")
    client.kill_worker()
    wait_for(lambda: len(_started(tmp_path)) == 2, "the second run")
    (tmp_path / "release").touch()
    assert said(client.answer_to(call))["released"] is True


def test_a_call_is_retried_only_once(client: StdioClient, tmp_path: Path) -> None:
    call = client.start_call("trial_block", folder=str(tmp_path), idempotency_key="k")
    wait_for(lambda: len(_started(tmp_path)) == 1, "the first run")
    client.kill_worker()
    wait_for(lambda: len(_started(tmp_path)) == 2, "the second run")
    client.kill_worker()
    assert said(client.answer_to(call))["code"] == "transient"
    assert client.call("trial_echo")["pid"]
    assert len(_started(tmp_path)) == 2


def test_an_interrupted_read_is_retried(client: StdioClient) -> None:
    answer = client.request("resources/read", uri="trial://fatal/1")
    assert answer["result"]["contents"][0]["text"] == "survived"


def test_a_read_that_kills_every_worker_gets_an_error(client: StdioClient) -> None:
    answer = client.request("resources/read", uri="trial://fatal/9")
    assert answer["error"]["code"] == -32603
    assert answer["error"]["data"]["code"] == "transient"
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"


def test_a_cancelled_call_is_neither_answered_nor_retried(client: StdioClient, tmp_path: Path) -> None:
    call = client.start_call("trial_block", folder=str(tmp_path), idempotency_key="k")
    wait_for(lambda: _started(tmp_path), "the call")
    client.send(method="notifications/cancelled", params={"requestId": call})
    client.kill_worker()
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"
    assert call not in [message.get("id") for message in client.messages]
    assert len(_started(tmp_path)) == 1


def test_a_call_cancelled_in_a_live_worker_is_not_answered(client: StdioClient, tmp_path: Path) -> None:
    call = client.start_call("trial_block", folder=str(tmp_path))
    wait_for(lambda: _started(tmp_path), "the call")
    client.send(method="notifications/cancelled", params={"requestId": call})
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"
    (tmp_path / "release").touch()
    wait_for(lambda: _started(tmp_path, "done"), "the end of the call")
    assert client.call("trial_echo", text="still")["text"] == "still"
    assert call not in [message.get("id") for message in client.messages]


def test_a_subscription_continues_in_the_next_worker(modern_client: StdioClient) -> None:
    client = modern_client
    listening = client.start("subscriptions/listen", notifications={"toolsListChanged": True})
    assert client.next_message()["method"] == "notifications/subscriptions/acknowledged"
    client.kill_worker()
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"
    assert client.end() == 0
    left = client.messages[1:] + client.rest()
    assert not [message for message in left if "acknowledged" in message.get("method", "")]
    assert listening not in [message.get("id") for message in client.messages[:-1]]


def test_a_worker_that_gets_sigterm_finishes_its_calls(client: StdioClient, tmp_path: Path) -> None:
    call = client.start_call("trial_block", folder=str(tmp_path))
    wait_for(lambda: _started(tmp_path), "the call")
    worker = client.worker()
    os.kill(worker, signal.SIGTERM)
    (tmp_path / "release").touch()
    assert said(client.answer_to(call)) == {"released": True, "pid": worker}
    wait_for(lambda: not is_alive(worker), "the worker's end")
    assert client.call("trial_echo")["pid"] != worker


def test_a_server_that_cannot_start_answers_transient_and_keeps_trying(home: Path) -> None:
    client = StdioClient(home, TRIAL_DIES_AT_START="1")
    try:
        answer = client.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={})
        assert answer["error"]["data"]["code"] == "transient"
        assert said(client.answer_to(client.start_call("trial_echo")))["code"] == "transient"
        assert "starting another" in client.errors()
        assert client.end() == 0
    finally:
        client.process.kill()
        client.process.wait()
        assert client.process.stdout
        client.process.stdout.close()
