"""Which project a connection stands in: what is said first, then what clients tell, then what the folder shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from orchestrator_site.kernel.errors import Invalid
from tasks.models import Project
from tasks.services.projects import CLIENT_VARIABLES, find_root, project_at


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Folders, one for each way to tell."""
    found = {name: tmp_path / name for name in ("explicit", "own", *CLIENT_VARIABLES, "repository", "plain")}
    for path in found.values():
        path.mkdir()
    (found["repository"] / ".git").mkdir()
    (found["repository"] / "src" / "deep").mkdir(parents=True)
    return found


def test_the_order_of_telling(places: dict[str, Path]) -> None:
    environ = {"ORCHESTRATOR_PROJECT_DIR": str(places["own"])}
    environ |= {name: str(places[name]) for name in CLIENT_VARIABLES}
    cwd = str(places["repository"] / "src" / "deep")
    explicit: str | None = str(places["explicit"])
    reported = []
    for forget in (None, "ORCHESTRATOR_PROJECT_DIR", *CLIENT_VARIABLES):
        reported.append(find_root(explicit=explicit, environ=environ, working_directory=cwd).name)
        explicit = None
        environ.pop(forget or "", None)
    reported.append(find_root(explicit=None, environ=environ, working_directory=cwd).name)
    assert reported == ["explicit", "own", *CLIENT_VARIABLES, "repository"]


def test_a_folder_without_git_is_the_project_itself(places: dict[str, Path]) -> None:
    assert find_root(explicit=None, environ={}, working_directory=str(places["plain"])) == places["plain"]


def test_the_products_own_folder_is_never_guessed() -> None:
    for folder in (settings.BASE_DIR, settings.BASE_DIR / "tasks"):
        with pytest.raises(Invalid, match="project"):
            find_root(explicit=None, environ={}, working_directory=str(folder))


def test_a_variable_of_a_client_that_names_no_folder_is_passed_over(places: dict[str, Path]) -> None:
    environ = {"CLAUDE_PROJECT_DIR": "/no/such/folder", "VSCODE_CWD": "relative"}
    assert find_root(explicit=None, environ=environ, working_directory=str(places["plain"])) == places["plain"]


def test_our_own_variable_must_name_a_folder(places: dict[str, Path]) -> None:
    with pytest.raises(Invalid, match="ORCHESTRATOR_PROJECT_DIR"):
        find_root(
            explicit=None,
            environ={"ORCHESTRATOR_PROJECT_DIR": "/no/such/folder"},
            working_directory=str(places["plain"]),
        )


def test_a_link_and_its_target_are_one_project(db: None, places: dict[str, Path], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(places["plain"])
    roots = {find_root(explicit=str(path), environ={}, working_directory="") for path in (link, places["plain"])}
    assert len(roots) == 1


def test_a_project_is_made_once(db: None, tmp_path: Path) -> None:
    assert project_at(tmp_path) == project_at(tmp_path)
    assert Project.objects.count() == 1


@pytest.mark.parametrize(("name", "slug"), [("My Shop!", "my-shop"), ("漢字", "project"), ("x" * 200, "x" * 70)])
def test_any_folder_name_makes_a_slug(db: None, tmp_path: Path, name: str, slug: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert project_at(folder).slug == slug


def test_the_root_of_the_file_system_has_a_name_too(db: None) -> None:
    assert project_at(Path("/")).name == "root"
