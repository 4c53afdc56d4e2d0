"""/projects: read, make and edit them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.models import Event, Project
from tests.factories import make_project
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
        ({"name": "Shop", "settings": {"colour": 1}}, "settings"),
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


def test_the_slug_and_the_folder_stay(ada: Rest) -> None:
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
