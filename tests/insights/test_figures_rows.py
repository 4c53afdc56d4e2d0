"""What figures read from the rows of a project: templates, sessions, usage, dependencies and handovers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from maintenance.selectors.scope import of_project
from maintenance.services.handover import prepare
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors import leaves
from tasks.insights.selectors.figures import Figures, count, window_of
from tasks.models import Attempt, Event, Project, Task, ToolUse
from tasks.services import leases
from tasks.services.archive import archive
from tasks.services.claim import claim
from tasks.services.complete import complete
from tasks.services.steer import release
from tests.factories import make_handover, make_project, make_session, make_task
from tests.insights.histories import ADA, History, leaf
from tests.library.samples import finish, planned, save_chores

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def figures_of(project: Project) -> Figures:
    return count(project, window_of(project))


def keys(figures: Figures, name: str, dimension: str) -> dict[str, float]:
    return {each.key: each.value for each in figures.of(name, dimension)}


def test_a_plan_is_counted_for_the_version_of_its_template(project: Project) -> None:
    save_chores(project)
    plan = finish(planned(project))
    figures = figures_of(project)
    assert keys(figures, Name.DONE, Dimension.TEMPLATE) == {"chores@1": 4}
    assert keys(figures, Name.DONE, Dimension.PLAN) == {plan.public_id: 4}
    assert keys(figures, Name.DONE, Dimension.CELL) == {
        "implementer/moderate": 2, "researcher/moderate": 1, "reviewer/moderate": 1
    }  # fmt: skip


def test_groups_and_other_projects_do_not_count_and_archived_tasks_do(project: Project) -> None:
    save_chores(project)
    other = make_project("other")
    save_chores(other)
    finish(planned(other))
    plan = finish(planned(project))
    archive(task=plan, actor=ADA)
    figures = figures_of(project)
    assert (found := figures.get("done")) and found.n == 4
    assert (found := figures.get("planned")) and found.n == 4


def test_the_bytes_of_a_session_are_shared_by_the_attempts_that_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(monkeypatch)
    tasks = history.plan(leaf("a"), leaf("b"))
    actor = history.assistants[0]
    for task in tasks:
        history.does(claim, task=task, actor=actor)
        history.does(complete, task=task, actor=actor, summary="Done")
    for tool, size in (("execute", 300), ("complete", 100)):
        ToolUse.objects.create(
            session=actor.session, tool=tool, bytes_received=size, bytes_sent=size, first_at=history.now,
            last_at=history.now,
        )  # fmt: skip
    Attempt.objects.filter(task=tasks[0]).update(read_tokens=50, written_tokens=7, cost_usd="0.25")
    figures = figures_of(history.project)
    assert (found := figures.get("bytes")) and (found.n, found.value) == (2, 400)
    assert keys(figures, Name.TOKENS, Dimension.MODEL) == {"opus": 57}
    assert (found := figures.get("cost")) and (found.n, found.value) == (1, 0.25)


def test_a_task_waits_from_the_last_completion_of_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(monkeypatch)
    tasks = history.plan(leaf("a"), leaf("b"), leaf("c", "a", "b"))
    for task in tasks:
        history.pass_time(hours=5)
        history.does(complete, task=task, actor=ADA, summary="Done")
    found = figures_of(history.project).get("wait")
    assert found and (found.n, found.value, found.high) == (3, 5 * 3600, 10 * 3600)


def test_a_lease_is_lost_by_a_take_over_and_with_its_session_but_not_by_a_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = History(monkeypatch)
    tasks = history.plan(leaf("a"), leaf("b"), leaf("c"))
    one, two, _ = history.assistants
    for task in tasks:
        history.does(claim, task=task, actor=one)
    history.does(claim, task=tasks[0], actor=two, take_over=True)
    history.does(release, task=tasks[1], actor=one, reason="Later")
    assert one.session
    leases.end_of([one.session], history.now)
    history.does(leases.free_run_out, project=history.project)
    figures = figures_of(history.project)
    assert (found := figures.get("lease_loss")) and (found.n, found.value) == (3, pytest.approx(2 / 3))
    assert keys(figures, Name.SUCCESS, Dimension.CLIENT) == {"claude-code": 0}


def test_a_handover_covers_what_waits_since_before_it_and_is_named_in_it(project: Project) -> None:
    before = timezone.now() - timedelta(hours=1)
    named, missed = (make_task(project, status=Status.BLOCKED, active_at=before) for _ in range(2))
    make_task(project, status=Status.PENDING, active_at=before)
    assert figures_of(project).get("handover_coverage") is None
    make_handover(project, f"- {named.public_id} open question, not {missed.public_id}x")
    make_task(project, status=Status.FAILED)
    found = figures_of(project).get("handover_coverage")
    assert found and (found.n, found.value) == (2, 0.5)


def test_a_handover_that_was_just_prepared_covers_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(monkeypatch)
    history.live(4, 150)
    history.pass_time(minutes=1)
    prepare(scope=of_project(history.project), actor=Actor.system())
    found = figures_of(history.project).get("handover_coverage")
    assert found and found.n > 5 and found.value == 1


def test_in_small_batches_the_figures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(monkeypatch)
    history.live(8, 150)
    whole = set(figures_of(history.project))
    monkeypatch.setattr(leaves, "BATCH", 3)
    assert set(figures_of(history.project)) == whole


def test_attempts_of_a_task_without_events_of_the_window_are_not_read(project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED)
    Event.objects.create(
        project=project, task=task, verb=Verb.PLAN, actor_kind="person", actor_name="ada",
        created_at=timezone.now() - timedelta(days=99),
    )  # fmt: skip
    Attempt.objects.create(
        task=task, lease_number=1, outcome=Verb.COMPLETE, session=make_session(project),
        started_at=timezone.now() - timedelta(days=98), ended_at=timezone.now() - timedelta(days=97),
    )  # fmt: skip
    assert {each.n for each in figures_of(project)} == {0}


def test_an_open_review_counts_while_it_is_on_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(monkeypatch)
    (task,) = history.plan(leaf("a", review=True))
    history.does(complete, task=task, actor=ADA, summary="Done")
    history.pass_time(days=50)
    found = figures_of(history.project).get("review_wait")
    assert found and (found.n, found.value) == (1, 50 * 24 * 3600)
    Task.objects.update(archived_at=history.now)
    assert figures_of(history.project).get("review_wait") is None
