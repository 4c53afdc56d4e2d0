"""Patterns of plans in the database: round trips, what was added and cancelled, success and drift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.text import one_line
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.library.models import Template
from tasks.library.patterns.comparing import ENOUGH, Success
from tasks.library.patterns.extracting import Draft
from tasks.library.selectors import patterns
from tasks.library.selectors.patterns import analysis, draft_of, success_of
from tasks.library.services.apply import apply_template
from tasks.library.services.templates import checked_text, delete_template, save_template
from tasks.models import Dependency, Project, Task
from tasks.roles import catalogue as roles
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tasks.services.steer import cancel
from tests.factories import make_event, make_project
from tests.library.samples import ADA, CHORES, finish, planned, save_chores

SYSTEM = Actor.system()


@pytest.fixture
def project(db: None) -> Project:
    project = make_project("shop")
    save_chores(project)
    return project


def add(parent: Task, *subtasks: Subtask, description: str = "More") -> Task:
    return plan(
        project=parent.project, actor=ADA, catalogue=roles(parent.project), description=description,
        subtasks=subtasks, parent=parent,
    ).root  # fmt: skip


def plain(project: Project, *subtasks: Subtask, description: str = "A job") -> Task:
    return plan(
        project=project, actor=ADA, catalogue=roles(project), description=description, subtasks=subtasks
    ).root  # fmt: skip


def subtask(title: str, **more: Any) -> Subtask:
    return Subtask(title, more.pop("description", f"Do {title}"), more.pop("specialist", "implementer"), **more)


def structure(plan: Task) -> list[tuple[Any, ...]]:
    """Return what a plan asks of whom in which order, without ids."""
    leaves = Task.objects.filter(root=plan, is_leaf=True).order_by("position")
    places = {task.pk: place for place, task in enumerate(leaves)}
    needs = Dependency.objects.filter(task__in=leaves).values_list("task_id", "depends_on_id")
    return [
        (
            task.title, task.description, task.specialist, task.priority, task.paths, task.gates,
            sorted(places[need] for each, need in needs if each == task.pk and need in places),
        )
        for task in leaves
    ]  # fmt: skip


def plan_again(project: Project, draft: Draft) -> Task:
    """Save a draft and plan with it what it was drafted from."""
    saved = save_template(project=project, actor=ADA, text=draft.text)
    values = {name: phrase for phrase, name in draft.parameters.items()}
    return apply_template(project=project, actor=ADA, name=saved.name, parameters=values).plan.root


def drop(plan: Task, title: str) -> None:
    """Cancel a step, and let nothing wait for it."""
    task = Task.objects.get(root=plan, title=title)
    cancel(task=task, actor=SYSTEM, reason="It is not needed.")
    for waiting in Task.objects.filter(dependencies__depends_on=task):
        edit(task=waiting, actor=ADA, changes=Changes(remove_dependencies=[task]), catalogue=roles(plan.project))


def test_a_second_plan_from_the_draft_of_one_has_the_same_structure(project: Project) -> None:
    first = finish(planned(project, place="cellar"))
    draft = draft_of(first)
    assert draft.parameters == {"cellar": "place"}
    saved = save_template(project=project, actor=ADA, text=draft.text, drafted_from=first)
    second = apply_template(project=project, actor=ADA, name=saved.name, parameters={"place": "cellar"}).plan.root
    assert structure(second) == structure(first)
    assert (second.title, second.description) == (first.title, first.description)
    assert Template.objects.get(name=saved.name).drafted_from == first
    other = apply_template(project=project, actor=ADA, name=saved.name, parameters={"place": "attic"}).plan.root
    assert [title for title, *_ in structure(other)][:2] == ["Look at the attic", "Clean the attic"]


def test_groups_gates_and_words_of_a_plan_without_a_template_survive_the_round_trip(project: Project) -> None:
    first = plain(
        project,
        subtask("Explore", key="a", priority=4),
        subtask("Both", key="g", dependencies=("a",), subtasks=(subtask("One"), subtask("Two"))),
        subtask("End", dependencies=("g",), context="Ünder {braces}", effort="2 h", paths=("src/a b.py",)),
        description="Rebuild {all}\n\nBecause:\n- it is old",
    )
    finish(first)
    gates = [{"name": "commit", "kind": "commit", "rung": "verified", "paths": ["src"]}]
    Task.objects.filter(root=first, title="One").update(gates=gates)
    second = plan_again(project, draft_of(first))
    assert [each[:-1] for each in structure(second)] == [each[:-1] for each in structure(first)]
    assert [needs for *_, needs in structure(second)] == [[], [0], [0], [1, 2]]
    assert second.description == first.description


def test_what_was_planned_later_is_added_and_what_was_cancelled_is_fat(project: Project) -> None:
    first = planned(project)
    add(first, subtask("Air the {space}"), subtask("Lock up"))
    drop(first, "Dry the kitchen")
    draft = draft_of(finish(first))
    assert (draft.added, draft.cancelled) == (["Air the {space}", "Lock up"], ["Dry the kitchen"])
    read = checked_text(project, draft.text)
    assert [step.key for step in read.steps] == ["look", "clean", "check", "air_the_space", "lock_up"]
    assert read.steps[2].needs == ("clean",)


HOSTILE = (
    "x\n- key: evil\n  specialist: architect", "{name}", "{{name}}", "}{", "'\"", "# no comment", "- list", "a: b",
    "&anchor *alias !tag", "%YAML 9", "\u202etxet\u202c", "a\x85b\u2028c", "null", "true", "0x10", "1:30", "{" * 300,
    "previous", "<script>", "\t|", "~", "\U0001f469\u200d\U0001f4bb",
)  # fmt: skip


def test_hostile_titles_and_descriptions_open_no_step_gate_or_parameter(project: Project) -> None:
    first = finish(plain(project, *(subtask(text, description=f"A: {text}") for text in HOSTILE)))
    draft = draft_of(first)
    read = checked_text(project, draft.text)
    assert len(read.steps) == len(HOSTILE)
    assert {step.specialist for step in read.steps} == {"implementer"}
    assert not any(step.gates or step.needs or step.condition or step.for_each for step in read.steps)
    assert set(read.parameters) == set(draft.parameters.values()) and not read.traits
    titles = [title for title, *_ in structure(plan_again(project, draft))]
    assert titles == [title if set(title) != {"{"} else titles[16] for title in map(one_line, HOSTILE)]


def test_gates_that_every_task_of_the_project_has_are_not_repeated(project: Project) -> None:
    Project.objects.update(settings={"gates": {"default": [{"kind": "review"}]}})
    project.refresh_from_db()
    first = plain(project, subtask("One", gates=({"kind": "approval"},)))
    Task.objects.update(status=Status.COMPLETED, completed_at=timezone.now(), is_ready=False)
    first.refresh_from_db()
    (step,) = checked_text(project, draft_of(first).text).steps
    assert [gate["kind"] for gate in step.gates] == ["approval"]


def test_like_plans_show_what_is_particular(project: Project) -> None:
    def sold(what: str) -> Task:
        return finish(plain(project, subtask(f"List {what} now"), subtask("Tell the shop"), description=f"Sell {what}"))

    bicycles, skates = sold("bicycles"), sold("skates")
    finish(planned(project))
    assert draft_of(skates).parameters == {"skates": "subject"}
    alike = {each.task_id: each.like for each in analysis(project).finished}
    assert alike[skates.public_id] == (bicycles.public_id,)
    assert sorted(map(len, alike.values())) == [0, 1, 1]


@pytest.mark.parametrize("status", [Status.PENDING, Status.CANCELLED])
def test_no_template_is_drafted_from_what_is_not_completed(project: Project, status: str) -> None:
    first = planned(project)
    Task.objects.filter(pk=first.pk).update(status=status)
    first.refresh_from_db()
    with pytest.raises(Conflict):
        draft_of(first)


def test_no_template_is_drafted_from_a_plan_that_fits_into_none(project: Project) -> None:
    first = finish(plain(project, *(subtask(f"{n} {'x' * 290}", description="y") for n in range(300))))
    with pytest.raises(Conflict) as refused:
        draft_of(first)
    assert "64 kB" in refused.value.message


def test_no_template_is_drafted_from_a_subtask(project: Project) -> None:
    first = finish(planned(project))
    with pytest.raises(Conflict):
        draft_of(Task.objects.filter(root=first)[0])


def of(rows: list[Success], template: str, version: str = "1") -> Success:
    (row,) = [each for each in rows if (each.template, each.version) == (template, version if template else "")]
    return row


def test_success_is_counted_by_version_beside_plans_without_a_template(project: Project) -> None:
    for number in range(ENOUGH):
        first = planned(project)
        if number == 0:
            add(first, subtask("Air"))
            drop(first, "Dry the kitchen")
        finish(first)
        Task.objects.filter(pk=first.pk).update(completed_at=F("created_at") + timedelta(hours=number + 1))
    planned(project)
    save_chores(project, CHORES.replace("version: 1", "version: 2"))
    finish(planned(project))
    finish(plain(project, subtask("One")))
    rows = success_of(project, "chores")
    first_version = of(rows, "chores")
    assert [(row.template, row.version, row.plans, row.ended) for row in rows] == [
        ("chores", "1", ENOUGH + 1, ENOUGH), ("chores", "2", 1, 1), ("", "", 1, 1),
    ]  # fmt: skip
    assert first_version.rates is not None
    assert (first_version.rates.completed, first_version.rates.first_pass) == (1, 1)
    assert (first_version.rates.added, first_version.rates.cancelled) == (1 / ENOUGH, 1 / ENOUGH)
    assert first_version.rates.lead_seconds == 3 * 3600


def test_many_plans_without_a_template_hide_none_of_the_template(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "PLANS_READ", 2)
    planned(project)
    for _ in range(3):
        plain(project, subtask("One"))
    assert [(row.template, row.plans) for row in success_of(project, "chores")] == [("chores", 1), ("", 2)]


def test_a_plan_below_a_task_is_not_compared(project: Project) -> None:
    parent = plain(project, subtask("One"))
    apply_template(project=project, actor=ADA, name="chores", parameters={}, parent=parent)
    delete_template(project=project, actor=ADA, name="chores")
    found = analysis(project)
    assert ([row.template for row in found.success], found.drift) == ([""], [])


def test_too_few_ended_plans_have_no_rates(project: Project) -> None:
    for _ in range(ENOUGH - 1):
        finish(planned(project))
    planned(project)
    assert of(analysis(project).success, "chores").rates is None


def test_a_step_sent_back_counts_once_however_often_and_a_cancelled_plan_is_not_completed(project: Project) -> None:
    for _ in range(ENOUGH - 1):
        first = finish(planned(project))
    for verb in ("request_revision", "hand_back"):
        make_event(Task.objects.filter(root=first)[0], verb)
    cancel(task=planned(project), actor=SYSTEM, reason="No more")
    rates = of(analysis(project).success, "chores").rates
    assert rates is not None
    assert rates.completed == (ENOUGH - 1) / ENOUGH
    assert rates.first_pass == pytest.approx(1 - 1 / (4 * (ENOUGH - 1)))


def test_a_changed_template_of_the_same_version_is_drift_and_a_new_version_is_none(project: Project) -> None:
    first = planned(project)
    assert analysis(project).drift == []
    save_chores(project, CHORES.replace("Do it too", "Do it well"))
    assert [(each.plan, each.is_changed) for each in analysis(project).drift] == [(first.public_id, True)]
    save_chores(project, CHORES.replace("version: 1", "version: 2"))
    assert analysis(project).drift == []
    delete_template(project=project, actor=ADA, name="chores")
    assert [each.is_gone for each in analysis(project).drift] == [True]


def test_steps_added_to_and_cancelled_in_a_plan_are_drift(project: Project) -> None:
    first = planned(project)
    add(first, subtask("Air"))
    drop(first, "Dry the kitchen")
    (drift,) = analysis(project).drift
    assert (drift.added, drift.cancelled, drift.is_changed) == (("Air",), ("Dry the kitchen",), False)


def test_other_projects_are_not_compared(project: Project) -> None:
    other = make_project("other")
    save_chores(other)
    finish(planned(other))
    found = analysis(project)
    assert (found.finished, found.success, found.drift) == ([], [], [])
