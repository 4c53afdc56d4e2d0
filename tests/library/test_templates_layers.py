"""Which template of a name is in effect: the project's file, its row, the site's row, the starter."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, NotFound
from tasks.identity.actor import Actor
from tasks.library.catalogue import catalogue
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import preview
from tasks.library.services.apply import apply_template
from tasks.library.services.templates import save_template
from tasks.models import Project, Specialist, Task
from tests.factories import make_project
from tests.library.templates import of_steps, step

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system()
STARTERS = {"feature", "bugfix", "refactor", "migration", "release", "spike", "incident", "security_review"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / ".task_orchestrator" / "templates").mkdir(parents=True)
    return make_project(root_path=str(tmp_path))


def spike(title: str) -> str:
    return f"template: spike\ntitle: {title}\nsteps: [{step('a')}]\n"


def write(project: Project, name: str, text: str) -> Path:
    path = Path(project.root_path) / ".task_orchestrator" / "templates" / name
    path.write_text(text)
    return path


def titled(project: Project | None) -> tuple[str, str]:
    entry = catalogue(project).entry("spike")
    return entry.template.title, entry.source


def test_the_starters_are_there(project: Project) -> None:
    found = catalogue(project)
    assert (set(found.templates), found.problems) == (STARTERS, [])
    assert {entry.source for entry in found.templates.values()} == {"default"}


def test_each_source_takes_precedence_of_those_below(project: Project) -> None:
    save_template(project=None, actor=SYSTEM, text=spike("Site"))
    assert titled(project) == ("Site", "site")
    save_template(project=project, actor=SYSTEM, text=spike("Project"))
    assert titled(project) == ("Project", "project")
    write(project, "spike.yaml", spike("File"))
    assert titled(project) == ("File", ".task_orchestrator/templates/spike.yaml")
    assert catalogue(project).entry("spike").hides == ("default", "site", "project")
    assert titled(None) == ("Site", "site")
    assert titled(make_project()) == ("Site", "site")


BROKEN = [
    spike("'{x'"), spike("A").replace("tester", "wizard"), "template: spike\n", spike("[a"),
    f"{spike('A')}# {'x' * 99_999}",
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_named_with_its_line_and_the_next_source_is_used(project: Project, broken: str) -> None:
    save_template(project=project, actor=SYSTEM, text=spike("Project"))
    write(project, "spike.yaml", broken)
    found = catalogue(project)
    assert titled(project) == ("Project", "project")
    assert found.problems[0].startswith(".task_orchestrator/templates/spike.yaml")
    assert found.entry("spike").problems == tuple(found.problems)


@pytest.mark.parametrize("broken", BROKEN)
def test_nothing_is_planned_or_previewed_of_another_source_than_the_broken_one(project: Project, broken: str) -> None:
    write(project, "spike.yaml", broken)
    entry, given = catalogue(project).entry("spike"), {"question": "Which?"}
    for attempt in (
        lambda: apply_template(project=project, actor=SYSTEM, name="spike", parameters=given),
        lambda: preview(project, entry, given),
    ):
        with pytest.raises(Conflict) as refused:
            attempt()
        assert "spike.yaml" in refused.value.message
    assert not Task.objects.exists()


def test_a_row_that_was_good_once_is_left_when_its_specialist_is_gone(project: Project) -> None:
    wizard = Specialist.objects.create(name="wizard", role_definition="You conjure", project=project)
    save_template(project=project, actor=SYSTEM, text=spike("Mine").replace("tester", "wizard"))
    wizard.delete()
    assert titled(project)[1] == "default"
    assert "wizard" in catalogue(project).problems[0]


def test_an_edit_of_a_file_takes_effect_on_the_next_call(project: Project) -> None:
    write(project, "spike.yaml", spike("One"))
    assert titled(project)[0] == "One"
    write(project, "spike.yaml", spike("Another"))
    assert titled(project)[0] == "Another"


def test_of_two_files_with_one_name_the_first_wins_and_the_other_is_named(project: Project) -> None:
    write(project, "b.yaml", spike("Second"))
    write(project, "a.yml", spike("First"))
    assert titled(project)[0] == "First"
    assert "b.yaml" in catalogue(project).problems[0]


def test_a_link_is_not_followed(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(spike("Outside"))
    write(project, "x.yaml", "").unlink()
    (tmp_path / ".task_orchestrator" / "templates" / "x.yaml").symlink_to(tmp_path / "outside.yaml")
    assert titled(project)[1] == "default"
    assert "x.yaml" in catalogue(project).problems[0]


def test_a_command_is_known_where_the_project_allows_it(project: Project) -> None:
    text = of_steps(step("a", gates="[{command: test}]"))
    write(project, "mine.yaml", text)
    assert "'test' is no command" in catalogue(project).problems[0]
    project.settings = {"gates": {"commands": {"test": {"argv": ["make", "test"]}}}}
    assert catalogue(project).entry("mine").template.steps[0].gates[0]["command"] == "test"


def test_an_unknown_name_is_answered_with_those_there_are(project: Project) -> None:
    with pytest.raises(NotFound) as refused:
        catalogue(project).entry("spik")
    assert set(refused.value.details["allowed"]) == STARTERS


def test_the_newest_version_counts_and_a_deleted_one_hides_all_before(project: Project) -> None:
    for number, is_deleted in ((1, False), (2, True), (3, False)):
        Row.objects.create(
            project=project, name="spike", number=number, title="x", text=spike(f"V{number}"), is_deleted=is_deleted,
            saved_by="ada",
        )  # fmt: skip
    assert titled(project)[0] == "V3"
    Row.objects.filter(number=3).delete()
    assert titled(project)[1] == "default"
