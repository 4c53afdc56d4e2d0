"""/projects/{project}/templates, /templates and /plans/{plan}/origin."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.library.models import Template as Row
from tasks.models import Project, Task
from tests.factories import make_project
from tests.library.templates import of_steps, step
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db
OF_PROJECT, OF_SITE = "/projects/shop/templates", "/templates"
TEXT = of_steps(
    step("a", title="'Do {p}'", gates="[report]"), step("b", needs="[a]"), parameters="p: {required: true, max: 9}"
)
OTHER = TEXT.replace("'Do {p}'", "'Undo {p}'")


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def save(ada: Rest, place: str = OF_PROJECT, text: str = TEXT) -> Any:
    return ada.send("PUT", f"{place}/mine", {"text": text})


def test_the_list_names_every_template_with_its_source(ada: Rest, project: Project) -> None:
    save(ada)
    save(ada, OF_SITE)
    found = ada.get(OF_PROJECT)
    rows = {row["name"]: row for row in found["results"]}
    assert (len(rows), found["problems"]) == (9, [])
    assert (rows["mine"]["source"], rows["mine"]["hides"]) == ("project", ["site"])
    assert {row["source"] for row in ada.get(OF_SITE)["results"]} == {"default", "site"}


@pytest.mark.parametrize("place", [OF_PROJECT, OF_SITE])
def test_a_template_is_saved_read_and_deleted(ada: Rest, project: Project, place: str) -> None:
    made = ada.send("POST", place, {"text": TEXT})
    assert (made.status_code, made["Location"]) == (201, f"/api/v1{place}/mine")
    assert ada.get(f"{place}/mine") == made.json()
    assert (made.json()["text"], made.json()["steps_total"], made.json()["number"]) == (TEXT, 2, 1)
    assert made.json()["parameters"][0] == {
        "name": "p", "type": "string", "description": "", "required": True, "default": None, "choices": [],
        "pattern": "", "max": 9,
    }  # fmt: skip
    assert ada.send("DELETE", f"{place}/mine").status_code == 204
    ada.refused(404, "GET", f"{place}/mine")


@pytest.mark.parametrize("place", [OF_PROJECT, OF_SITE])
def test_its_versions_stay(ada: Rest, project: Project, place: str) -> None:
    for text in (TEXT, OTHER):
        save(ada, place, text)
    ada.send("DELETE", f"{place}/mine")
    found = ada.get(f"{place}/mine/versions")["results"]
    assert [(each["number"], each["is_deleted"]) for each in found] == [(3, True), (2, False), (1, False)]
    assert found[2]["text"] == TEXT
    assert {each["layer"] for each in found} == {"site" if place == OF_SITE else "project"}


def test_one_that_was_never_saved_has_no_versions(ada: Rest, project: Project) -> None:
    assert ada.get(f"{OF_PROJECT}/spike/versions") == {"results": []}
    ada.refused(404, "GET", f"{OF_PROJECT}/nothing/versions")


def test_an_edit_of_what_has_changed_is_refused(ada: Rest, project: Project) -> None:
    etag = save(ada)["ETag"]
    assert ada.send("PUT", f"{OF_PROJECT}/mine", {"text": OTHER}, if_match=etag).status_code == 200
    ada.refused(412, "PUT", f"{OF_PROJECT}/mine", {"text": TEXT}, if_match=etag)
    ada.refused(412, "DELETE", f"{OF_PROJECT}/mine", if_match=etag)
    assert ada.get(f"{OF_PROJECT}/mine")["text"] == OTHER


def test_what_is_wrong_is_refused_with_its_lines(ada: Rest, project: Project) -> None:
    problem = ada.refused(400, "POST", OF_PROJECT, {"text": TEXT.replace("tester", "wizard")})
    assert [each["at"] for each in problem["problems"]] == ["line 4", "line 5"]
    ada.refused(400, "PUT", f"{OF_PROJECT}/other", {"text": TEXT})
    assert not Row.objects.exists()


def test_a_preview_plans_nothing_and_the_plan_is_the_one_that_was_shown(ada: Rest, project: Project) -> None:
    save(ada)
    seen = ada.post(f"{OF_PROJECT}/mine/preview", {"parameters": {"p": "x"}})
    assert not Task.objects.exists()
    assert [(each["title"], each["gates"], each["dependencies"]) for each in seen["steps"]] == [
        ("Do x", ["report"], []), ("B", [], ["a"])
    ]  # fmt: skip
    made = ada.send("POST", f"{OF_PROJECT}/mine/plans", {"parameters": {"p": "x"}, "sha256": seen["sha256"]})
    assert made.status_code == 201
    assert [each["title"] for each in made.json()["subtasks"]] == ["Do x", "B"]
    assert ada.get(made["Location"])["title"] == seen["description"]


def test_what_was_changed_since_the_preview_is_refused(ada: Rest, project: Project) -> None:
    save(ada)
    seen = ada.post(f"{OF_PROJECT}/mine/preview", {"parameters": {"p": "x"}})
    save(ada, text=OTHER)
    ada.refused(409, "POST", f"{OF_PROJECT}/mine/plans", {"parameters": {"p": "x"}, "sha256": seen["sha256"]})
    assert not Task.objects.exists()


def test_who_may_read_may_preview_and_draft(ada: Rest, project: Project) -> None:
    save(ada)
    reader = rest(scopes=("read",))
    reader.post(f"{OF_PROJECT}/mine/preview", {"parameters": {"p": "x"}})
    reader.refused(403, "POST", f"{OF_PROJECT}/mine/plans", {"parameters": {"p": "x"}})
    draft = {"plan": ada.plan(project, "A")["plan"]}
    reader.refused(409, "POST", "/projects/shop/patterns", draft)  # it is not finished


@pytest.mark.parametrize("verb", ["preview", "plans"])
def test_wrong_parameters_are_named(ada: Rest, project: Project, verb: str) -> None:
    save(ada)
    problem = ada.refused(400, "POST", f"{OF_PROJECT}/mine/{verb}", {"parameters": {"p": "x" * 10, "q": 1}})
    assert {each["at"] for each in problem["problems"]} == {"parameters.p", "parameters.q"}


def test_a_plan_says_where_it_came_from(ada: Rest, project: Project) -> None:
    save(ada)
    made = ada.post(f"{OF_PROJECT}/mine/plans", {"parameters": {"p": "x"}})
    origin = ada.get(f"/plans/{made['plan']}/origin")
    assert (origin["template"], origin["source"], origin["parameters"]) == ("mine", "project", {"p": "x"})
    assert origin["keys"] == {each["key"]: each["task_id"] for each in made["subtasks"]}
    ada.refused(404, "GET", f"/plans/{ada.plan(project, 'A')['plan']}/origin")


def test_the_same_key_plans_once(ada: Rest, project: Project) -> None:
    body = {"parameters": {"question": "Which?"}}
    first, second = (ada.post(f"{OF_PROJECT}/spike/plans", body, idempotency_key="k") for _ in range(2))
    assert first == second
    assert Task.objects.filter(parent=None).count() == 1


@pytest.mark.parametrize("scope", ["read", "write", "review"])
def test_only_admin_saves_and_deletes(ada: Rest, project: Project, scope: str) -> None:
    save(ada)
    other = rest(scopes=(scope,))
    for method, address in (("POST", OF_PROJECT), ("PUT", f"{OF_PROJECT}/mine"), ("PUT", f"{OF_SITE}/mine")):
        other.refused(403, method, address, {"text": OTHER})
    other.refused(403, "DELETE", f"{OF_PROJECT}/mine")
    assert ada.get(f"{OF_PROJECT}/mine")["text"] == TEXT


def test_a_token_of_one_project_does_not_reach_the_sites_templates(ada: Rest, project: Project) -> None:
    bound = rest(project=project)
    save(ada, OF_SITE)
    bound.refused(404, "GET", OF_SITE)
    for method, body in (("GET", None), ("PUT", {"text": OTHER}), ("DELETE", None)):
        bound.refused(404, method, f"{OF_SITE}/mine", body)
    assert bound.get(f"{OF_PROJECT}/mine")["source"] == "site"
    assert save(bound).status_code == 200


def test_a_token_of_another_project_finds_nothing_here(ada: Rest, project: Project) -> None:
    made = ada.post(f"{OF_PROJECT}/spike/plans", {"parameters": {"question": "Which?"}})
    bound = rest(project=make_project("other"))
    bound.refused(404, "GET", OF_PROJECT)
    bound.refused(404, "GET", f"/plans/{made['plan']}/origin")
