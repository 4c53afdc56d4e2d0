"""Defer, boost and assign: what they change, and what a claim makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from maintenance.jobs import free_expired_leases
from orchestrator_site.kernel.errors import Conflict, Forbidden, Hint, Invalid, NotReady, TooLarge
from tasks.choices import Priority, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.selectors.blockers import why_nothing_is_ready
from tasks.selectors.next_task import next_tasks
from tasks.services import order as orders
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.leases import SWEEP_LIMIT
from tasks.services.order import assign, boost, defer, order
from tasks.services.steer import cancel, release
from tests.assistants import Assistant, subtask
from tests.factories import make_plan, make_project, make_session, make_task

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")
HOUR = timedelta(hours=1)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def task(project: Project) -> Task:
    plan = make_plan(project, 1)
    Task.objects.filter(parent=plan).update(is_ready=True)
    return Task.objects.get(parent=plan)


def assistant(project: Project, client: str = "claude-code", model: str = "opus-4") -> Actor:
    return Actor.assistant(make_session(project, client_name=client, model=model))


def come_due(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(not_before=timezone.now() - HOUR)


def test_a_deferred_task_is_not_ready_and_says_until_when(project: Project, task: Task) -> None:
    until = timezone.now() + HOUR
    assert defer(task=task, actor=ADA, until=until).task.is_ready is False
    at = until.isoformat(timespec="seconds")
    for call in (lambda: claim(task=task, actor=ADA), lambda: complete(task=task, actor=ADA, summary="Done")):
        with pytest.raises(NotReady) as rejection:
            call()
        assert rejection.value.details == {"not_before": at}
    with pytest.raises(NotReady) as rejection:
        claim_next(project=project, actor=ADA)
    assert rejection.value.details["deferred_until"] == at


def test_what_was_deferred_is_claimed_once_its_time_has_come(project: Project, task: Task) -> None:
    defer(task=task, actor=ADA, until=timezone.now() + HOUR)
    come_due(task)
    assert claim_next(project=project, actor=ADA).task == task
    task.refresh_from_db()
    assert task.not_before is None


def test_what_came_due_is_weighed_against_what_is_ready(project: Project, task: Task) -> None:
    boost(task=task, actor=ADA, priority=Priority.URGENT)
    defer(task=task, actor=ADA, until=timezone.now() + HOUR)
    other = make_task(project, parent=make_task(project, is_leaf=False), is_ready=True)
    come_due(task)
    assert claim_next(project=project, actor=ADA).task == task
    assert claim_next(project=project, actor=ADA).task == other


def test_of_many_that_come_due_together_the_best_is_claimed(project: Project, task: Task) -> None:
    plan = make_plan(project, SWEEP_LIMIT)
    last = make_task(project, parent=plan, priority=Priority.URGENT)
    Task.objects.leaves().filter(root=plan).update(not_before=timezone.now() - HOUR)
    assert claim_next(project=project, actor=ADA).task == last


def test_what_came_due_can_be_claimed_by_name_before_anyone_looked(task: Task) -> None:
    defer(task=task, actor=ADA, until=timezone.now() + HOUR)
    come_due(task)
    assert claim(task=task, actor=ADA).task.status == Status.ACTIVE


def test_the_job_that_frees_leases_ends_deferrals(task: Task) -> None:
    defer(task=task, actor=ADA, until=timezone.now() + HOUR)
    free_expired_leases()
    task.refresh_from_db()
    assert not task.is_ready
    come_due(task)
    free_expired_leases()
    task.refresh_from_db()
    assert task.is_ready and task.not_before is None
    assert [event.actor_kind for event in Event.objects.filter(verb=Verb.DEFER)] == ["person", "system"]


def test_a_deferral_is_taken_back(task: Task) -> None:
    defer(task=task, actor=ADA, until=timezone.now() + HOUR)
    assert defer(task=task, actor=ADA, until=None).task.is_ready


def test_a_task_that_is_deferred_in_hand_waits_once_it_is_released(project: Project, task: Task) -> None:
    claude = assistant(project)
    claim(task=task, actor=claude)
    defer(task=task, actor=claude, until=timezone.now() + HOUR)
    assert release(task=task, actor=claude).task.is_ready is False


def test_a_deferred_task_stays_deferred_when_its_dependency_is_done(project: Project, task: Task) -> None:
    waiting = make_task(project, parent=task.parent)
    defer(task=waiting, actor=ADA, until=timezone.now() + HOUR)
    waiting.refresh_from_db()
    complete(task=task, actor=ADA, summary="Done")
    waiting.refresh_from_db()
    assert not waiting.is_ready


def test_a_past_time_is_invalid(task: Task) -> None:
    with pytest.raises(Invalid):
        defer(task=task, actor=ADA, until=timezone.now() - HOUR)


def test_a_boost_changes_what_comes_next_and_says_from_what(project: Project, task: Task) -> None:
    other = make_task(project, parent=task.parent, is_ready=True, position=9)
    assert boost(task=other, actor=ADA, priority=Priority.HIGH).task.priority == Priority.HIGH
    assert claim_next(project=project, actor=ADA).task == other
    [event] = Event.objects.filter(verb=Verb.BOOST)
    assert (event.before, event.after) == ({"priority": Priority.NORMAL}, {"priority": Priority.HIGH})
    with pytest.raises(Invalid):
        boost(task=other, actor=ADA, priority=77)


def test_a_claim_passes_over_what_is_meant_for_another(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client=" Codex ")
    other = make_task(project, parent=task.parent, is_ready=True, position=9)
    claude, codex = assistant(project), assistant(project, client="CODEX")
    assert [each.task for each in next_tasks(project, claude.session)] == [other]
    assert claim_next(project=project, actor=claude).task == other
    with pytest.raises(NotReady) as rejection:
        claim_next(project=project, actor=claude)
    assert rejection.value.details["meant_for_others"] == 1
    assert claim_next(project=project, actor=codex).task == task


def test_names_are_compared_as_a_whole(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, model="opus")
    with pytest.raises(NotReady):
        claim_next(project=project, actor=assistant(project, model="opus-4"))
    assert claim_next(project=project, actor=assistant(project, model="Opus")).task == task


def test_spaces_around_the_name_of_a_client_do_not_count(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="Codex ", model=" GPT")
    assert claim_next(project=project, actor=assistant(project, client=" Codex ", model="GPT ")).task == task


def test_what_is_meant_for_others_is_not_offered_instead_of_a_specialist(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex")
    make_task(project, parent=task.parent, specialist="reviewer")
    with pytest.raises(NotReady) as rejection:
        claim_next(project=project, actor=assistant(project), specialist="reviewer")
    assert rejection.value.hint != Hint.ANY_SPECIALIST


def test_for_a_specialist_it_is_counted_what_is_meant_for_others_and_deferred(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex")
    later = make_task(project, parent=task.parent, specialist=task.specialist)
    defer(task=later, actor=ADA, until=timezone.now() + HOUR)
    make_task(project, parent=task.parent, specialist="reviewer", is_ready=True)
    with pytest.raises(NotReady) as rejection:
        claim_next(project=project, actor=assistant(project), specialist=task.specialist)
    details = rejection.value.details
    assert (rejection.value.hint, details["meant_for_others"]) == (Hint.ANY_SPECIALIST, 1)
    assert "deferred_until" in details


def test_what_others_lock_is_not_called_meant_for_others(project: Project, task: Task) -> None:
    for actor in (ADA, assistant(project)):
        assert "meant_for_others" not in why_nothing_is_ready(project, None, actor.session).details


def test_a_specialist_is_passed_over_too(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex")
    with pytest.raises(NotReady):
        claim_next(project=project, actor=assistant(project), specialist=task.specialist)
    assert claim_next(project=project, actor=assistant(project, "codex"), specialist=task.specialist).task == task


def test_a_named_claim_of_another_is_a_conflict_unless_it_takes_over(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex")
    claude = assistant(project)
    with pytest.raises(Conflict) as rejection:
        claim(task=task, actor=claude)
    assert rejection.value.details == {"client": "codex"}
    assert claim(task=task, actor=claude, take_over=True).task.status == Status.ACTIVE
    assert claim(task=task, actor=claude).renewed


def test_people_and_the_agents_of_runs_are_free(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex", model="gpt")
    agent = Actor.assistant(make_session(project), only_task=task.pk)
    assert claim(task=task, actor=agent).task.status == Status.ACTIVE
    release(task=task, actor=ADA)
    assert claim_next(project=project, actor=ADA).task == task


def test_an_empty_name_takes_a_wish_back_and_none_leaves_it(project: Project, task: Task) -> None:
    assign(task=task, actor=ADA, client="codex", model="gpt")
    changed = assign(task=task, actor=ADA, client="").task
    assert (changed.for_client, changed.for_model) == ("", "gpt")
    newest = Event.objects.filter(verb=Verb.ASSIGN).latest("pk")
    assert (newest.before, newest.after) == ({"for_client": "codex"}, {"for_client": ""})


@pytest.mark.parametrize("names", [{}, {"client": "x" * 201}, {"model": "x" * 101}, {"client": "a\nb"}])
def test_names_that_cannot_be_stored_are_invalid(task: Task, names: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        assign(task=task, actor=ADA, **names)


def test_of_a_group_all_unfinished_tasks_below_change(project: Project, task: Task) -> None:
    group = task.parent
    assert group is not None
    done = make_task(project, parent=group, status=Status.COMPLETED)
    assert defer(task=group, actor=ADA, until=timezone.now() + HOUR).changed_total == 1
    rows = dict(Task.objects.filter(not_before__isnull=False).values_list("pk", "is_ready"))
    assert rows == {group.pk: False, task.pk: False} and done.pk not in rows


def test_what_is_so_already_is_no_change(project: Project, task: Task) -> None:
    other = make_task(project, parent=task.parent, is_ready=True, priority=Priority.HIGH)
    group, until = Task.objects.get(pk=task.parent_id), timezone.now() + HOUR
    assert boost(task=group, actor=ADA, priority=Priority.HIGH).changed_total == 1
    assert boost(task=other, actor=ADA, priority=Priority.HIGH).changed_total == 0
    assert [defer(task=task, actor=ADA, until=until).changed_total for _ in range(2)] == [1, 0]
    assert [assign(task=task, actor=ADA, client=name).changed_total for name in ("", "codex", " Codex")] == [0, 1, 0]
    assert [event.task for event in Event.objects.order_by("pk")] == [group, task, task, task]
    updated_at = other.updated_at
    other.refresh_from_db()
    assert other.updated_at == updated_at


def test_several_changes_are_made_together_or_not_at_all(task: Task) -> None:
    columns = {"not_before": timezone.now() + HOUR, "priority": Priority.LOW, "for_client": "Codex", "for_model": "gpt"}
    with pytest.raises(Invalid) as rejection:
        order(task=task, actor=ADA, columns={**columns, "not_before": timezone.now(), "priority": 9})
    assert [each["at"] for each in rejection.value.details["problems"]] == ["until", "priority"]
    assert not Event.objects.exists()
    assert order(task=task, actor=ADA, columns=columns).changed_total == 1
    events = [(event.verb, {*event.after}) for event in Event.objects.order_by("pk")]
    assert events == [
        (Verb.DEFER, {"not_before"}), (Verb.BOOST, {"priority"}), (Verb.ASSIGN, {"for_client", "for_model"})
    ]  # fmt: skip


def test_a_group_of_very_many_tasks_is_too_large(project: Project, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "AT_ONCE_LIMIT", 1)
    group = Task.objects.get(pk=task.parent_id)
    make_task(project, parent=group)
    with pytest.raises(TooLarge):
        boost(task=group, actor=ADA, priority=Priority.HIGH)
    assert not Event.objects.exists()


def test_of_a_nested_group_only_what_is_below_it_changes(project: Project, task: Task) -> None:
    plan = Task.objects.get(pk=task.parent_id)
    group = make_task(project, parent=plan, is_leaf=False)
    inner = make_task(project, parent=group, is_leaf=False)
    below = make_task(project, parent=inner)
    assert boost(task=group, actor=ADA, priority=Priority.HIGH).changed_total == 1
    assert [event.task for event in Event.objects.order_by("pk")] == [group, inner, below]
    assert boost(task=plan, actor=ADA, priority=Priority.HIGH).changed_total == 1


@pytest.mark.parametrize("change", [lambda **who: defer(until=None, **who), lambda **who: boost(priority=1, **who)])
def test_what_cannot_be_edited_stays_as_it_is(project: Project, task: Task, change: object) -> None:
    assert callable(change)
    claim(task=task, actor=assistant(project))
    with pytest.raises(Conflict):
        change(task=task, actor=Actor.assistant(make_session(project), scopes=frozenset()))
    cancel(task=task, actor=ADA)
    with pytest.raises(Conflict):
        change(task=task, actor=ADA)


def test_an_agent_in_a_run_orders_nothing(project: Project, task: Task) -> None:
    agent = Actor.assistant(make_session(project), only_task=task.pk)
    with pytest.raises(Forbidden):
        boost(task=task, actor=agent, priority=Priority.HIGH)
    task.refresh_from_db()
    assert task.priority == Priority.NORMAL


def test_what_is_recommended_is_for_the_session(ada: Assistant) -> None:
    tasks = ada.plan("One", "Two", "Three")
    first = Task.objects.get(public_id=tasks["Two"])
    assign(task=first, actor=ADA, client="codex")
    assert ada.complete(tasks["One"])["next_recommended_task"]["task_id"] == tasks["Three"]
    assert ada.call("initialize_session")["next_ready"]["task_id"] == tasks["Three"]


def test_what_is_recommended_is_found_behind_many_that_are_for_others(ada: Assistant) -> None:
    tasks = ada.plan("One", *(f"For codex {number}" for number in range(9)), "Last")
    Task.objects.filter(title__startswith="For codex").update(for_client="codex")
    assert ada.complete(tasks["One"])["next_recommended_task"]["task_id"] == tasks["Last"]
    assert ada.call("initialize_session")["next_ready"]["task_id"] == tasks["Last"]


def test_the_parts_of_a_divided_task_keep_its_deferral_wish_and_priority(ada: Assistant) -> None:
    whole = Task.objects.get(public_id=ada.plan("Whole")["Whole"])
    until = timezone.now() + HOUR
    assign(task=whole, actor=ADA, client="codex", model="gpt")
    defer(task=whole, actor=ADA, until=until)
    boost(task=whole, actor=ADA, priority=Priority.URGENT)
    parts = ada.plan("One", "Two", parent_task_id=whole.public_id)
    for part in Task.objects.filter(public_id__in=[parts["One"], parts["Two"]]):
        assert (part.not_before, part.for_client, part.for_model) == (until, "codex", "gpt")
        assert (part.priority, part.is_ready) == (Priority.URGENT, False)


def test_a_group_is_planned_with_a_deferral_and_a_priority_for_what_says_nothing_else(ada: Assistant) -> None:
    parts = [subtask("As the group"), subtask("Its own", not_before="2098-01-01", priority="low")]
    group = {"title": "Group", "description": "x", "not_before": "2099-01-01", "priority": "high", "subtasks": parts}
    ada.call("plan_task", description="A job", subtasks=[group, subtask("Beside")])
    found = {task.title: (task.not_before and task.not_before.year, task.priority) for task in Task.objects.leaves()}
    assert found == {
        "As the group": (2099, Priority.HIGH),
        "Its own": (2098, Priority.LOW),
        "Beside": (None, Priority.NORMAL),
    }
    assert [task.title for task in Task.objects.all().ready()] == ["Beside"]
