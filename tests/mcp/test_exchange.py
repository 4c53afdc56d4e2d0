"""A worker that runs is exchanged for a new one, and the client notices nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.stdio_client import StdioClient, children, connected, is_alive, said, wait_for


def _hang_up(client: StdioClient) -> int:
    """Ask for a restart as a person does, and return the worker that goes."""
    before = client.worker()
    client.process.send_signal(signal.SIGHUP)
    return before


def _exchange(client: StdioClient) -> dict[str, Any]:
    """Restart and return the first answer of the next worker."""
    before = _hang_up(client)
    answer: dict[str, Any] = wait_for(
        lambda: answer if (answer := client.call("trial_echo"))["pid"] != before else None, "the next worker"
    )
    wait_for(lambda: not is_alive(before), "the end of the worker before")
    return answer


def _started(folder: Path) -> list[Path]:
    return list(folder.glob("started-*"))


@pytest.mark.parametrize("modern", [False, True])
def test_a_hang_up_exchanges_the_worker_on_the_same_connection(home: Path, modern: bool) -> None:
    with connected(home, modern=modern) as client:
        before = client.call("trial_echo")
        after = _exchange(client)
        assert after["connection_id"] == before["connection_id"]
        assert after["client"] == "raw 1.2"
        assert children(client.process.pid) == [after["pid"]]
        assert client.end() == 0
        assert client.rest() == []


def test_nothing_is_seen_of_an_exchange_for_the_same_lists(client: StdioClient) -> None:
    _exchange(client)
    assert [message for message in client.messages if "method" in message] == []
    assert [message["id"] for message in client.messages] == list(range(1, len(client.messages) + 1))


def test_calls_in_flight_are_finished_by_the_worker_that_began_them(client: StdioClient, tmp_path: Path) -> None:
    first = client.start_call("trial_block", folder=str(tmp_path))
    wait_for(lambda: _started(tmp_path), "the call")
    before = _hang_up(client)
    queued = client.start_call("trial_echo", text="queued behind it")
    wait_for(lambda: len(children(client.process.pid)) == 2, "the next worker")
    (tmp_path / "release").touch()
    assert said(client.answer_to(first)) == {"released": True, "pid": before}
    assert said(client.answer_to(queued))["text"] == "queued behind it"
    wait_for(lambda: not is_alive(before), "the end of the worker before")
    assert len(_started(tmp_path)) == 1


def test_the_next_worker_answers_while_the_one_before_finishes_its_calls(client: StdioClient, tmp_path: Path) -> None:
    first = client.start_call("trial_block", folder=str(tmp_path))
    wait_for(lambda: _started(tmp_path), "the call")
    before = _hang_up(client)
    wait_for(lambda: client.call("trial_echo")["pid"] != before, "the next worker")
    (tmp_path / "release").touch()
    assert said(client.answer_to(first))["pid"] == before


def test_a_worker_that_cannot_start_leaves_the_one_before(home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with connected(home, TRIAL_BREAKS=str(broken)) as client:
        broken.touch()
        before = _hang_up(client)
        wait_for(lambda: "the restart failed" in client.errors(), "the failure")
        assert client.call("trial_echo")["pid"] == before
        wait_for(lambda: children(client.process.pid) == [before], "the end of the new worker")
        broken.unlink()
        wait_for(lambda: _hang_up(client) and client.call("trial_echo")["pid"] != before, "a restart that succeeds")


def test_a_stream_is_continued_by_the_next_worker(modern_client: StdioClient) -> None:
    client = modern_client
    listening = client.start("subscriptions/listen", notifications={"toolsListChanged": True})
    assert client.next_message()["method"] == "notifications/subscriptions/acknowledged"
    _exchange(client)
    _exchange(client)
    assert [m for m in client.messages[1:] if "method" in m or m.get("id") == listening] == []
    assert client.end() == 0


def test_the_end_of_input_during_an_exchange_ends_everything(client: StdioClient) -> None:
    _hang_up(client)
    pids = wait_for(lambda: len(found := children(client.process.pid)) == 2 and found, "the next worker")
    assert client.end() == 0
    assert not any(map(is_alive, pids))


def test_the_death_of_both_workers_during_an_exchange_is_survived(client: StdioClient) -> None:
    _hang_up(client)
    for pid in wait_for(lambda: len(found := children(client.process.pid)) == 2 and found, "the next worker"):
        os.kill(pid, signal.SIGKILL)
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"
