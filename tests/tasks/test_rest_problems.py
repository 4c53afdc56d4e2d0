"""Every rejection over REST is a problem (RFC 9457), and none says what is nobody's business."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from tasks.models import Project
from tests.factories import make_plan, make_project, make_task
from tests.rest import API, Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "address", ["/api", "/api/", "/api/v2/tasks", "/api/v1/tusks", "/api/v1/tasks/", "/api/v1/tasks%0A"]
)
def test_an_unknown_address_is_a_problem_for_every_method(method: str, address: str) -> None:
    response = Client().generic(method, address)
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/projects/", "/tasks/x_1/claim/", "/events//"])
def test_an_address_with_a_slash_too_many_says_what_is_meant(ada: Rest, address: str) -> None:
    assert ada.refused(404, "POST", address, {})["next"].endswith(f"/api/v1{address.rstrip('/')}")
    assert not ada.refused(404, "GET", "/nothing/")["next"].endswith("nothing")


def test_a_method_that_is_not_there_names_those_that_are(ada: Rest, project: Project) -> None:
    ada.refused(405, "DELETE", "/projects/shop")
    assert ada.send("DELETE", "/projects/shop")["Allow"] == "GET, HEAD, PATCH"
    rest(scopes=("read",)).refused(405, "DELETE", "/projects/shop")
    ada.refused(405, "OPTIONS", "/projects/shop")


def test_a_media_type_that_cannot_be_answered_is_406(ada: Rest) -> None:
    ada.refused(406, "GET", "/projects", Accept="text/html")


@pytest.mark.parametrize("sent", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_of_another_media_type_is_415(ada: Rest, sent: str) -> None:
    response = ada.client.generic("POST", f"{API}/projects", b"name=x", content_type=sent)
    assert (response.status_code, response["Content-Type"]) == (415, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"name": NaN}', "not JSON"),
        (b'{"name": "\xff"}', "byte 10"),
        (b'{"name": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_body_that_is_no_json_object_says_why(ada: Rest, body: bytes, words: str) -> None:
    assert words in ada.refused(400, "POST", "/projects", body)["detail"]
    assert Project.objects.count() == 0


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_text_that_cannot_be_stored_is_refused_with_its_place(ada: Rest, text: str) -> None:
    problem = ada.refused(400, "POST", "/projects", {"name": "Shop", "settings": {"a": [text]}})
    assert problem["problems"][0]["at"] == "settings.a[0]"


def test_an_unknown_field_is_refused_with_the_names_that_are_known(ada: Rest) -> None:
    (wrong,) = ada.refused(400, "POST", "/projects", {"name": "Shop", "colour": "red"})["problems"]
    assert wrong == {
        "at": "colour",
        "problem": "unknown field",
        "allowed": ["name", "root_path", "settings", "slug"],
    }


def test_mistakes_deep_in_a_body_are_reported_with_their_places(ada: Rest, project: Project) -> None:
    subtasks = [{"title": "A", "subtasks": [{"title": 7}]}, {"priority": "soon", "titel": "B"}]
    problem = ada.refused(400, "POST", "/plans", {"project": "shop", "description": "x", "subtasks": subtasks})
    places = {each["at"] for each in problem["problems"]}
    assert places == {"subtasks[0].subtasks[0].title", "subtasks[1].titel"}


@pytest.mark.parametrize(
    "body",
    [
        {"take_over": "true"},
        {"take_over": 1},
        {"take_over": None},
        {"max_chars": "5000"},
        {"max_chars": 5000.0},
        {"max_chars": True},
        {"max_chars": 10**30},
        {"session_id": 5},
    ],
)
def test_what_merely_looks_like_a_value_is_none(ada: Rest, project: Project, body: dict[str, Any]) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    problem = ada.refused(400, "POST", f"/tasks/{task.public_id}/claim", body)
    assert problem["problems"][0]["at"] == next(iter(body))


def test_an_unknown_parameter_is_refused_where_it_would_show_the_wrong_rows(ada: Rest) -> None:
    problem = ada.refused(400, "GET", "/tasks?statsu=pending")
    assert problem["problems"][0]["at"] == "statsu"
    assert "status" in problem["problems"][0]["allowed"]


@pytest.mark.parametrize("address", ["/tasks/%00", "/projects/%00", "/sessions/a%00b", "/tasks/%00/brief"])
def test_an_address_with_a_nul_is_not_found(ada: Rest, address: str) -> None:
    ada.refused(404, "GET", address)


def test_a_search_with_a_nul_is_invalid(ada: Rest) -> None:
    ada.refused(400, "GET", "/tasks?search=%00")


def test_a_body_above_the_limit_is_413(ada: Rest) -> None:
    problem = ada.refused(413, "POST", "/projects", b" " * (1024 * 1024 + 1))
    assert problem["details"] == {"limit_bytes": 1024 * 1024}


def test_a_body_that_costs_too_much_is_413_with_the_limit(ada: Rest) -> None:
    problem = ada.refused(413, "POST", "/projects", b"[" * 100_000)
    assert (problem["code"], problem["details"]) == ("too_large", {"limit_depth": 1000})
    problem = ada.refused(413, "POST", "/projects", b'{"x":[' + b"[]," * 250_000 + b"[]]}")
    assert (problem["code"], problem["details"]) == ("too_large", {"limit_values": 250_000})


def test_a_busy_database_is_transient_and_says_when_to_come_back(ada: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(**_: Any) -> None:
        raise OperationalError("database is locked: SELECT secret FROM x")

    monkeypatch.setattr("tasks.api.projects.create_project", busy)
    problem = ada.refused(503, "POST", "/projects", {"name": "Shop"})
    assert (problem["code"], problem["details"]) == ("transient", {"retry_after_ms": 2000})
    assert "SELECT" not in str(problem)
    assert ada.send("POST", "/projects", {"name": "Shop"})["Retry-After"] == "2"


def test_what_nobody_expected_says_nothing_and_is_logged(
    ada: Rest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError("/home/ada/secret")

    monkeypatch.setattr("tasks.api.projects.create_project", broken)
    problem = ada.refused(500, "POST", "/projects", {"name": "Shop"})
    assert "secret" not in str(problem)
    assert "Zero" not in str(problem)
    assert "/home/ada/secret" in caplog.text


def test_a_wrong_host_is_a_problem_too() -> None:
    response = Client(headers={"Host": "evil.example"}).get("/api/v1/projects")
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    page = Client(headers={"Host": "evil.example"}).get("/")
    assert (page.status_code, page["Content-Type"].split(";")[0]) == (400, "text/html")


def test_the_type_of_a_problem_leads_to_what_it_means(ada: Rest) -> None:
    problem = ada.refused(404, "GET", "/tasks/task_00000000")
    meaning = Client().get(problem["type"]).json()
    assert (meaning["code"], meaning["title"], meaning["status"]) == ("not_found", problem["title"], 404)
    Rest(Client()).refused(404, "GET", "/problems/unheard_of")


def test_hints_are_worded_as_requests(ada: Rest, project: Project) -> None:
    problem = ada.refused(409, "POST", "/projects/shop/claim-next")
    assert (problem["code"], problem["hint"]) == ("not_ready", "plan")
    assert "POST /api/v1/plans" in problem["next"]


def test_answers_are_for_nobody_else(ada: Rest, project: Project) -> None:
    response = ada.send("GET", "/projects/shop")
    assert response["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(response["Vary"].split(", "))
