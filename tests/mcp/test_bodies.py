"""Bodies that cost too much are refused over HTTP and pipes, and large ones wait for each other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from orchestrator_site.asgi.whole_body import BEHIND_SECONDS, SLOWEST, BodyError, turns, whole_body
from orchestrator_site.kernel import bodies
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.mcp.stdio.messages import PARSE_ERROR, Malformed, check_line, parse
from orchestrator_site.rest.parsers import read

MANY = b"[" + b"[]," * bodies.VALUES_LIMIT + b"[]]"


def call(tool: str, arguments: bytes = b"{}") -> bytes:
    head = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"%s","arguments":' % tool.encode()
    return head + arguments + b"}}"


def padded(tool: str) -> bytes:
    return call(tool, json.dumps({"x": "a" * bodies.SMALL_BODY}).encode())


def receiving(*parts: bytes) -> Callable[[], Awaitable[Any]]:
    left = list(parts)

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


def taken(*parts: bytes, **headers: str) -> bytes:
    async def read() -> bytes:
        async with whole_body(receiving(*parts), headers, "ada") as receive:
            return bytes((await receive())["body"])

    return anyio.run(read)


async def fail_as_a_handler() -> None:
    async with whole_body(receiving(b"{}"), {}, "ada"):
        raise TimeoutError


REFUSED = [
    (call("orchestrator_plan_task", MANY), "limit_values"),
    (call("orchestrator_plan_task", b"[" * (bodies.DEPTH_LIMIT + 1)), "limit_depth"),
    (padded("orchestrator_get_status"), "limit_bytes"),
    (b"x" * (bodies.SMALL_BODY + 1), "limit_bytes"),
]


@pytest.mark.parametrize(("body", "limit"), REFUSED)
def test_over_http_it_is_413_with_the_limit(body: bytes, limit: str) -> None:
    with pytest.raises(BodyError) as refused:
        taken(body[:1000], body[1000:])
    assert (refused.value.status, refused.value.error.code, list(refused.value.error.details)) == (
        413, "too_large", [limit]
    )  # fmt: skip
    assert bodies.large.acquire(blocking=False) and bodies.large.acquire(blocking=False)
    bodies.large.release()
    bodies.large.release()


@pytest.mark.parametrize(("body", "limit"), REFUSED[:3])
def test_over_a_pipe_it_is_an_error_with_the_id_and_the_limit(body: bytes, limit: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse(body + b"\n")
    answer = json.loads(refused.value.answer)
    assert (answer["id"], answer["error"]["data"]["code"]) == (7, "too_large")
    assert list(answer["error"]["data"]["details"]) == [limit]


def test_an_id_at_the_end_of_a_line_is_found() -> None:
    with pytest.raises(Malformed) as refused:
        parse(b'{"params":{"x":' + MANY + b'},"method":"ping","id":"last","jsonrpc":"2.0"}\n')
    assert json.loads(refused.value.answer)["id"] == "last"


@pytest.mark.parametrize("tool", sorted(bodies.LARGE_CALLS))
def test_a_call_that_needs_it_is_passed_on_as_it_came(tool: str) -> None:
    body = padded(tool)
    assert taken(body[:1000], body[1000:]) == body
    assert parse(body).id == 7


def test_a_body_that_is_announced_too_large_is_not_read() -> None:
    with pytest.raises(BodyError) as refused:
        taken(**{"content-length": str(bodies.LARGE_BODY + 1)})
    assert refused.value.status == 413


def test_at_most_two_large_bodies_are_in_hand_at_once() -> None:
    body = padded("orchestrator_plan_task")
    in_hand, most = 0, 0

    async def send(who: str) -> None:
        nonlocal in_hand, most
        async with whole_body(receiving(body[: bodies.SMALL_BODY + 1], body[bodies.SMALL_BODY + 1 :]), {}, who):
            in_hand += 1
            most = max(most, in_hand)
            await anyio.sleep(0)
            in_hand -= 1

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(send, str(number))

    anyio.run(all_at_once)
    assert 1 <= most <= bodies.LARGE_AT_ONCE


class Stalled:
    """A body that stops arriving once it holds a place, and how long that may last."""

    def __init__(self) -> None:
        self.left = [padded("orchestrator_plan_task")[: bodies.SMALL_BODY + 1], b"x"]
        self.seconds = 0.0
        self.holds = anyio.Event()

    async def __call__(self) -> Any:
        if self.left:
            return {"type": "http.request", "body": self.left.pop(0), "more_body": True}
        self.seconds = anyio.current_effective_deadline() - anyio.current_time()
        self.holds.set()
        await anyio.sleep_forever()
        return {}


async def read_whole(receive: Any, who: str) -> None:
    async with whole_body(receive, {}, who):
        pass


def test_stalled_large_bodies_of_one_credential_leave_a_place_for_others() -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            stalled = [Stalled() for _ in range(bodies.LARGE_AT_ONCE)]
            for each in stalled:
                tasks.start_soon(read_whole, each, "eve")
            await anyio.wait_all_tasks_blocked()
            assert [each.holds.is_set() for each in stalled] == [True, False]
            with anyio.fail_after(10):
                await read_whole(receiving(padded("orchestrator_plan_task")[:-1], b"}"), "ada")
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert not turns._limiters


def test_one_that_holds_a_place_may_be_little_behind_the_pace() -> None:
    async def main() -> None:
        stalled = Stalled()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_whole, stalled, "eve")
            await stalled.holds.wait()
            tasks.cancel_scope.cancel()
        assert 0 < stalled.seconds <= BEHIND_SECONDS + 1 / SLOWEST

    anyio.run(main)


def test_a_body_that_stops_arriving_is_408_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_site.asgi.whole_body.STALLED_SECONDS", 0.0)

    async def never() -> Any:
        await anyio.sleep_forever()

    async def read() -> None:
        async with whole_body(never, {}, "ada"):
            pass

    with pytest.raises(BodyError) as refused:
        anyio.run(read)
    assert refused.value.status == 408


def test_a_handler_that_runs_out_of_time_is_not_taken_for_a_body_that_did_not_arrive() -> None:
    with pytest.raises(TimeoutError):
        anyio.run(fail_as_a_handler)


HIDDEN = json.dumps(json.loads(call("orchestrator_plan_task", b'["' + b"[]," * 1000 + b'"]')))
"""A call as JSON; in UTF-16 and UTF-32 its brackets cannot be told from the bytes of other characters."""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("padding", [0, bodies.SMALL_BODY])
def test_what_is_not_utf_8_is_refused_before_it_is_parsed(encoding: str, padding: int) -> None:
    raw = (HIDDEN + " " * padding).encode(encoding)
    with pytest.raises(BodyError) as refused:
        taken(raw)
    assert (refused.value.status, refused.value.error.code) == (400, "invalid")
    with pytest.raises(Invalid):
        read(raw, bodies.LARGE_BODY)
    with pytest.raises(Malformed) as malformed:
        check_line(raw)
    assert json.loads(malformed.value.answer)["error"]["code"] == PARSE_ERROR
