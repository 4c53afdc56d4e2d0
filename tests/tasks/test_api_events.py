"""/api/v1/events: what happened, read from any event on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from orchestrator_site.tokens.service import create_token
from tasks.choices import Verb
from tasks.models import Event, Task
from tasks.selectors.feed import settled
from tests.factories import make_event, make_project, make_session, make_task, make_user

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def client_for(name: str = "ada", **token: Any) -> Client:
    secret = create_token(owner=make_user(name, is_superuser=True), name="laptop", scopes=["read"], **token)[1]
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def ada() -> Client:
    return client_for()


@pytest.fixture
def task() -> Task:
    return make_task(make_project("ledger"))


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [event["id"] for event in answer.json()["results"]]


def streamed(client: Client, query: str = "", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(f"{EVENTS}?{query}", headers={"Accept": "text/event-stream", **names})


def test_an_event_has_an_actor_a_verb_and_a_task(ada: Client, task: Task) -> None:
    session = make_session(task.project)
    made = make_event(
        task, Verb.CLAIM, session=session, actor_name="ada/laptop", before={"status": "pending"}, after={"status": "x"}
    )
    (found,) = ada.get(EVENTS).json()["results"]
    created_at = found.pop("created_at")
    assert datetime.fromisoformat(created_at) == made.created_at
    assert found == {
        "id": made.pk,
        "verb": "claim",
        "project": "ledger",
        "task_id": task.public_id,
        "actor": "ada/laptop",
        "actor_kind": "assistant",
        "session_id": session.public_id,
        "before": {"status": "pending"},
        "after": {"status": "x"},
    }


def test_a_feed_has_no_gaps_and_no_repetitions(ada: Client, task: Task) -> None:
    made = [make_event(task).pk for _ in range(7)]
    seen, address, more = [], f"{EVENTS}?limit=3", True
    while more:
        answer = ada.get(address).json()
        seen += [event["id"] for event in answer["results"]]
        address, more = answer["next"], answer["has_more"]
    assert seen == made
    assert ids(ada.get(address)) == []
    late = make_event(task).pk
    assert ids(ada.get(address)) == [late]


def test_after_now_skips_the_past(ada: Client, task: Task) -> None:
    make_event(task)
    answer = ada.get(f"{EVENTS}?after=now").json()
    assert answer["results"] == []
    later = make_event(task).pk
    assert ids(ada.get(answer["next"])) == ids(ada.get(f"{EVENTS}?after={answer['after']}")) == [later]


def test_a_filtered_feed_continues_after_the_last_event_of_all(ada: Client, task: Task) -> None:
    make_event(task, Verb.CLAIM)
    last = make_event(task, Verb.EDIT).pk
    answer = ada.get(f"{EVENTS}?verb=claim").json()
    assert answer["after"] == last


def test_events_are_filtered_by_project_task_and_verb(ada: Client, task: Task) -> None:
    other = make_task(make_project("other"))
    sibling = make_task(task.project)
    claimed, edited = make_event(task, Verb.CLAIM).pk, make_event(task, Verb.EDIT).pk
    beside, elsewhere = make_event(sibling, Verb.CLAIM).pk, make_event(other, Verb.CANCEL).pk
    assert ids(ada.get(EVENTS)) == [claimed, edited, beside, elsewhere]
    assert ids(ada.get(f"{EVENTS}?project=ledger")) == [claimed, edited, beside]
    assert ids(ada.get(f"{EVENTS}?task={task.public_id}")) == [claimed, edited]
    assert ids(ada.get(f"{EVENTS}?verb=claim,cancel")) == [claimed, beside, elsewhere]
    assert ids(ada.get(f"{EVENTS}?verb=claim&verb=edit&project=ledger&task={task.public_id}")) == [claimed, edited]


@pytest.mark.parametrize(
    ("query", "status", "reported"),
    [
        ("after=-1", 400, "after"),
        ("after=x", 400, "after"),
        ("after=99999999999999999999", 400, "after"),
        ("limit=0", 400, "limit"),
        ("limit=501", 400, "limit"),
        ("verb=dance", 400, "verb"),
        ("project=nowhere", 404, "project"),
        ("task=task_0", 404, "task"),
        ("cursor=x", 400, "cursor"),
        ("ordering=-id", 400, "ordering"),
    ],
)
def test_invalid_parameters_are_problems(ada: Client, query: str, status: int, reported: str) -> None:
    for answer in (ada.get(f"{EVENTS}?{query}"), streamed(ada, query)):
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
        assert reported in answer.json()["detail"]


def test_a_bound_token_gets_only_events_of_its_project(task: Task) -> None:
    own = make_event(task).pk
    theirs = make_task(make_project("other"))
    make_event(theirs)
    bound = client_for(project=task.project)
    assert ids(bound.get(EVENTS)) == [own]
    assert bound.get(f"{EVENTS}?project=other").status_code == 404
    assert bound.get(f"{EVENTS}?task={theirs.public_id}").status_code == 404
    assert re.findall(r"^id: (\d+)\nevent: changed$", streamed(bound, "after=0").content.decode(), re.M) == [str(own)]


def test_events_need_credentials(client: Client) -> None:
    assert client.get(EVENTS).status_code == streamed(client).status_code == 401


def test_a_page_of_events_takes_a_fixed_number_of_queries(
    ada: Client, task: Task, django_assert_max_num_queries: Any
) -> None:
    for _ in range(50):
        make_event(task, session=make_session(task.project))
    ada.get(EVENTS)
    with django_assert_max_num_queries(4):
        assert len(ids(ada.get(EVENTS))) == 50


def test_a_stream_begins_with_missed_events(ada: Client, task: Task) -> None:
    first, second = make_event(task, Verb.CLAIM).pk, make_event(task, Verb.EDIT).pk
    answer = streamed(ada, Last_Event_ID=str(first))
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert text.startswith(f"retry: 2000\n\nid: {second}\nevent: changed\ndata: {{")
    assert f"id: {first}\n" not in text
    assert streamed(ada, "after=0").content.decode().count("event: changed") == 2


def test_the_ids_of_a_stream_never_run_ahead_of_its_events(ada: Client, task: Task) -> None:
    reported = [make_event(task).pk for _ in range(3)]
    text = streamed(ada, "after=0").content.decode()
    ids_in_order = [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]
    assert ids_in_order == sorted(ids_in_order)
    assert set(ids_in_order) == set(reported)


def test_a_new_stream_begins_now(ada: Client, task: Task) -> None:
    last = make_event(task).pk
    assert streamed(ada).content.decode() == f"retry: 2000\n\nid: {last}\n\n"


def test_last_event_id_overrides_after(ada: Client, task: Task) -> None:
    last = make_event(task).pk
    assert "event: changed" not in streamed(ada, "after=0", Last_Event_ID=str(last)).content.decode()
    assert streamed(ada, Last_Event_ID="x").json()["detail"].startswith("Last-Event-ID")


def test_a_line_break_in_an_event_does_not_end_its_frame(ada: Client, task: Task) -> None:
    make_event(task, after={"title": "one\n\nid: 7\n\rdata: evil\u2028"})
    frame = streamed(ada, "after=0").content.decode().split("\n\n")[1]
    assert [line.split(":")[0] for line in frame.splitlines()] == ["id", "event", "data"]


def row(event_id: int, age_seconds: float) -> tuple[int, datetime]:
    return event_id, NOW - timedelta(seconds=age_seconds)


@pytest.mark.parametrize(
    ("newest", "last"),
    [
        ([], 0),
        ([row(9, 0)], 9),
        ([row(9, 0), row(8, 0), row(7, 1)], 9),
        ([row(9, 0), row(7, 1)], 7),
        ([row(9, 0), row(8, 1), row(5, 2), row(4, 3), row(2, 4)], 2),
        ([row(9, 0), row(8, 6), row(5, 7)], 9),
        ([row(9, 6), row(5, 7)], 9),
        ([row(9, 0), row(8, -9000), row(5, -9001)], 9),
    ],
)
def test_an_event_is_settled_once_no_lower_id_can_appear(newest: list[Any], last: int) -> None:
    assert settled(newest, NOW) == last


def test_events_are_read_only(ada: Client) -> None:
    assert ada.post(EVENTS, {}, content_type="application/json").status_code == 405
    assert not Event.objects.exists()
