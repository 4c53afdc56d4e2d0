"""The Idempotency-Key header: a write that is sent twice happens once and is answered alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from tasks.models import Event, IdempotencyKey, Project, Task
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def plan_body(title: str = "A") -> dict[str, object]:
    return {"project": "shop", "description": "A job", "subtasks": [subtask(title)]}


def test_the_same_request_with_the_same_key_is_done_once_and_answered_alike(ada: Rest, project: Project) -> None:
    first = ada.send("POST", "/plans", plan_body(), Idempotency_Key="k")
    again = ada.send("POST", "/plans", plan_body(), Idempotency_Key="k")
    assert (again.status_code, again.json(), again["Location"]) == (201, first.json(), first["Location"])
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert Task.objects.plans().count() == 1


def test_a_key_may_be_quoted_as_the_draft_has_it(ada: Rest, project: Project) -> None:
    ada.send("POST", "/plans", plan_body(), Idempotency_Key='"k"')
    assert ada.send("POST", "/plans", plan_body(), Idempotency_Key="k")["Idempotency-Replayed"] == "true"


def test_without_a_key_every_request_counts(ada: Rest, project: Project) -> None:
    ada.post("/plans", plan_body())
    ada.post("/plans", plan_body())
    assert Task.objects.plans().count() == 2


def test_a_key_that_comes_with_another_body_is_a_conflict(ada: Rest, project: Project) -> None:
    ada.send("POST", "/plans", plan_body(), Idempotency_Key="k")
    assert ada.refused(409, "POST", "/plans", plan_body("B"), Idempotency_Key="k")["code"] == "conflict"
    assert Task.objects.plans().count() == 1


def test_a_key_that_comes_with_another_address_or_method_is_a_conflict(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, "A", "B")
    ada.post(f"/tasks/{ids['A']}/cancel", Idempotency_Key="k")
    ada.refused(409, "POST", f"/tasks/{ids['B']}/cancel", {}, Idempotency_Key="k")
    assert Task.objects.get(public_id=ids["B"]).status == "pending"


@pytest.mark.parametrize("key", ["", " ", '"', '""', '"k', 'k"k', "k" * 201, "schlüssel"])
def test_a_malformed_key_is_refused(ada: Rest, project: Project, key: str) -> None:
    problem = ada.refused(400, "POST", "/plans", plan_body(), Idempotency_Key=key)
    assert "Idempotency-Key" in problem["detail"]
    assert Task.objects.count() == 0


def test_a_key_of_one_token_says_nothing_to_another(ada: Rest, project: Project) -> None:
    first = ada.send("POST", "/plans", plan_body(), Idempotency_Key="k").json()
    second = rest().send("POST", "/plans", plan_body(), Idempotency_Key="k")
    assert "Idempotency-Replayed" not in second
    assert second.json()["plan"] != first["plan"]


def test_a_lease_is_never_handed_to_another_session_of_the_same_token(ada: Rest, project: Project) -> None:
    ada.plan(project, "A", "B")
    sessions = [ada.post("/sessions", {"project": "shop"})["session_id"] for _ in range(2)]
    taken = [
        ada.post("/projects/shop/claim-next", Session_Id=session, Idempotency_Key="k")["task"]["task_id"]
        for session in (*sessions, sessions[0])
    ]
    assert taken[0] == taken[2]
    assert taken[0] != taken[1]


def test_an_error_is_not_kept_so_that_the_request_may_be_sent_again(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    ada.refused(409, "POST", f"/tasks/{task}/unblock", {}, Idempotency_Key="k")
    ada.post(f"/tasks/{task}/block", {"reason": "x"})
    assert ada.post(f"/tasks/{task}/unblock", Idempotency_Key="k")["task"]["status"] == "pending"


def test_a_replay_of_an_edit_is_not_stale_though_the_edit_itself_changed_the_task(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    etag = ada.send("GET", f"/tasks/{task}")["ETag"]
    sent = [ada.send("PATCH", f"/tasks/{task}", {"title": "B"}, If_Match=etag, Idempotency_Key="k") for _ in range(2)]
    assert [each.status_code for each in sent] == [200, 200]
    assert sent[0]["ETag"] == sent[1]["ETag"]
    assert Event.objects.filter(verb="edit").count() == 1


def test_what_belongs_to_no_project_is_made_once_too(ada: Rest) -> None:
    for _ in range(2):
        assert ada.send("POST", "/projects", {"name": "Shop"}, Idempotency_Key="k").status_code == 201
    assert Project.objects.count() == 1
    ada.refused(409, "POST", "/projects", {"name": "Other"}, Idempotency_Key="k")


def test_a_session_is_opened_once(ada: Rest, project: Project) -> None:
    opened = {ada.post("/sessions", {"project": "shop"}, Idempotency_Key="k")["session_id"] for _ in range(2)}
    assert len(opened) == 1


def test_a_deletion_sent_twice_is_answered_alike(ada: Rest, project: Project) -> None:
    ada.send("PUT", "/projects/shop/specialists/tester", {"role_definition": "You test"})
    for _ in range(2):
        assert ada.send("DELETE", "/projects/shop/specialists/tester", Idempotency_Key="k").status_code == 204


def test_the_work_itself_is_not_kept_with_its_key(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    body = {"summary": "Done", "detailed_work": "Sesame " * 1000}
    first = ada.post(f"/tasks/{task}/complete", body, Idempotency_Key="k")
    assert ada.post(f"/tasks/{task}/complete", body, Idempotency_Key="k") == first
    ada.refused(409, "POST", f"/tasks/{task}/complete", {**body, "detailed_work": "Other"}, Idempotency_Key="k")
    assert "Sesame" not in str(IdempotencyKey.objects.get().response)


@pytest.mark.django_db(transaction=True)
def test_twins_that_arrive_at_once_are_done_once() -> None:
    ada, project = rest(), make_project("shop")
    ada.plan(project, "A", "B", "C", "D")
    start = Barrier(4)

    def claim(_: int) -> str:
        start.wait(10)
        try:
            return str(ada.post("/projects/shop/claim-next", Idempotency_Key="k")["task"]["task_id"])
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(claim, range(4)))
    assert len(set(taken)) == 1
    assert Task.objects.leaves().filter(status="active").count() == 1
