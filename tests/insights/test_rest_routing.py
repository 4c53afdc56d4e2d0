"""Routing over REST: suggestions, the next task, success, workload, a rebalancing, and the order of single tasks."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.choices import Priority, Verb
from tasks.insights.models import Suggestion
from tasks.models import Event, Project, Task
from tests.factories import make_project, make_task
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db
READ = ("next-task", "success", "workload", "workload/rebalancing")
VERBS: dict[str, dict[str, Any]] = {
    "defer": {"until": "2099-05-04T10:00:00+02:00"},
    "boost": {"priority": "urgent"},
    "assign": {"client": "Codex"},
}


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def ids(ada: Rest, project: Project) -> dict[str, str]:
    """A plan in which two tasks wait for A."""
    return ada.plan(project, subtasks=[subtask("A"), *[subtask(title, dependencies=["A"]) for title in "BC"]])


def finish(ada: Rest, project: Project, number: int) -> None:
    for task_id in list(ada.plan(project, *map(str, range(number))).values())[:number]:
        ada.post(f"/tasks/{task_id}/complete", {"summary": "Done", "detailed_work": "The work"})


@pytest.mark.parametrize("address", READ)
def test_an_empty_project_is_answered(ada: Rest, project: Project, address: str) -> None:
    assert ada.get(f"/projects/shop/{address}")


@pytest.mark.parametrize("address", [*READ, "suggestions"])
def test_other_projects_and_unknown_parameters_are_refused(ada: Rest, project: Project, address: str) -> None:
    ada.refused(404, "GET", f"/projects/nowhere/{address}")
    assert ada.refused(400, "GET", f"/projects/shop/{address}?person=ada")["code"] == "invalid"


@pytest.mark.parametrize("address", READ)
def test_reading_changes_nothing(ada: Rest, project: Project, ids: dict[str, str], address: str) -> None:
    before = Event.objects.count()
    ada.get(f"/projects/shop/{address}?specialist_type=implementer")
    assert Event.objects.count() == before


def test_a_suggestion_is_answered_with_reasons_and_kept(ada: Rest, project: Project) -> None:
    answer = ada.post("/projects/shop/suggestions", {"task_requirements": "Write unit tests for the parser"})
    suggestion = answer["suggestion"]
    assert suggestion["answer"][0]["value"] == "tester"
    assert suggestion["factors"] and answer["taught_by"] == [] and answer["n"] == 0
    assert Suggestion.objects.get(public_id=suggestion["suggestion_id"]).project == project
    listed = ada.get("/projects/shop/suggestions")["results"]
    assert [each["suggestion_id"] for each in listed] == [suggestion["suggestion_id"]]


def test_a_suggestion_for_a_task_is_about_it(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    answer = ada.post("/projects/shop/suggestions", {"task_id": ids["A"]})
    assert answer["suggestion"]["task_id"] == ids["A"]
    other = make_task(make_project("other"))
    ada.refused(404, "POST", "/projects/shop/suggestions", {"task_id": other.public_id})


@pytest.mark.parametrize("body", [{}, {"task_requirements": "  \n "}])
def test_a_suggestion_needs_words_or_a_task(ada: Rest, project: Project, body: dict[str, str]) -> None:
    assert ada.refused(400, "POST", "/projects/shop/suggestions", body)["code"] == "invalid"
    assert not Suggestion.objects.exists()


def test_no_suggestion_is_made_where_they_are_switched_off(ada: Rest, project: Project) -> None:
    Project.objects.update(settings={"routing": {"suggest": "off"}})
    ada.refused(409, "POST", "/projects/shop/suggestions", {"task_requirements": "Write tests"})
    assert not Suggestion.objects.exists()


def test_the_next_task_comes_with_its_reasons(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    (found,) = ada.get("/projects/shop/next-task")["results"]
    assert found["task"]["task_id"] == ids["A"]
    assert {"unblocks", "chain"} <= {each["code"] for each in found["reasons"]}
    assert found["overlaps"] == []
    assert ada.get("/projects/shop/next-task?specialist_type=tester")["results"] == []


def test_the_next_task_warns_of_paths_that_are_being_changed(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A", file_paths=["src/"]), subtask("B", file_paths=["src/a.py"])])
    rest().post(f"/tasks/{ids['A']}/claim")
    (found,) = ada.get("/projects/shop/next-task")["results"]
    assert [each["task_id"] for each in found["overlaps"]] == [ids["A"]]


def test_success_and_times_are_of_what_finished(ada: Rest, project: Project) -> None:
    finish(ada, project, 5)
    answer = ada.get("/projects/shop/success")
    rows = {(each["dimension"], each["key"]): each for each in answer["results"]}
    assert rows["specialist", "implementer"]["n"] == 5
    found = rows["specialist", "implementer"]
    assert 0 < found["low"] < found["high"] == found["rate"] == found["shrunk"] == 1
    (one, cell) = ada.get("/projects/shop/success?specialist_type=implementer")["results"]
    assert (one["key"], cell["key"]) == ("implementer", "implementer/moderate")


def test_too_few_have_neither_rates_nor_times(ada: Rest, project: Project) -> None:
    finish(ada, project, 4)
    answer = ada.get("/projects/shop/success")
    assert answer["results"] and answer["times"] is None
    assert {each[name] for each in answer["results"] for name in ("rate", "shrunk")} == {None}


def test_the_workload_counts_and_forecasts(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    (load,) = ada.get("/projects/shop/workload")["loads"]
    assert (load["specialist_type"], load["ready"], load["waiting"], load["share"]) == ("implementer", 1, 2, None)
    finish(ada, project, 5)
    answer = ada.get("/projects/shop/workload?time_horizon=weekly&workload_threshold=0.1")
    assert answer["horizon"] == "weekly" and answer["loads"][0]["days_through"] > 0
    assert answer["over"] == ["implementer"]


@pytest.mark.parametrize("query", ["time_horizon=yearly", "workload_threshold=0", "workload_threshold=nan", "limit=3"])
def test_bad_parameters_are_named(ada: Rest, project: Project, query: str) -> None:
    assert query.partition("=")[0] in str(ada.refused(400, "GET", f"/projects/shop/workload?{query}"))


def test_a_rebalancing_is_previewed_and_applied(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    address = "/projects/shop/workload/rebalancing"
    preview = ada.get(address)
    (proposal,) = preview["proposals"]
    assert (proposal["kind"], proposal["task_id"], proposal["priority"]) == ("boost", ids["A"], "high")
    done = ada.post(address, {"plan_token": preview["plan_token"]})["applied"]
    assert [each["task_id"] for each in done] == [ids["A"]]
    assert Task.objects.get(public_id=ids["A"]).priority == Priority.HIGH
    assert ada.refused(409, "POST", address, {"plan_token": preview["plan_token"]})["code"] == "conflict"


def test_a_rebalancing_with_the_same_key_is_applied_once(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    address = "/projects/shop/workload/rebalancing"
    body = {"plan_token": ada.get(address)["plan_token"]}
    first, again = [ada.post(address, body, idempotency_key="k") for _ in range(2)]
    assert first == again and Event.objects.filter(verb=Verb.BOOST).count() == 1


def test_a_deferral_holds_until_it_is_taken_back(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    task = ada.post(f"/tasks/{ids['A']}/defer", VERBS["defer"])["task"]
    assert task["not_before"] == "2099-05-04T08:00:00Z"
    assert ada.refused(409, "POST", "/projects/shop/claim-next", {})["code"] == "not_ready"
    assert ada.post(f"/tasks/{ids['A']}/defer", {"until": None})["task"]["not_before"] is None
    assert ada.post("/projects/shop/claim-next")["task"]["task_id"] == ids["A"]


def test_a_date_begins_in_the_time_zone_of_the_project(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    Project.objects.update(settings={"time_zone": "Asia/Tokyo"})
    task = ada.post(f"/tasks/{ids['A']}/defer", {"until": "2099-05-04"})["task"]
    assert task["not_before"] == "2099-05-03T15:00:00Z"


def test_a_boost_and_a_wish_are_shown_with_the_task(ada: Rest, project: Project, ids: dict[str, str]) -> None:
    assert ada.post(f"/tasks/{ids['A']}/boost", VERBS["boost"])["task"]["priority"] == "urgent"
    task = ada.post(f"/tasks/{ids['A']}/assign", {"client": "Codex", "model": "GPT-9"})["task"]
    assert (task["for_client"], task["for_model"]) == ("codex", "gpt-9")
    task = ada.post(f"/tasks/{ids['A']}/assign", {"client": ""})["task"]
    assert (task["for_client"], task["for_model"]) == ("", "gpt-9")
    task = ada.post(f"/tasks/{ids['A']}/assign", {"model": None})["task"]
    assert (task["for_client"], task["for_model"]) == ("", "")


@pytest.mark.parametrize("verb", VERBS)
def test_of_a_group_the_answer_counts_the_tasks_that_changed(
    ada: Rest, project: Project, ids: dict[str, str], verb: str
) -> None:
    answers = [ada.post(f"/tasks/{ids['plan']}/{verb}", VERBS[verb]) for _ in range(2)]
    assert [answer["changed_total"] for answer in answers] == [3, 0]
    assert Event.objects.filter(verb=verb).count() == 4  # with that of the group


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("defer", {"until": "soon"}), ("defer", {"until": 5}), ("defer", {"until": "2000-01-01"}), ("defer", {}),
        ("boost", {}), ("boost", {"priority": "highest"}), ("assign", {}), ("assign", {"client": "x" * 201}),
        ("assign", {"to": "ada"}),
    ],
)  # fmt: skip
def test_a_bad_body_changes_nothing(
    ada: Rest, project: Project, ids: dict[str, str], verb: str, body: dict[str, Any]
) -> None:
    before = Event.objects.count()
    assert ada.refused(400, "POST", f"/tasks/{ids['A']}/{verb}", body)["code"] == "invalid"
    assert Event.objects.count() == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_orders_nothing(ada: Rest, project: Project, ids: dict[str, str], verb: str) -> None:
    reader = rest(scopes=("read",))
    assert reader.refused(403, "POST", f"/tasks/{ids['A']}/{verb}", VERBS[verb])["code"] == "forbidden"


@pytest.mark.parametrize("verb", VERBS)
def test_an_order_with_the_same_key_is_given_once(ada: Rest, project: Project, ids: dict[str, str], verb: str) -> None:
    first, again = [ada.post(f"/tasks/{ids['A']}/{verb}", VERBS[verb], idempotency_key="k") for _ in range(2)]
    assert first == again and Event.objects.filter(verb=verb).count() == 1
