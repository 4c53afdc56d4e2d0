"""What the relay remembers, tried without processes: orders of events that real ones show too rarely."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator_site.mcp.stdio.framing import RECEIPT
from orchestrator_site.mcp.stdio.relay import REPLAYED_HANDSHAKE, Relay


class Pipe:
    """Keeps the lines that were sent into it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_useful = False

    def send(self, line: bytes) -> None:
        self.sent.append(json.loads(line))

    def send_first(self, lines: Callable[[], list[bytes]]) -> None:
        for line in lines():
            self.send(line)

    def methods(self) -> list[str]:
        return [message["method"] for message in self.sent]


class Talk:
    """A relay with a scripted client and worker."""

    def __init__(self) -> None:
        self.client = Pipe()
        self.idle = 0
        self.relay = Relay(self.client, self._count)
        self.worker = self.next_worker()

    def _count(self) -> None:
        self.idle += 1

    def next_worker(self) -> Pipe:
        self.worker = Pipe()
        self.relay.adopt(self.worker)
        return self.worker

    def asks(self, id: int | str, method: str = "tools/call", **params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        self.relay.from_client(json.dumps(message).encode())

    def notifies(self, method: str, **params: Any) -> None:
        self.relay.from_client(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode())

    def works(self, **message: Any) -> None:
        self.relay.from_worker(self.worker, json.dumps({"jsonrpc": "2.0", **message}).encode())

    def takes(self, id: int | str) -> None:
        self.relay.from_worker(self.worker, json.dumps({RECEIPT: id}).encode())

    def dies(self) -> None:
        self.relay.lose(self.worker)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_a_replayed_handshake_comes_first_and_its_response_is_dropped(talk: Talk) -> None:
    talk.asks(1, "initialize")
    talk.works(id=1, result={})
    talk.notifies("notifications/initialized")
    talk.asks(2, "tools/list")
    talk.dies()
    worker = talk.next_worker()
    assert worker.methods() == ["initialize", "notifications/initialized", "tools/list"]
    assert worker.sent[0]["id"] == REPLAYED_HANDSHAKE
    talk.works(id=REPLAYED_HANDSHAKE, result={})
    talk.works(id=2, result={})
    assert [message["id"] for message in talk.client.sent] == [1, 2]


def test_a_pending_handshake_is_sent_again_unchanged(talk: Talk) -> None:
    talk.asks(0, "ping")
    talk.asks("one", "initialize")
    talk.takes("one")
    talk.notifies("notifications/initialized")
    talk.dies()
    worker = talk.next_worker()
    assert worker.methods() == ["initialize", "notifications/initialized", "ping"]
    assert worker.sent[0]["id"] == "one"


def test_a_failed_handshake_is_not_replayed(talk: Talk) -> None:
    talk.asks(1, "initialize")
    talk.works(id=1, error={"code": -32602, "message": "no"})
    talk.dies()
    assert talk.next_worker().methods() == []


def test_a_call_that_was_not_begun_is_sent_again(talk: Talk) -> None:
    talk.asks(1, name="any")
    talk.dies()
    assert talk.client.sent == []
    assert talk.next_worker().methods() == ["tools/call"]


def test_a_call_that_was_begun_is_transient(talk: Talk) -> None:
    talk.asks(1, name="any", arguments={})
    talk.takes(1)
    talk.dies()
    assert talk.client.sent[0]["result"]["structuredContent"]["code"] == "transient"
    assert talk.next_worker().methods() == []
    assert talk.relay.is_idle


def test_requests_without_a_worker_wait_for_the_next(talk: Talk) -> None:
    talk.dies()
    talk.asks(1, name="any")
    talk.asks(2, name="any")
    talk.notifies("notifications/cancelled", requestId=2)
    assert [message["id"] for message in talk.next_worker().sent] == [1]


def test_a_string_and_a_number_are_different_ids(talk: Talk) -> None:
    talk.asks(1, name="any")
    talk.asks("1", name="any")
    talk.works(id="1", result={})
    assert not talk.relay.is_idle
    talk.works(id=1, result={})
    assert talk.relay.is_idle
    assert talk.idle == 1


def test_a_response_of_the_client_goes_only_to_the_worker_that_asked(talk: Talk) -> None:
    answer = json.dumps({"jsonrpc": "2.0", "id": 9, "result": {}}).encode()
    talk.works(id=9, method="roots/list")
    talk.dies()
    worker = talk.next_worker()
    talk.relay.from_client(answer)
    assert worker.sent == []
    talk.works(id=9, method="roots/list")
    talk.relay.from_client(answer)
    assert len(worker.sent) == 1


def test_requests_are_transient_while_no_worker_can_start(talk: Talk) -> None:
    talk.asks(1, name="any")
    talk.dies()
    talk.relay.suspend(2000)
    talk.asks(2, "tools/list")
    waiting, new = talk.client.sent
    assert waiting["result"]["structuredContent"]["details"] == {"retry_after_ms": 2000}
    assert new["error"]["data"]["details"] == {"retry_after_ms": 2000}
    assert talk.next_worker().methods() == []
    talk.asks(3, "tools/list")
    assert talk.worker.methods() == ["tools/list"]


@pytest.mark.parametrize("line", [b"print", b"7", b"{}", b'{"id":1,"result":{}}', b"[" * 100_000])
def test_prints_of_a_worker_do_not_reach_the_client(talk: Talk, line: bytes) -> None:
    talk.relay.from_worker(talk.worker, line)
    assert talk.client.sent == []


def test_the_worker_before_answers_its_calls_after_the_next_was_adopted(talk: Talk) -> None:
    talk.asks(1, name="any")
    before, after = talk.worker, talk.next_worker()
    talk.asks(2, name="any")
    assert [message["id"] for message in before.sent] == [1]
    assert [message["id"] for message in after.sent] == [2]
    talk.relay.from_worker(before, b'{"jsonrpc":"2.0","id":1,"result":{}}')
    talk.works(id=2, result={})
    assert [message["id"] for message in talk.client.sent] == [1, 2]


def test_calls_that_the_worker_before_did_not_begin_go_to_the_next_when_it_ends(talk: Talk) -> None:
    talk.asks(1, name="begun")
    talk.asks(2, name="waiting")
    talk.takes(1)
    before, after = talk.worker, talk.next_worker()
    talk.relay.lose(before)
    assert [message["id"] for message in after.sent] == [2]
    assert [message["id"] for message in talk.client.sent] == [1]
    assert talk.client.sent[0]["result"]["structuredContent"]["code"] == "transient"
    talk.asks(3, name="next")
    assert [message["id"] for message in after.sent] == [2, 3]


def test_a_stream_moves_to_the_next_worker_and_is_not_ended_by_the_one_before(talk: Talk) -> None:
    talk.asks("s", "subscriptions/listen")
    before, after = talk.worker, talk.next_worker()
    assert after.methods() == ["subscriptions/listen"]
    talk.relay.from_worker(before, b'{"jsonrpc":"2.0","id":"s","result":{}}')
    assert talk.client.sent == []
    talk.works(id="s", result={})
    assert [message["id"] for message in talk.client.sent] == ["s"]


def test_what_a_client_watches_is_watched_in_the_next_worker(talk: Talk) -> None:
    for id, uri in enumerate(["task://a", "task://b", "task://c"]):
        talk.asks(id, "resources/subscribe", uri=uri)
        talk.works(id=id, **({"error": {}} if uri == "task://c" else {"result": {}}))
    talk.asks(9, "resources/unsubscribe", uri="task://a")
    talk.works(id=9, result={})
    worker = talk.next_worker()
    assert [message["params"]["uri"] for message in worker.sent] == ["task://b"]
    talk.works(id=worker.sent[0]["id"], result={})
    assert [message["id"] for message in talk.client.sent] == [0, 1, 2, 9]


def test_answers_of_the_client_go_to_the_worker_that_asked(talk: Talk) -> None:
    talk.works(id=7, method="ping")
    before, after = talk.worker, talk.next_worker()
    talk.relay.from_client(b'{"jsonrpc":"2.0","id":7,"result":{}}')
    assert [message["id"] for message in before.sent] == [7]
    assert after.sent == []


def test_a_list_that_differs_is_announced_in_both_ways_of_the_protocol(talk: Talk) -> None:
    talk.notifies("notifications/initialized")
    talk.asks("s", "subscriptions/listen", notifications={"toolsListChanged": True})
    talk.relay.announce(["tools", "prompts"])
    plain, streamed, prompts = talk.client.sent
    assert [plain["method"], prompts["method"]] == [
        "notifications/tools/list_changed", "notifications/prompts/list_changed"
    ]  # fmt: skip
    assert "params" not in plain
    assert streamed["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "s"}
