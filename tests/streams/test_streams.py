"""Events as they happen: what a client that follows them sees, in front of the real Django application."""

from __future__ import annotations

import json
import threading

import anyio
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from orchestrator_site.models import AccessToken
from orchestrator_site.streams import hub
from orchestrator_site.streams.app import EventStreams
from orchestrator_site.tokens import bearer
from orchestrator_site.tokens.service import create_token, revoke_token
from orchestrator_site.tokens.throttle import FailureThrottle
from tasks.choices import Verb
from tasks.models import Event, Task
from tasks.selectors import feed
from tests.factories import make_event, make_project, make_task, make_user
from tests.streams.asgi import DEADLINE_SECONDS, asked, in_database, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def secret() -> str:
    return create_token(owner=make_user("ada", is_superuser=True), name="laptop", scopes=["read"])[1]


@pytest.fixture
def task() -> Task:
    return make_task(make_project("ledger"))


def seen(text: str) -> list[int]:
    return [json.loads(line.removeprefix("data: "))["id"] for line in text.splitlines() if line.startswith("data: ")]


def test_what_happens_is_told_while_it_happens(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert not {"content-length", "orchestrator-stream"} & set(answer.headers)
            event = await in_database(make_event, task, Verb.CLAIM)
            await answer.until_shown(f"id: {event.pk}\nevent: changed\ndata: ")
            assert not answer.is_over

    run(body)


def test_nothing_is_missed_or_told_twice_between_the_past_and_the_present(secret: str, task: Task) -> None:
    """Events are written all the while, so some fall between the look that Django takes and the first of the hub."""
    made: list[int] = []

    async def body(app: EventStreams) -> None:
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


def test_a_client_that_comes_back_goes_on_where_it_was(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        first = await in_database(make_event, task)
        async with asked(app, secret) as answer:
            missed = await in_database(make_event, task)
            await answer.until_shown(f"id: {missed.pk}\n")
        later = await in_database(make_event, task)
        async with asked(app, secret, last_event_id=str(first.pk)) as answer:
            await answer.until(lambda: len(seen(answer.text)) == 2)
            assert seen(answer.text) == [missed.pk, later.pk]

    run(body)


def test_only_what_is_wanted_and_allowed_is_told(task: Task) -> None:
    owner = make_user("ada", is_superuser=True)
    bound = create_token(owner=owner, name="bound", scopes=["read"], project=task.project)[1]
    elsewhere = make_task(make_project("other"))

    async def body(app: EventStreams) -> None:
        async with asked(app, bound, "verb=claim,cancel") as answer:
            await in_database(make_event, elsewhere, Verb.CLAIM)
            await in_database(make_event, task, Verb.EDIT)
            claimed = await in_database(make_event, task, Verb.CLAIM)
            await answer.until_shown(f"id: {claimed.pk}\n")
            assert seen(answer.text) == [claimed.pk]

    run(body)


def test_a_quiet_stream_shows_that_it_lives(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            await answer.until(lambda: answer.text.count(": still here\n\n") >= 3)
            assert seen(answer.text) == []

    run(body, heartbeat_seconds=0.05)


def test_a_stream_ends_soon_after_its_token_was_revoked(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            await answer.until(lambda: answer.text.count(": still here") >= 4)
            assert not answer.is_over
            await in_database(lambda: revoke_token(token=AccessToken.objects.get()))
            await answer.until(lambda: answer.is_over)

    run(body, heartbeat_seconds=0.05, check_seconds=0.1)


def test_a_revoked_token_goes_on_with_no_stream_where_bad_tokens_have_to_wait(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "failures", FailureThrottle(failures=0))

    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            await in_database(lambda: revoke_token(token=AccessToken.objects.get()))
            await answer.until(lambda: answer.is_over)

    run(body, heartbeat_seconds=0.05, check_seconds=0.1)


@pytest.mark.parametrize("accept", ["text/*", "Text/Event-Stream"])
def test_a_stream_is_followed_however_it_was_asked_for(secret: str, task: Task, accept: str) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret, accept=accept) as answer:
            event = await in_database(make_event, task)
            await answer.until_shown(f"id: {event.pk}\nevent: changed\n")
            assert "orchestrator-stream" not in answer.headers

    run(body)


def test_a_stream_ends_with_the_account_behind_it(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            await in_database(lambda: User.objects.update(is_active=False))
            await answer.until(lambda: answer.is_over)

    run(body, heartbeat_seconds=0.05, check_seconds=0.1)


def test_what_was_refused_stays_refused(task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, "mto_wrong") as answer:
            await answer.until(lambda: answer.is_over)
            assert answer.status == 401
            assert answer.headers["content-type"] == "application/problem+json"

    run(body)


def test_there_is_room_for_a_number_of_streams_and_again_when_one_has_gone(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
        async with asked(app, secret), asked(app, secret) as second:
            async with asked(app, secret) as third:
                await third.until(lambda: third.is_over)
                assert (third.status, json.loads(third.text)["code"]) == (503, "transient")
                assert third.headers["retry-after"] == "10"
            assert (second.status, second.is_over) == (200, False)
        async with asked(app, secret) as answer:
            assert answer.status == 200

    assert run(body, streams=2)._room == 2


def test_streams_hold_neither_threads_nor_connections(secret: str, task: Task) -> None:
    async def body(app: EventStreams) -> None:
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


def test_a_client_that_lags_behind_what_is_kept_gets_it_from_the_database(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BATCH", 3)

    async def body(app: EventStreams) -> None:
        app._hub._kept = hub.deque(maxlen=5)
        monkeypatch.setattr(hub, "_KEPT", 5)
        async with asked(app, secret):  # keeps the hub looking
            made = [(await in_database(make_event, task)).pk for _ in range(20)]
            while app._hub.last_id < made[-1]:
                await anyio.sleep(0.01)
            assert app._hub.kept_since(made[0]) is None
            found, reached = await app._hub.earlier(feed.Wanted(), made[0])
            assert ([told.event.pk for told in found], reached) == (made[1:4], made[3])
            kept = app._hub.kept_since(made[16])
            assert kept is not None
            assert [told.event.pk for told in kept] == made[17:]

    monkeypatch.setattr(hub, "POLL_SECONDS", 0.02)
    run(body)


def test_the_database_is_left_alone_while_nobody_follows(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.01)
    looks = []
    monkeypatch.setattr(hub, "_after", lambda event_id: looks.append(event_id) or [])

    async def body(app: EventStreams) -> None:
        async with asked(app, secret):
            while not looks:
                await anyio.sleep(0.01)
        while app._hub._is_following:
            await anyio.sleep(0.01)
        looks.clear()
        await anyio.sleep(0.1)
        assert looks == []

    run(body)


def test_a_database_that_does_not_answer_for_a_while_ends_no_stream(
    secret: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.02)
    real, failures = hub._after, []

    def fails_at_first(event_id: int) -> list[hub.Told]:
        if len(failures) < 3:
            failures.append(event_id)
            raise DatabaseError("database is locked")
        return real(event_id)

    monkeypatch.setattr(hub, "_after", fails_at_first)

    async def body(app: EventStreams) -> None:
        async with asked(app, secret) as answer:
            with anyio.fail_after(DEADLINE_SECONDS):
                while len(failures) < 3:  # what happens before the first look is told without it
                    await anyio.sleep(0.01)
            event: Event = await in_database(make_event, task)
            await answer.until_shown(f"id: {event.pk}\n")

    run(body)
    assert len(failures) == 3
