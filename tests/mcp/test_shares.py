"""No credential takes all sessions, streams, calls or search time from the others."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from django.db import connection
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server

from artifacts.search.time_limit import time_limit
from orchestrator_site.asgi.shares import Shares, Turns
from orchestrator_site.kernel.errors import TooLarge, Transient
from orchestrator_site.mcp.http_sessions import SESSION_HEADER, Sessions
from tests.mcp.secured import GREETING

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


class Host:
    """The sessions of a server, without sockets."""

    def __init__(self, **options: Any) -> None:
        self.sessions = Sessions(Server("x"), json_response=True, **options)

    async def ask(self, who: str, body: Any, session: str = "") -> tuple[int, str]:
        """Send a request of a credential; return its status and session."""
        named = {"host": "127.0.0.1:80", "content-type": "application/json"}
        named |= {"accept": "application/json, text/event-stream"} | ({SESSION_HEADER: session} if session else {})
        user = AuthenticatedUser(AccessToken(token="", client_id=who, scopes=[]))
        raw = [(name.encode(), value.encode()) for name, value in named.items()]
        scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": raw, "query_string": b"", "user": user}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

        await self.sessions.handle_request(scope, receive, send)
        headers = dict(sent[0]["headers"])
        return sent[0]["status"], headers.get(SESSION_HEADER.encode(), b"").decode()

    async def open(self, who: str) -> str:
        status, session = await self.ask(who, GREETING)
        assert status == 200
        return session

    async def is_open(self, who: str, session: str) -> bool:
        status, _ = await self.ask(who, {"jsonrpc": "2.0", "id": 2, "method": "ping"}, session)
        return status == 200


def run(body: Callable[[Host], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        host = Host(**options)
        async with host.sessions.run():
            await body(host)

    anyio.run(main)


def test_the_session_that_a_credential_has_not_used_for_longest_gives_way() -> None:
    async def body(host: Host) -> None:
        other = await host.open("other")
        first, second = await host.open("ada"), await host.open("ada")
        assert await host.is_open("ada", first)
        third = await host.open("ada")
        assert set(host.sessions._server_instances) == {other, first, third}
        assert await host.is_open("ada", second)  # again, where one gives way that was not used for longer
        assert set(host.sessions._server_instances) == {other, second, third}

    run(body, per_credential=2)


def test_a_session_goes_on_with_what_its_client_has_said() -> None:
    async def body(host: Host) -> None:
        session = await host.open("ada")
        later = Host()
        async with later.sessions.run():
            assert not await later.is_open("other", session)
            assert await later.is_open("ada", session)

    run(body)


def test_a_session_of_a_client_that_says_much_does_not_go_on() -> None:
    async def body(host: Host) -> None:
        much = GREETING | {
            "params": GREETING["params"]
            | {"capabilities": {"experimental": {str(n): {"of": str(n * n)} for n in range(2000)}}}
        }
        status, session = await host.ask("ada", much)
        assert (status, len(session)) == (200, 32)
        assert await host.is_open("ada", session)

    run(body)


def test_999_handshakes_of_one_credential_leave_places_for_others() -> None:
    async def body(host: Host) -> None:
        for _ in range(999):
            await host.open("ada")
        assert await host.is_open("other", await host.open("other"))

    run(body, max_sessions=100)


def test_a_session_that_is_being_opened_again_does_not_give_way() -> None:
    async def body(host: Host) -> None:
        session = await host.open("ada")
        later = Host(per_credential=1)
        answers: list[bool] = []

        async def go_on() -> None:
            answers.append(await later.is_open("ada", session))

        async with later.sessions.run(), anyio.create_task_group() as tasks:
            tasks.start_soon(go_on)
            while not later.sessions._running:
                await anyio.lowlevel.checkpoint()
            assert (await later.ask("ada", GREETING))[0] == 503
        assert answers == [True]

    run(body)


def test_a_session_with_a_running_request_does_not_give_way() -> None:
    async def body(host: Host) -> None:
        first = await host.open("ada")
        host.sessions._running[first] = 1
        assert (await host.ask("ada", GREETING))[0] == 503
        assert await host.is_open("ada", first)

    run(body, per_credential=1)


def test_streams_beyond_a_share_are_refused_and_others_are_not() -> None:
    shares = Shares(2)
    with shares.share("ada"), shares.share("ada"):
        with pytest.raises(Transient):
            shares.take("ada")
        shares.take("other")
    shares.take("ada")


def test_calls_beyond_a_share_wait_and_others_do_not() -> None:
    order: list[str] = []

    async def main() -> None:
        turns, end = Turns(2), anyio.Event()

        async def call(who: str, name: str) -> None:
            async with turns.turn(who):
                order.append(name)
                await end.wait()

        async with anyio.create_task_group() as tasks:
            for who, name in (("ada", "1"), ("ada", "2"), ("ada", "3"), ("other", "4")):
                tasks.start_soon(call, who, name)
            await anyio.wait_all_tasks_blocked()
            assert sorted(order) == ["1", "2", "4"]
            end.set()
        assert not turns._limiters

    anyio.run(main)
    assert order[-1] == "3"


def test_a_turn_that_ends_early_lets_the_next_begin() -> None:
    async def main() -> None:
        turns = Turns(1)
        async with turns.turn("ada") as end:
            end()
            with anyio.fail_after(10):
                async with turns.turn("ada"):
                    end()  # again, which is no other's turn
                    assert turns._limiters["ada"].borrowed_tokens == 1
        assert not turns._limiters

    anyio.run(main)


@pytest.mark.django_db
def test_a_search_that_takes_too_long_is_ended_and_the_connection_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifacts.search.time_limit.SEARCH_SECONDS", 0.05)
    with connection.cursor() as cursor:
        with pytest.raises(TooLarge), time_limit():
            cursor.execute(ENDLESS)
            cursor.fetchall()
        if connection.vendor == "sqlite":
            with time_limit():
                cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
