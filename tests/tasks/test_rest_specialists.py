"""/projects/{project}/specialists: the roles that hold, and a project's own among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.models import Event, Project, Specialist
from tests.factories import make_project
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db
ROLES = "/projects/shop/specialists"


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project(folder: Path) -> Project:
    return make_project("shop", root_path=str(folder))


def write_roles(folder: Path, text: str) -> None:
    roles = folder / ".task_orchestrator" / "roles"
    roles.mkdir(parents=True)
    (roles / "shop.yaml").write_text(text)


def test_every_role_says_where_it_comes_from(ada: Rest, project: Project, folder: Path) -> None:
    Specialist.objects.create(name="tester", role_definition="Of the site")
    Specialist.objects.create(name="debugger", role_definition="Of the project", project=project)
    write_roles(folder, "pricer: {role_definition: You price}\nbroken: {colour: red}\n")
    answer = ada.get(ROLES)
    sources = {role["name"]: role["source"] for role in answer["results"]}
    assert (sources["architect"], sources["tester"], sources["debugger"]) == ("default", "site", "project")
    assert sources["pricer"].endswith("shop.yaml")
    assert len(answer["problems"]) == 1
    assert str(folder) not in str(answer)


def test_a_role_is_written_and_holds_from_then_on(ada: Rest, project: Project) -> None:
    body = {"role_definition": "You price", "expertise": ["Margins"], "approach": ["Ask"], "output_format": "A table"}
    written = ada.send("PUT", f"{ROLES}/pricer", body)
    assert (written.status_code, written.json()) == (200, {"name": "pricer", "source": "project", **body})
    assert ada.get(f"{ROLES}/pricer") == written.json()
    task = ada.plan(project, subtasks=[{"title": "A", "description": "x", "specialist_type": "pricer"}])["A"]
    assert "You price" in ada.get(f"/tasks/{task}/brief")["brief"]
    assert Event.objects.get(verb="edit_specialist").after == {"specialist_type": "pricer"}


def test_writing_again_replaces_the_whole_role(ada: Rest, project: Project) -> None:
    ada.send("PUT", f"{ROLES}/tester", {"role_definition": "One", "expertise": ["x"]})
    assert ada.send("PUT", f"{ROLES}/tester", {"role_definition": "Two"}).json()["expertise"] == []
    assert Specialist.objects.count() == 1


def test_what_was_underneath_holds_again_after_a_deletion(ada: Rest, project: Project) -> None:
    packaged = ada.get(f"{ROLES}/tester")
    ada.send("PUT", f"{ROLES}/tester", {"role_definition": "One"})
    assert ada.send("DELETE", f"{ROLES}/tester").status_code == 204
    assert ada.get(f"{ROLES}/tester") == packaged
    ada.refused(404, "DELETE", f"{ROLES}/tester")
    assert Event.objects.filter(verb="delete_specialist").count() == 1


def test_a_file_of_the_project_is_not_overruled_in_silence(ada: Rest, project: Project, folder: Path) -> None:
    write_roles(folder, "pricer: {role_definition: You price}\n")
    problem = ada.refused(409, "PUT", f"{ROLES}/pricer", {"role_definition": "Mine"})
    assert "shop.yaml" in problem["detail"]
    assert Specialist.objects.count() == 0


@pytest.mark.parametrize("name", ["Tester", "1x", "x" * 65, "a.b", "ä"])
def test_a_name_that_cannot_be_is_refused(ada: Rest, project: Project, name: str) -> None:
    ada.refused(400, "PUT", f"{ROLES}/{name}", {"role_definition": "x"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role_definition": " "},
        {"role_definition": "x", "expertise": "one"},
        {"role_definition": "x", "approach": [1]},
        {"role_definition": "x", "approach": ["x"] * 101},
        {"role_definition": "x" * 200_001},
    ],
)
def test_a_role_that_cannot_be_is_refused(ada: Rest, project: Project, body: dict[str, object]) -> None:
    ada.refused(400, "PUT", f"{ROLES}/pricer", body)
    assert Specialist.objects.count() == 0


def test_a_specialist_that_nobody_is_is_not_found(ada: Rest, project: Project) -> None:
    ada.refused(404, "GET", f"{ROLES}/wizard")


def test_too_many_lines_are_one_mistake_whatever_they_hold(ada: Rest, project: Project) -> None:
    wrong = ada.refused(400, "PUT", f"{ROLES}/tester", {"role_definition": "x", "expertise": [1] * 101})["problems"]
    assert [each["at"] for each in wrong] == ["expertise"]
