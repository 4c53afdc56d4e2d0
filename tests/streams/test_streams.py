"""Server-sent events as a client sees them, from the real Django application."""

from __future__ import annotations

import json
import threading

import anyio
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from orchestrator_site.asgi import event_hub
from orchestrator_site.asgi.shares import Shares
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens import bearer
from orchestrator_site.tokens.bearer import FailureThrottle
from orchestrator_site.tokens.service import create_token, revoke_token
from tasks.api import event_stream
from tasks.choices import Verb
from tasks.models import Event, Task
from tasks.selectors import feed
from tests.factories import make_event, make_project, make_task, make_user
from tests.streams.asgi import DEADLINE_SECONDS, Site, asked, in_database, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def secret() -> str:
    return create_token(owner=make_user("ada", is_superuser=True), name="laptop", scopes=["read"])[1]


@pytest.fixture
def task() -> Task:
    return make_task(make_project("ledger"))


def seen(text: str) -> list[int]:
    return [json.loads(line.removeprefix("data: "))["id"] for line in text.splitlines() if line.startswith("data: ")]


def test_an_event_is_streamed_when_it_happens(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert "content-length" not in answer.headers
            event = await in_database(make_event, task, Verb.CLAIM)
            await answer.until_shown(f"id: {event.pk}\nevent: changed\ndata: ")
            assert not answer.is_over

    run(body)


def test_no_event_is_missed_or_repeated_while_a_stream_begins(secret: str, task: Task) -> None:
    """Events are written all the time, so some fall between the first read of the view and that of the hub."""
    made: list[int] = []

    async def body(app: Site) -> None:
        async def write() -> None:
            for _ in range(120):
                made.append((await in_database(make_event, task)).pk)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await anyio.sleep(0.05)
            async with asked(app, secret, "after=0") as first, asked(app, secret, "after=0") as second:
                for answer in (first, second):
                    await answer.until(lambda answer=answer: len(seen(answer.text)) >= 120)  # type: ignore[misc]
                    assert seen(answer.text) == made

    run(body)


def test_last_event_id_continues_a_stream(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        first = await in_database(make_event, task)
        async with asked(app, secret) as answer:
            missed = await in_database(make_event, task)
            await answer.until_shown(f"id: {missed.pk}\n")
        later = await in_database(make_event, task)
        async with asked(app, secret, last_event_id=str(first.pk)) as answer:
            await answer.until(lambda: len(seen(answer.text)) == 2)
            assert seen(answer.text) == [missed.pk, later.pk]

    run(body)


def test_a_stream_is_filtered_by_verb_and_by_the_token(task: Task) -> None:
    owner = make_user("ada", is_superuser=True)
    bound = create_token(owner=owner, name="bound", scopes=["read"], project=task.project)[1]
    elsewhere = make_task(make_project("other"))

    async def body(app: Site) -> None:
        async with asked(app, bound, "verb=claim,cancel") as answer:
            await in_database(make_event, elsewhere, Verb.CLAIM)
            await in_database(make_event, task, Verb.EDIT)
            claimed = await in_database(make_event, task, Verb.CLAIM)
            await answer.until_shown(f"id: {claimed.pk}\n")
            assert seen(answer.text) == [claimed.pk]

    run(body)


def test_a_quiet_stream_sends_heartbeats(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            await answer.until(lambda: answer.text.count(": still here\n\n") >= 3)
            assert seen(answer.text) == []

    run(body, HEARTBEAT_SECONDS=0.05)


def test_a_stream_ends_when_its_token_is_revoked(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            await answer.until(lambda: answer.text.count(": still here") >= 4)
            assert not answer.is_over
            await in_database(lambda: revoke_token(token=AccessToken.objects.get()))
            await answer.until(lambda: answer.is_over)

    run(body, HEARTBEAT_SECONDS=0.05, CHECK_SECONDS=0.1)


def test_a_stream_ends_when_its_revoked_token_is_throttled(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "failures", FailureThrottle(failures=0))

    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            await in_database(lambda: revoke_token(token=AccessToken.objects.get()))
            await answer.until(lambda: answer.is_over)

    run(body, HEARTBEAT_SECONDS=0.05, CHECK_SECONDS=0.1)


@pytest.mark.parametrize("accept", ["text/*", "Text/Event-Stream"])
def test_a_stream_is_negotiated_by_any_matching_accept_header(secret: str, task: Task, accept: str) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret, accept=accept) as answer:
            event = await in_database(make_event, task)
            await answer.until_shown(f"id: {event.pk}\nevent: changed\n")

    run(body)


def test_a_stream_ends_when_its_account_is_deactivated(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            await in_database(lambda: User.objects.update(is_active=False))
            await answer.until(lambda: answer.is_over)

    run(body, HEARTBEAT_SECONDS=0.05, CHECK_SECONDS=0.1)


def test_a_wrong_token_gets_a_problem_instead_of_a_stream(task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, "mto_wrong") as answer:
            await answer.until(lambda: answer.is_over)
            assert answer.status == 401
            assert answer.headers["content-type"] == "application/problem+json"

    run(body)


def test_the_streams_of_one_credential_are_limited_and_others_are_served(secret: str, task: Task) -> None:
    other = create_token(owner=make_user("other"), name="other", scopes=["read"])[1]

    async def body(app: Site) -> None:
        app.hub.shares = Shares(1)
        async with asked(app, secret), asked(app, secret) as second, asked(app, other) as third:
            await second.until(lambda: second.is_over)
            assert (second.status, third.status) == (503, 200)
        async with asked(app, secret) as answer:
            assert answer.status == 200

    run(body)


def test_the_number_of_streams_is_limited(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        async with asked(app, secret), asked(app, secret) as second:
            async with asked(app, secret) as third:
                await third.until(lambda: third.is_over)
                assert (third.status, json.loads(third.text)["code"]) == (503, "transient")
                assert third.headers["retry-after"] == "10"
            assert (second.status, second.is_over) == (200, False)
        async with asked(app, secret) as answer:
            assert answer.status == 200

    assert run(body, STREAMS=2).hub.streams == 0


def test_streams_hold_neither_threads_nor_connections(secret: str, task: Task) -> None:
    async def body(app: Site) -> None:
        app.hub.shares = Shares(40)
        async with anyio.create_task_group() as tasks:
            done = anyio.Event()
            answers = []

            async def follow() -> None:
                async with asked(app, secret) as answer:
                    answers.append(answer)
                    await done.wait()

            for _ in range(40):
                tasks.start_soon(follow)
            while len(answers) < 40:
                await anyio.sleep(0.01)
            event = await in_database(make_event, task)
            for answer in answers:
                await answer.until_shown(f"id: {event.pk}\n")
            assert threading.active_count() < 20
            done.set()

    run(body)


def test_a_client_that_lags_behind_reads_from_the_database(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BATCH", 3)
    monkeypatch.setattr(event_hub, "KEPT", 5)
    monkeypatch.setattr(event_hub, "POLL_SECONDS", 0.02)

    async def body(app: Site) -> None:
        async with asked(app, secret):  # keeps the hub polling
            made = [(await in_database(make_event, task)).pk for _ in range(20)]
            while app.hub.last_id < made[-1]:
                await anyio.sleep(0.01)
            assert app.hub.kept_since(made[0]) is None
            events, reached = await event_stream._earlier(app.hub, feed.EventFilter(), made[0])
            assert ([event.pk for event in events], reached) == (made[1:4], made[3])
            kept = app.hub.kept_since(made[16])
            assert kept is not None
            assert [event.pk for event in kept] == made[17:]

    run(body)


def test_polling_stops_when_nobody_follows(secret: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "POLL_SECONDS", 0.01)

    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            event = await in_database(make_event, task)
            await answer.until_shown(f"id: {event.pk}\n")
            assert app.hub._is_polling
        with anyio.fail_after(DEADLINE_SECONDS):
            while app.hub._is_polling:
                await anyio.sleep(0.01)

    run(body)


def test_a_database_that_fails_for_a_while_ends_no_stream(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_hub, "POLL_SECONDS", 0.02)
    read_after, failures = feed.read_after, []

    def fails_at_first(event_id: int) -> list[Event]:
        if len(failures) < 3:
            failures.append(event_id)
            raise DatabaseError("database is locked")
        return read_after(event_id)

    monkeypatch.setattr(feed, "read_after", fails_at_first)

    async def body(app: Site) -> None:
        async with asked(app, secret) as answer:
            with anyio.fail_after(DEADLINE_SECONDS):
                while len(failures) < 3:
                    await anyio.sleep(0.01)
            event: Event = await in_database(make_event, task)
            await answer.until_shown(f"id: {event.pk}\n")

    run(body)
    assert len(failures) == 3
