"""ETags: 304 for a reader who has it, 412 for an edit of what has changed, decided where nobody can come between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks.models import Event, Project, Task
from tasks.services import edit as edit_service
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def task(ada: Rest, project: Project) -> str:
    return "/tasks/" + ada.plan(project, "A")["A"]


def etag(client: Rest, address: str) -> str:
    return str(client.send("GET", address)["ETag"])


def test_a_reader_who_has_it_is_reported_so_without_a_body(ada: Rest, task: str) -> None:
    known = etag(ada, task)
    for header in (known, f'"other", W/{known}', "*"):
        response = ada.send("GET", task, If_None_Match=header)
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", known)
    assert ada.send("GET", task, If_None_Match='"other"').status_code == 200


def test_the_etag_changes_with_what_is_shown(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    before = etag(ada, f"/tasks/{ids['B']}")
    ada.post(f"/tasks/{ids['A']}/claim")
    assert etag(ada, f"/tasks/{ids['B']}") != before


def test_a_lease_that_is_renewed_makes_no_reading_stale(ada: Rest, task: str) -> None:
    ada.post(f"{task}/claim")
    known = etag(ada, task)
    Task.objects.exclude(lease_session=None).update(lease_expires_at=timezone.now() + timedelta(hours=1))
    assert ada.send("PATCH", task, {"title": "Better"}, If_Match=known).status_code == 200


def test_a_lease_that_goes_to_another_makes_a_reading_stale(ada: Rest, task: str) -> None:
    known = etag(ada, task)
    ada.post(f"{task}/claim")
    ada.refused(412, "PATCH", task, {"title": "Better"}, If_Match=known)


def test_an_edit_of_what_was_read_is_made(ada: Rest, task: str) -> None:
    response = ada.send("PATCH", task, {"title": "Better"}, If_Match=etag(ada, task))
    assert response.status_code == 200
    assert response["ETag"] == etag(ada, task)
    assert ada.get(task)["title"] == "Better"


def test_an_edit_of_what_has_changed_since_is_stale_and_changes_nothing(ada: Rest, task: str) -> None:
    known = etag(ada, task)
    ada.send("PATCH", task, {"title": "Better"})
    count = Event.objects.count()
    problem = ada.refused(412, "PATCH", task, {"title": "Worse"}, If_Match=known)
    assert problem["code"] == "conflict"
    assert ada.get(task)["title"] == "Better"
    assert Event.objects.count() == count


def test_without_a_condition_an_edit_is_made(ada: Rest, task: str) -> None:
    assert ada.send("PATCH", task, {"title": "Better"}).status_code == 200


def test_one_of_several_etags_is_enough_and_a_star_fits_all(ada: Rest, task: str) -> None:
    assert ada.send("PATCH", task, {"title": "B"}, If_Match=f'"x", {etag(ada, task)}').status_code == 200
    assert ada.send("PATCH", task, {"title": "C"}, If_Match="*").status_code == 200


def test_a_weak_etag_never_matches_an_edit(ada: Rest, task: str) -> None:
    ada.refused(412, "PATCH", task, {"title": "B"}, If_Match=f"W/{etag(ada, task)}")


def test_a_condition_that_cannot_be_read_is_refused(ada: Rest, task: str) -> None:
    ada.refused(400, "PATCH", task, {"title": "B"}, If_Match="unquoted")


def test_a_condition_is_not_passed_over_in_silence(ada: Rest, task: str) -> None:
    ada.refused(400, "POST", f"{task}/block", {"reason": "x"}, If_Match=etag(ada, task))
    assert ada.get(task)["status"] == "pending"


def test_projects_and_specialists_keep_to_it_too(ada: Rest, project: Project) -> None:
    for address, method, body in [
        ("/projects/shop", "PATCH", {"name": "Shoppe"}),
        ("/projects/shop/specialists/tester", "PUT", {"role_definition": "You test"}),
    ]:
        known = etag(ada, address)
        assert ada.send(method, address, body, If_Match=known).status_code == 200
        ada.refused(412, method, address, body, If_Match=known)
    ada.refused(412, "DELETE", "/projects/shop/specialists/tester", If_Match='"other"')
    ada.refused(412, "PUT", "/projects/shop/specialists/pricer", {"role_definition": "You price"}, If_Match="*")


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_of_the_same_reading_exactly_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have passed everything that comes before the transaction when the first of them begins it."""
    ada, project = rest(), make_project("shop")
    task = "/tasks/" + ada.plan(project, "A")["A"]
    known = etag(ada, task)
    together, check = Barrier(2), edit_service._checked

    def check_and_meet(*arguments: Any) -> Any:
        checked = check(*arguments)
        together.wait(10)
        return checked

    monkeypatch.setattr(edit_service, "_checked", check_and_meet)

    def rename(title: str) -> int:
        try:
            return int(ada.send("PATCH", task, {"title": title}, If_Match=known).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(rename, ["Mine", "Yours"]))
    assert statuses == [200, 412]
    assert Event.objects.filter(verb="edit").count() == 1
    assert Task.objects.get(public_id=task.removeprefix("/tasks/")).title in ("Mine", "Yours")
