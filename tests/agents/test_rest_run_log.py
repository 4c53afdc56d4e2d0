"""/api/v1/runs/{run_id}/log: read by cursor, or followed until the run has ended."""

from __future__ import annotations

import json
import re

import pytest

from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, revoke_token
from tasks.agents import run_log
from tasks.agents.api import log_stream
from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.agents.places import log_of, make_folder_of
from tasks.agents.services.transitions import move
from tasks.identity.actor import Actor
from tests.agents.rows import make_run
from tests.factories import make_project, make_task, make_user
from tests.rest import Rest, rest
from tests.streams.asgi import Site, asked, in_database
from tests.streams.asgi import run as run_beside_hub

pytestmark = pytest.mark.django_db(transaction=True)
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def run() -> Run:
    made = make_run(make_task(make_project()), RunState.RUNNING)
    make_folder_of(made)
    return made


def say(run: Run, *words: str) -> None:
    run_log.append(log_of(run), ({"kind": "said", "text": text} for text in words))


def texts(body: str) -> list[str]:
    return [json.loads(data)["text"] for data in re.findall(r"event: entry\ndata: (.*)\n", body)]


def test_a_log_is_read_by_cursor(ada: Rest, run: Run) -> None:
    say(run, *"abcde")
    first = ada.get(f"/runs/{run.public_id}/log?limit=2")
    assert [entry["text"] for entry in first["results"]] == ["a", "b"]
    assert (first["at_end"], first["is_live"]) == (False, True)
    rest_of_it = ada.get(first["next"].replace("limit=2", "limit=10"))
    assert [entry["text"] for entry in rest_of_it["results"]] == ["c", "d", "e"]
    assert rest_of_it["at_end"] is True
    newest = ada.get(f"/runs/{run.public_id}/log?cursor=newest&limit=1")
    assert [entry["text"] for entry in newest["results"]] == ["e"]


def test_a_run_without_a_log_has_an_empty_one(ada: Rest, run: Run) -> None:
    found = ada.get(f"/runs/{run.public_id}/log")
    assert (found["results"], found["cursor"], found["at_end"]) == ([], 0, True)


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", "cursor=" + "9" * 19, "limit=0", "limit=501", "from=1"])
def test_what_is_no_cursor_is_invalid(ada: Rest, run: Run, query: str) -> None:
    assert ada.refused(400, "GET", f"/runs/{run.public_id}/log?{query}")["code"] == "invalid"


def test_without_an_event_loop_a_stream_has_what_is_there(ada: Rest, run: Run) -> None:
    say(run, "a", "b")
    body = ada.send("GET", f"/runs/{run.public_id}/log", **STREAM).content.decode()
    assert texts(body) == ["a", "b"]
    last = re.findall(r"^id: (\d+)$", body, re.MULTILINE)[-1]
    say(run, "c")
    later = ada.send("GET", f"/runs/{run.public_id}/log", **STREAM, Last_Event_ID=last).content.decode()
    assert texts(later) == ["c"]
    assert "event: end" not in later


def test_a_stream_of_what_has_ended_says_so(ada: Rest, run: Run) -> None:
    say(run, "a")
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED, ended_at=run.queued_at)
    assert "event: end" in ada.send("GET", f"/runs/{run.public_id}/log", **STREAM).content.decode()


def _secret() -> str:
    return create_token(owner=make_user("grace", is_superuser=True), name="laptop", scopes=["read"])[1]


def _end(run: Run) -> None:
    found = Run.objects.get(pk=run.pk)
    for state in (RunState.STOPPING, RunState.COLLECTING, RunState.FAILED):
        move(found, state, actor=Actor.system())


def test_entries_are_streamed_as_they_come_until_the_run_has_ended(run: Run) -> None:
    secret, path = _secret(), f"/api/v1/runs/{run.public_id}/log"
    say(run, "before")

    async def body(app: Site) -> None:
        async with asked(app, secret, path=path) as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            await answer.until_shown("before")
            say(run, "a\u2028b\r\n\nevent: end")
            await answer.until_shown("u2028")
            say(run, "after")
            await in_database(_end, run)
            await answer.until(lambda: answer.is_over)
            assert texts(answer.text) == ["before", "a\u2028b\r\n\nevent: end", "after"]
            assert answer.text.endswith(log_stream.END.decode())

    assert run_beside_hub(body).hub.streams == 0


def test_a_stream_ends_when_its_token_is_revoked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, path = _secret(), f"/api/v1/runs/{run.public_id}/log"
    for name in ("HEARTBEAT_SECONDS", "CHECK_SECONDS", "POLL_SECONDS"):
        monkeypatch.setattr(log_stream, name, 0.05)

    async def body(app: Site) -> None:
        async with asked(app, secret, path=path) as answer:
            await answer.until(lambda: answer.text.count(": still here") >= 4)
            assert not answer.is_over
            await in_database(lambda: revoke_token(token=AccessToken.objects.get()))
            await answer.until(lambda: answer.is_over)
            assert "event: end" not in answer.text

    run_beside_hub(body)


def test_a_stream_that_is_left_is_given_back(run: Run) -> None:
    secret, path = _secret(), f"/api/v1/runs/{run.public_id}/log"

    async def body(app: Site) -> None:
        async with asked(app, secret, path=path) as answer:
            await answer.until_shown("retry:")
            assert app.hub.streams == 1

    assert run_beside_hub(body).hub.streams == 0


def test_streams_of_logs_count_among_all_streams(run: Run) -> None:
    secret, path = _secret(), f"/api/v1/runs/{run.public_id}/log"

    async def body(app: Site) -> None:
        async with asked(app, secret), asked(app, secret, path=path) as answer:
            assert answer.status == 503

    run_beside_hub(body, STREAMS=1)
