"""A template applied: one plan, all or nothing, that keeps what it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, Invalid
from tasks.choices import Priority
from tasks.identity.actor import Actor
from tasks.library.catalogue import catalogue
from tasks.library.models import PlanOrigin
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import origin_of, preview, suggested
from tasks.library.services.apply import apply_template
from tasks.library.services.templates import save_template
from tasks.models import Event, Project, Task
from tests.factories import make_project, make_task
from tests.library.templates import of_steps, step
from tests.library.test_template_values import VALUES

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system()
TEXT = of_steps(
    step("first", title="'Do {p}'", gates="[report]", review="true", priority="high", paths="['{xs}']"),
    step("each", title="'Each {item}'", for_each="xs", needs="[first, previous]", specialist="implementer"),
    step("last", needs="[each]", if_="{param: p}", complexity="complex", effort="'{p} hours'"),
    parameters="p: {required: true}, xs: {type: list}",
    more="version: 1.2",
)


@pytest.fixture
def project() -> Project:
    project = make_project()
    save_template(project=project, actor=SYSTEM, text=TEXT)
    return project


def test_a_plan_of_it_has_all_that_the_steps_say(project: Project) -> None:
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x", "xs": ["a", "b"]})
    keys = dict(zip(made.plan.keys, made.plan.tasks, strict=True))
    assert list(keys) == ["first", "each_1", "each_2", "last"]
    first, last = (Task.objects.get(pk=keys[key].pk) for key in ("first", "last"))
    assert (first.title, first.requires_review) == ("Do x", True)
    assert (first.priority, first.paths) == (Priority.HIGH, ["a", "b"])
    assert [gate["name"] for gate in first.gates] == ["report"]
    assert (last.complexity, last.effort) == ("complex", "x hours")
    waits = {
        task.public_id: {need.depends_on.public_id for need in task.dependencies.all()} for task in made.plan.tasks
    }
    assert waits[keys["each_2"].public_id] == {keys["first"].public_id, keys["each_1"].public_id}
    assert waits[last.public_id] == {keys["each_1"].public_id, keys["each_2"].public_id}


def test_the_plan_keeps_what_it_came_from(project: Project) -> None:
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x", "xs": ["a"]})
    origin = origin_of(made.plan.root)
    assert origin == made.origin
    assert (origin.template, origin.version, origin.source) == ("mine", "1.2", "project")
    assert origin.sha256 == catalogue(project).entry("mine").sha256
    assert origin.parameters == {"p": "x", "xs": ["a"]}
    assert origin.keys == {key: task.public_id for key, task in zip(made.plan.keys, made.plan.tasks, strict=True)}


def test_a_later_version_changes_no_plan(project: Project) -> None:
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"})
    before = list(Task.objects.values())
    save_template(project=project, actor=SYSTEM, text=of_steps(step("other")))
    assert list(Task.objects.values()) == before
    assert origin_of(made.plan.root).version == "1.2"


def test_what_was_swapped_since_the_preview_is_refused(project: Project, tmp_path: Path) -> None:
    project.root_path = str(tmp_path)
    folder = tmp_path / ".task_orchestrator" / "templates"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(TEXT)
    seen = preview(project, catalogue(project).entry("mine"), {"p": "x"})
    (folder / "mine.yaml").write_text(TEXT.replace("'Do {p}'", "'Undo {p}'"))
    with pytest.raises(Conflict):
        apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"}, sha256=seen.entry.sha256)
    assert not Task.objects.exists()
    (folder / "mine.yaml").write_text(TEXT)
    apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"}, sha256=seen.entry.sha256)
    assert Task.objects.filter(title="Do x").exists()


def test_the_preview_shows_the_plan_that_is_made(project: Project) -> None:
    given = {"p": "x", "xs": ["a", "b"]}
    seen = preview(project, catalogue(project).entry("mine"), given)
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters=given)
    assert [each.subtask.title for each in seen.steps] == [task.title for task in made.plan.tasks]
    assert [[gate.name for gate in each.gates] for each in seen.steps] == [
        [gate["name"] for gate in task.gates] for task in made.plan.tasks
    ]
    assert made.plan.root.description == seen.description


NOT_TAKEN = {
    "a title of nothing": (step("a", title="'{o}'"), "subtasks[0].title"),
    "a description of nothing": (step("a", description="'{o}'"), "subtasks[0].description"),
    "an unknown resource": (step("a", title="'A {o}'", resources="[staging]"), "subtasks[0].resources[0]"),
    "too long a text": (step("a", context="'" + "{o}" * 11 + "'"), "subtasks[0].context"),
}


@pytest.mark.parametrize("case", NOT_TAKEN)
def test_what_the_board_would_not_take_is_said_by_the_preview(project: Project, case: str) -> None:
    text, at = NOT_TAKEN[case]
    text = of_steps(text, parameters="o: {type: text}").replace("mine", "other")
    Row.objects.create(project=project, name="other", number=1, text=text)
    given = {"o": "x" * 20_000} if case == "too long a text" else {}
    seen = preview(project, catalogue(project).entry("other"), given)
    with pytest.raises(Invalid) as refused:
        apply_template(project=project, actor=SYSTEM, name="other", parameters=given)
    assert [each["at"] for each in seen.problems] == [at]
    assert [each["at"] for each in refused.value.details["problems"]] == [at]


@pytest.mark.parametrize("given", [{}, {"p": "x", "q": "y"}, {"p": "x", "xs": "a"}])
def test_wrong_parameters_plan_nothing(project: Project, given: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        apply_template(project=project, actor=SYSTEM, name="mine", parameters=given)
    assert not Task.objects.exists()


def test_parameters_that_leave_out_every_step_are_refused(project: Project) -> None:
    save_template(project=project, actor=SYSTEM, text=of_steps(step("a", for_each="xs"), parameters="xs: {type: list}"))
    with pytest.raises(Invalid):
        apply_template(project=project, actor=SYSTEM, name="mine", parameters={})


def test_nothing_is_left_of_a_plan_whose_origin_cannot_be_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**columns: object) -> None:
        raise Conflict("No space.")

    monkeypatch.setattr(PlanOrigin.objects, "create", fails)
    with pytest.raises(Conflict):
        apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"})
    assert not Task.objects.exists()
    assert not Event.objects.filter(verb="plan").exists()


def test_a_description_of_ones_own_replaces_that_of_the_template(project: Project) -> None:
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"}, description="My own\nWhy")
    assert (made.plan.root.title, made.plan.root.description) == ("My own", "My own\nWhy")


def test_it_can_be_applied_below_a_task(project: Project) -> None:
    parent = make_task(project)
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"}, parent=parent)
    assert made.plan.root.parent == parent
    assert origin_of(made.plan.root) is not None


def test_default_gates_of_the_project_come_to_those_of_the_template(project: Project) -> None:
    project.settings = {"gates": {"default": ["commit"]}}
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x"})
    assert [gate["name"] for gate in made.plan.tasks[0].gates] == ["report", "commit"]


@pytest.mark.parametrize("value", VALUES[::20])
def test_a_hostile_value_reaches_the_rows_as_data_only(project: Project, value: str) -> None:
    harmless = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": "x", "xs": ["x"]})
    line = " ".join(value.split())
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={"p": line, "xs": [line]})
    assert _rows(made.plan.tasks) == _rows(harmless.plan.tasks)


def _rows(tasks: list[Task]) -> list[tuple[object, ...]]:
    return [(task.specialist, task.gates, task.requires_review, task.is_leaf, task.depth) for task in tasks]


def test_five_hundred_steps_become_five_hundred_tasks(project: Project) -> None:
    steps = [step(f"s{n}", needs=f"[s{n - 1}]" if n else "[]") for n in range(500)]
    save_template(project=project, actor=SYSTEM, text=of_steps(*steps))
    assert len(preview(project, catalogue(project).entry("mine"), {}).steps) == 500
    made = apply_template(project=project, actor=SYSTEM, name="mine", parameters={})
    assert len(made.origin.keys) == len(made.plan.tasks) == 500
    assert sum(task.is_ready for task in Task.objects.filter(parent=made.plan.root)) == 1


SUGGESTED = {
    "Fix the bug that drops the last row": "bugfix",
    "Release version 2.1": "release",
    "Migrating from MySQL to PostgreSQL": "migration",
    "Refactoring of the order book": "refactor",
    "A security review before the launch": "security_review",
    "Add a feature for invoices": "feature",
}


@pytest.mark.parametrize("description", SUGGESTED)
def test_what_fits_a_description_is_suggested_first(project: Project, description: str) -> None:
    assert suggested(catalogue(project), description)[0].entry.name == SUGGESTED[description]


def test_nothing_is_suggested_for_what_fits_nothing(project: Project) -> None:
    assert suggested(catalogue(project), "xyzzy") == []
