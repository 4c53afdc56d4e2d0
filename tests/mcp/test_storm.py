"""Workers that die all the time under load: every request is still answered, once, and truly."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.stdio_client import StdioClient, connected, is_alive, said, wait_for

ROUNDS = 6
REQUESTS = 400


@pytest.mark.storm
@pytest.mark.parametrize("modern", [False, True])
def test_every_request_is_answered_once_however_often_the_worker_dies(home: Path, modern: bool) -> None:
    with connected(home, modern=modern) as client:
        asked: dict[int, int] = {}
        for _ in range(ROUNDS):
            asked |= _ask(client)
            _kill_once_it_has_answered(client, REQUESTS // 8)
            while len(_answers(client)) < len(asked):
                client.next_message()
        answers = _answers(client)
        assert sorted(answer["id"] for answer in answers) == sorted(asked)
        outcomes = [_outcome(answer, asked[answer["id"]]) for answer in answers]
        assert outcomes.count("unknown, with a key") == 0
        assert outcomes.count("true") >= len(asked) / 2
        assert client.call("trial_echo", text="calm")["text"] == "calm"


def _ask(client: StdioClient) -> dict[int, int]:
    """Ask many things, half of them with a key."""
    asked = {}
    for number in range(REQUESTS):
        key = {"idempotency_key": str(number)} if number % 2 else {}
        asked[client.start_call("trial_echo", text=str(number), **key)] = number
    return asked


def _kill_once_it_has_answered(client: StdioClient, times: int) -> None:
    worker = client.worker()
    while times:
        message = client.next_message()
        if "structuredContent" in message["result"] and said(message).get("pid") == worker:
            times -= 1
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not is_alive(worker), "the worker's death")


def _answers(client: StdioClient) -> list[dict[str, Any]]:
    return [message for message in client.messages if "structuredContent" in message.get("result", {})]


def _outcome(answer: dict[str, Any], number: int) -> str:
    facts = said(answer)
    if facts.get("code") == "transient":
        return "unknown, with a key" if number % 2 else "unknown"
    assert facts["text"] == str(number)
    return "true"
