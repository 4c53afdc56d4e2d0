"""/projects: read, make and edit them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orchestrator_site.kernel.errors import Invalid
from tasks.identity.actor import Actor
from tasks.models import Event, Project, ProjectPath
from tasks.services.edit_project import edit_project
from tasks.services.projects import project_at
from tests.factories import make_project, make_task
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


def test_a_project_is_made_with_a_slug_of_its_name(ada: Rest) -> None:
    response = ada.send("POST", "/projects", {"name": "My Shop", "settings": {"review": True}})
    made = response.json()
    assert (response.status_code, response["Location"]) == (201, "/api/v1/projects/my-shop")
    assert (made["slug"], made["name"], made["settings"], made["root_path"]) == (
        "my-shop",
        "My Shop",
        {"review": True},
        "",
    )
    assert ada.get(response["Location"]) == made
    event = Event.objects.get()
    assert (event.verb, event.project.slug, event.after["name"]) == ("create_project", "my-shop", "My Shop")


def test_a_project_may_have_a_folder_which_is_its_alone(ada: Rest, tmp_path: Path) -> None:
    made = ada.post("/projects", {"name": "Shop", "root_path": str(tmp_path)})
    assert made["root_path"] == str(tmp_path.resolve())
    assert ada.refused(409, "POST", "/projects", {"name": "Other", "root_path": str(tmp_path)})["code"] == "conflict"


def test_a_slug_is_given_once(ada: Rest) -> None:
    make_project("shop")
    ada.refused(409, "POST", "/projects", {"name": "Shop"})
    assert ada.post("/projects", {"name": "Shop", "slug": "shop-2"})["slug"] == "shop-2"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "Shop", "slug": "Not A Slug"}, "slug"),
        ({"name": "Shop", "slug": "a/b"}, "slug"),
        ({"name": "Shop", "settings": {"lease_minutes": 0}}, "settings.lease_minutes"),
        ({"name": "Shop", "settings": {"colour": 1}}, "settings.colour"),
        ({"name": "Shop", "settings": []}, "settings"),
        ({"name": "Shop", "settings": None}, "settings"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(ada: Rest, body: dict[str, object], at: str) -> None:
    assert at in {each["at"] for each in ada.refused(400, "POST", "/projects", body)["problems"]}
    assert Project.objects.count() == 0


@pytest.mark.parametrize("path", ["relative", "/no/such/folder", "/etc/passwd", "x" * 5000, "/" + "x" * 5000])
def test_a_folder_that_is_none_is_refused(ada: Rest, path: str) -> None:
    problem = ada.refused(400, "POST", "/projects", {"name": "Shop", "root_path": path})
    assert "root_path" in problem["detail"]


def test_a_name_made_of_signs_gets_a_slug_all_the_same(ada: Rest) -> None:
    assert ada.post("/projects", {"name": "商店"})["slug"] == "project"


def test_an_edit_changes_what_is_named_and_nothing_else(ada: Rest) -> None:
    project = make_project("shop", settings={"review": True})
    response = ada.send("PATCH", "/projects/shop", {"name": "Shoppe"})
    assert (response.json()["name"], response.json()["settings"]) == ("Shoppe", {"review": True})
    ada.send("PATCH", "/projects/shop", {"settings": {"lease_minutes": 5}})
    project.refresh_from_db()
    assert (project.name, project.settings) == ("Shoppe", {"lease_minutes": 5})
    assert [event.before for event in Event.objects.order_by("id")] == [
        {"name": "Shop"},
        {"settings": {"review": True}},
    ]


def test_the_slug_stays_and_no_project_is_as_wide_as_the_disk(ada: Rest) -> None:
    make_project("shop")
    ada.refused(400, "PATCH", "/projects/shop", {"slug": "other"})
    ada.refused(400, "PATCH", "/projects/shop", {"root_path": "/"})


def test_projects_are_found_by_their_name_and_in_its_order(ada: Rest) -> None:
    for name in ("shop", "ledger", "workshop"):
        make_project(name)
    assert [row["slug"] for row in ada.get("/projects?search=SHOP")["results"]] == ["shop", "workshop"]
    assert [row["slug"] for row in ada.get("/projects")["results"]] == ["ledger", "shop", "workshop"]


def test_the_index_says_where_everything_begins(ada: Rest) -> None:
    index = ada.get("/")
    assert {"projects", "sessions", "plans", "tasks"} <= index.keys()
    for address in index.values():
        assert ada.client.get(address).status_code == 200


# Folders


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    made = [tmp_path / name for name in "abc"]
    for path in made:
        path.mkdir()
    return [str(path) for path in made]


def test_the_folders_of_a_project_are_edited(ada: Rest, folders: list[str]) -> None:
    a, b, c = folders
    make_project("shop", root_path=a)
    assert ada.get("/projects/shop")["paths"] == []
    edited = ada.send("PATCH", "/projects/shop", {"root_path": b, "paths": [c, a]}).json()
    assert (edited["root_path"], edited["paths"]) == (b, [a, c])
    assert {project_at(Path(path)).slug for path in folders} == {"shop"}
    event = Event.objects.get(verb="edit_project")
    assert (event.before, event.after) == ({"root_path": a, "paths": []}, {"root_path": b, "paths": [a, c]})
    assert ada.send("PATCH", "/projects/shop", {"root_path": "", "paths": []}).json()["root_path"] == ""
    assert not ProjectPath.objects.exists()


@pytest.mark.parametrize("path", ["relative", "/no/such/folder", "/etc/hostname", "/x\ud800", "/" + "x" * 5000])
def test_what_is_no_folder_is_refused_with_its_place(ada: Rest, path: str, folders: list[str]) -> None:
    make_project("shop")
    for body, at in (({"root_path": path}, "root_path"), ({"paths": [folders[0], path]}, "paths[1]")):
        problem = ada.refused(400, "PATCH", "/projects/shop", body)
        assert at in {each["at"] for each in problem["problems"]}
    assert not ProjectPath.objects.exists()


def test_further_folders_are_bounded(ada: Rest, folders: list[str]) -> None:
    project = make_project("shop")
    ada.refused(400, "PATCH", "/projects/shop", {"paths": folders * 20})
    with pytest.raises(Invalid):
        edit_project(project=project, actor=Actor.system(), columns={"paths": folders * 20})


def test_a_further_folder_that_is_gone_stays_until_it_is_removed(ada: Rest, folders: list[str]) -> None:
    project = make_project("shop")
    ProjectPath.objects.create(project=project, path="/gone")
    assert ada.send("PATCH", "/projects/shop", {"paths": ["/gone", folders[0]]}).status_code == 200
    assert ada.send("PATCH", "/projects/shop", {"paths": [folders[0]]}).json()["paths"] == [folders[0]]


def test_a_folder_is_taken_from_a_project_without_tasks_only(ada: Rest, folders: list[str]) -> None:
    shop, other = make_project("shop"), project_at(Path(folders[0]))
    assert ada.send("PATCH", "/projects/shop", {"paths": [folders[0]]}).status_code == 200
    assert project_at(Path(folders[0])) == shop
    make_task(other)
    ada.send("PATCH", f"/projects/{other.slug}", {"root_path": folders[1]})
    for body in ({"root_path": folders[1]}, {"paths": [folders[1]]}):
        assert ada.refused(409, "PATCH", "/projects/shop", body)["code"] == "conflict"
    assert project_at(Path(folders[1])) == other


def test_a_folder_that_another_project_knows_makes_no_new_one(ada: Rest, folders: list[str]) -> None:
    ProjectPath.objects.create(project=make_project("shop"), path=folders[0])
    ada.refused(409, "POST", "/projects", {"name": "Other", "root_path": folders[0]})


def test_a_mirror_needs_the_folder_that_a_project_gets(ada: Rest, folders: list[str]) -> None:
    make_project("shop", root_path=folders[0], settings={"mirror": True})
    ada.refused(400, "PATCH", "/projects/shop", {"root_path": ""})
    assert ada.send("PATCH", "/projects/shop", {"root_path": "", "settings": {}}).status_code == 200


def test_the_command_lists_and_changes_folders(ada: Rest, folders: list[str]) -> None:
    make_project("shop", root_path=folders[0])

    def run(*options: str) -> str:
        printed = io.StringIO()
        call_command("project", *options, stdout=printed)
        return printed.getvalue()

    assert folders[0] in run()
    assert folders[2] in run("shop", "--folder", folders[1], "--add", folders[0], "--add", folders[2])
    assert {project_at(Path(path)).slug for path in folders} == {"shop"}
    assert folders[2] not in run("shop", "--remove", folders[2])
    for options in (("nope",), ("shop", "--add", "/no/such/folder")):
        with pytest.raises(CommandError):
            run(*options)
