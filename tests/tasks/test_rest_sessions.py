"""/sessions: an assistant's stretches of work, kept apart by their handles."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.models import Event, Project, Session, Task
from tests.factories import make_project, make_session
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def opened(client: Rest, **more: str) -> str:
    return str(client.post("/sessions", {"project": "shop", **more})["session_id"])


def test_every_request_opens_another_session(ada: Rest, project: Project) -> None:
    first, second = opened(ada), opened(ada)
    assert first != second
    assert {row["session_id"] for row in ada.get("/sessions")["results"]} == {first, second}


def test_a_session_says_who_and_what(ada: Rest, project: Project) -> None:
    response = ada.send("POST", "/sessions", {"project": "shop", "client_name": "CI", "client_version": "2"})
    made = response.json()
    assert (made["project"], made["client_name"], made["client_version"], made["ended_at"]) == ("shop", "CI", "2", None)
    assert made["principal"].startswith("owner-")
    assert ada.get(response["Location"]) == made


def test_two_sessions_of_one_token_are_two_workers(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    first, second = opened(ada), opened(ada)
    ada.post(f"/tasks/{task}/claim", Session_Id=first)
    ada.refused(409, "POST", f"/tasks/{task}/claim", {}, Session_Id=second)
    assert ada.post(f"/tasks/{task}/claim", {"session_id": first})["renewed"] is True


def test_others_see_the_clients_name_as_the_holder(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    answer = ada.post(f"/tasks/{task}/claim", Session_Id=opened(ada, client_name="Nightly"))
    assert answer["task"]["lease_holder"] == "Nightly"


def test_without_a_handle_a_token_works_in_one_session_of_each_project(ada: Rest, project: Project) -> None:
    ids = [ada.plan(project, "A")["A"], ada.plan(make_project("ledger"), "A")["A"]]
    for task in (*ids, ids[0]):
        ada.post(f"/tasks/{task}/claim")
    assert sorted(row["project"] for row in ada.get("/sessions")["results"]) == ["ledger", "shop"]


def test_a_handle_of_another_token_is_not_found(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    rest().refused(404, "POST", f"/tasks/{task}/claim", {}, Session_Id=opened(ada))
    make_session(project, public_id="session_of_a_pipe")
    ada.refused(404, "POST", f"/tasks/{task}/claim", {}, Session_Id="session_of_a_pipe")


def test_a_handle_of_another_project_is_a_conflict(ada: Rest, project: Project) -> None:
    task = ada.plan(make_project("ledger"), "A")["A"]
    problem = ada.refused(409, "POST", f"/tasks/{task}/claim", {}, Session_Id=opened(ada))
    assert "another project" in problem["detail"]
    assert Task.objects.get(public_id=task).status == "pending"


def test_a_header_and_a_body_that_disagree_are_refused(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    body = {"session_id": opened(ada)}
    ada.refused(400, "POST", f"/tasks/{task}/claim", body, Session_Id=opened(ada))


def test_the_end_of_a_session_ends_its_leases_and_no_others(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, "A", "B")
    first, second = opened(ada), opened(ada)
    ada.post(f"/tasks/{ids['A']}/claim", Session_Id=first)
    ada.post(f"/tasks/{ids['B']}/claim", Session_Id=second)
    assert ada.post(f"/sessions/{first}/end")["ended_at"]
    assert rest().post(f"/tasks/{ids['A']}/claim")["task"]["lease_number"] == 2
    rest().refused(409, "POST", f"/tasks/{ids['B']}/claim", {})
    assert ada.refused(409, "POST", f"/tasks/{ids['B']}/release", {}, Session_Id=first)["code"] == "conflict"


def test_the_end_of_one_session_leaves_the_tokens_others_open(ada: Rest, project: Project) -> None:
    ids = [ada.plan(project, "A")["A"], ada.plan(make_project("ledger"), "A")["A"]]
    for task in ids:
        ada.post(f"/tasks/{task}/claim")
    shop = ada.get("/sessions?project=shop")["results"][0]["session_id"]
    ada.post(f"/sessions/{shop}/end")
    assert [row["project"] for row in ada.get("/sessions?open=true")["results"]] == ["ledger"]


def test_an_ended_session_stays_as_it_is(ada: Rest, project: Project) -> None:
    session = opened(ada)
    assert ada.post(f"/sessions/{session}/end") == ada.post(f"/sessions/{session}/end")
    assert Event.objects.filter(verb="end_session").count() == 1


def test_only_its_token_and_who_rules_the_site_end_a_session(ada: Rest, project: Project) -> None:
    session = opened(ada)
    rest(scopes=("write", "review")).refused(403, "POST", f"/sessions/{session}/end", {})
    assert rest().post(f"/sessions/{session}/end")["ended_at"]
    event = Event.objects.get(verb="end_session")
    assert event.actor_name != Session.objects.get(public_id=session).principal


def test_reading_in_a_session_keeps_what_it_holds(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    session = opened(ada)
    ada.post(f"/tasks/{task}/claim", Session_Id=session)
    soon = timezone.now() + timedelta(minutes=2)
    Task.objects.filter(public_id=task).update(lease_expires_at=soon)
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    ada.get("/tasks")
    assert Task.objects.get(public_id=task).lease_expires_at == soon
    ada.get("/tasks", Session_Id=session)
    later = Task.objects.get(public_id=task).lease_expires_at
    assert later is not None
    assert later > soon


def test_names_that_are_too_long_are_refused(ada: Rest, project: Project) -> None:
    ada.refused(400, "POST", "/sessions", {"project": "shop", "client_name": "x" * 201})
