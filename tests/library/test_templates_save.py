"""Templates saved and deleted: checked, in versions, and by administrators."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Scope, with_included
from tasks.identity.actor import Actor
from tasks.library.catalogue import catalogue
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import versions_of
from tasks.library.services.templates import delete_template, save_template
from tasks.models import Event, Project
from tests.factories import make_project, make_resource
from tests.library.templates import of_steps, step

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system()
ONE, TWO = of_steps(step("a"), more="version: 1"), of_steps(step("a"), step("b"), more="version: 2")


@pytest.fixture
def project() -> Project:
    return make_project()


def numbers(project: Project | None) -> list[tuple[int, bool]]:
    return list(versions_of(project, "mine").values_list("number", "is_deleted"))


def test_every_change_is_a_version(project: Project) -> None:
    for text in (ONE, TWO, ONE):
        saved = save_template(project=project, actor=SYSTEM, text=text)
        assert (saved.text, saved.source) == (text, "project")
    assert numbers(project) == [(3, False), (2, False), (1, False)]
    assert [event.after for event in Event.objects.filter(verb="edit_template")] == [
        {"template": "mine", "number": number} for number in (1, 2, 3)
    ]


def test_resources_have_to_be_those_of_the_project(project: Project) -> None:
    text = of_steps(step("a", resources="[staging]"))
    with pytest.raises(Invalid) as refused:
        save_template(project=project, actor=SYSTEM, text=text)
    assert [each["at"] for each in refused.value.details["problems"]] == ["line 4"]
    make_resource(project, "staging")
    assert save_template(project=project, actor=SYSTEM, text=text).number == 1


def test_the_same_text_again_is_no_version(project: Project) -> None:
    assert [save_template(project=project, actor=SYSTEM, text=ONE).number for _ in range(2)] == [1, 1]
    assert numbers(project) == [(1, False)]


def test_a_version_keeps_what_it_said(project: Project) -> None:
    save_template(project=project, actor=SYSTEM, text=TWO)
    row = Row.objects.get()
    assert (row.version, row.title, row.text, row.saved_by) == ("2", "Mine", TWO, SYSTEM.name)


def test_a_deleted_one_is_gone_and_may_come_again(project: Project) -> None:
    save_template(project=project, actor=SYSTEM, text=ONE)
    delete_template(project=project, actor=SYSTEM, name="mine")
    assert "mine" not in catalogue(project).templates
    assert save_template(project=project, actor=SYSTEM, text=ONE).number == 3
    assert numbers(project) == [(3, False), (2, True), (1, False)]


@pytest.mark.parametrize("name", ["mine", "spike"])
def test_only_what_was_saved_can_be_deleted(project: Project, name: str) -> None:
    with pytest.raises(NotFound):
        delete_template(project=project, actor=SYSTEM, name=name)


def test_what_is_wrong_is_refused_with_its_lines(project: Project) -> None:
    with pytest.raises(Invalid) as refused:
        save_template(project=project, actor=SYSTEM, text=of_steps(step("a", needs="[b]"), step("b", colour="red")))
    assert [each["at"] for each in refused.value.details["problems"]] == ["line 5"]
    assert not Row.objects.exists()


def test_another_name_than_the_one_it_is_saved_under_is_refused(project: Project) -> None:
    with pytest.raises(Invalid):
        save_template(project=project, actor=SYSTEM, text=ONE, name="other")


def test_a_file_of_the_project_is_not_overruled_in_silence(tmp_path: Path) -> None:
    project = make_project(root_path=str(tmp_path))
    folder = tmp_path / ".task_orchestrator" / "templates"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(ONE)
    with pytest.raises(Conflict) as refused:
        save_template(project=project, actor=SYSTEM, text=TWO)
    assert "mine.yaml" in refused.value.message


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.REVIEW, Scope.ATTEST])
def test_only_an_administrator_saves_and_deletes(project: Project, scope: Scope) -> None:
    save_template(project=project, actor=SYSTEM, text=ONE)
    actor = Actor("person", "rita", scopes=with_included([scope]))
    for place in (project, None):
        with pytest.raises(Forbidden):
            save_template(project=place, actor=actor, text=TWO)
        with pytest.raises(Forbidden):
            delete_template(project=place, actor=actor, name="mine")
    assert numbers(project) == [(1, False)]


def test_the_sites_are_every_projects(project: Project) -> None:
    save_template(project=None, actor=SYSTEM, text=ONE)
    assert catalogue(project).entry("mine").source == "site"
    delete_template(project=None, actor=SYSTEM, name="mine")
    assert "mine" not in catalogue(project).templates


def test_whoever_checks_first_sees_the_one_in_effect(project: Project) -> None:
    seen = []
    save_template(project=project, actor=SYSTEM, text=ONE, guard=seen.append)
    save_template(project=project, actor=SYSTEM, text=TWO, guard=seen.append)
    assert [each and each.number for each in seen] == [None, 1]
