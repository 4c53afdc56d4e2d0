"""Operations that processes die in, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from maintenance.choices import Action, Level, ScopeWord, State
from maintenance.models import Operation
from maintenance.services import proposals
from maintenance.services import undo as undoing
from maintenance.services.coordinate import perform_queued
from maintenance.services.operations import ATTEMPTS, TIMEOUT, Result, finish, new_operation, note_progress, run
from maintenance.services.undo import undo
from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.archive import archive
from tests.factories import make_project, make_task

pytestmark = pytest.mark.django_db
GRACE = Actor("person", "grace")


class Died(BaseException):
    """A process ends: nothing after it runs."""


@pytest.fixture
def operation() -> Operation:
    project = make_project()
    make_task(project, status=Status.COMPLETED, summary="Done.")
    made = new_operation(
        actor=GRACE, state=State.QUEUED, project=project, action=Action.VALIDATE_STRUCTURE,
        scope=ScopeWord.FULL_PROJECT, level=Level.COMPREHENSIVE,
        request={"target_task_id": None, "task_ids": [], "apply": False, "plan_token": "", "since": None,
                 "max_chars": None, "scopes": ["read", "write"]},
    )  # fmt: skip
    made.save()
    return made


def killed(operation: Operation, **columns: Any) -> None:
    """Leave the row as a process does that was killed after its time."""
    long_ago = timezone.now() - TIMEOUT - timedelta(minutes=1)
    Operation.objects.filter(pk=operation.pk).update(
        state=State.RUNNING, started_at=long_ago, finished_at=None, **columns
    )


def again(operation: Operation) -> Operation:
    return Operation.objects.get(pk=operation.pk)


def test_what_was_queued_is_done_and_keeps_its_report(operation: Operation) -> None:
    run(public_id=operation.public_id, perform=perform_queued)
    ended = again(operation)
    assert (ended.state, ended.attempt, ended.report["total"]) == (State.SUCCEEDED, 1, 0)


def test_one_that_another_process_runs_is_left_to_it(operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(state=State.RUNNING, started_at=timezone.now(), attempt=1)
    run(public_id=operation.public_id, perform=perform_queued)
    assert (again(operation).state, again(operation).attempt) == (State.RUNNING, 1)


def test_one_whose_process_died_runs_again_and_fails_after_three_deaths(operation: Operation) -> None:
    for attempt in range(1, ATTEMPTS):
        killed(operation, attempt=attempt)
        run(public_id=operation.public_id, perform=lambda _: Result({}, [], []))
        assert (again(operation).state, again(operation).attempt) == (State.SUCCEEDED, attempt + 1)
    killed(operation, attempt=ATTEMPTS)
    run(public_id=operation.public_id, perform=perform_queued)
    assert again(operation).state == State.FAILED


def test_one_that_died_in_its_call_is_not_done_later(operation: Operation) -> None:
    killed(operation, attempt=0)
    run(public_id=operation.public_id, perform=perform_queued)
    assert (again(operation).state, again(operation).attempt) == (State.FAILED, 0)


def test_what_a_process_did_before_it_died_can_be_undone(operation: Operation) -> None:
    task = Task.objects.get(project=operation.project)
    archive(task=task, actor=GRACE)
    note_progress(operation, [{"verb": "archive", "task_id": task.public_id}], [], 2)
    killed(operation, attempt=1)
    run(public_id=operation.public_id, perform=perform_queued)
    assert (again(operation).state, again(operation).attempt) == (State.FAILED, 1)
    undo(operation=again(operation), actor=GRACE)
    assert Task.objects.get(pk=task.pk).archived_at is None


def test_of_what_a_process_had_only_begun_exactly_that_is_undone_which_it_did(operation: Operation) -> None:
    first, other = Task.objects.get(project=operation.project), make_task(operation.project, status=Status.CANCELLED)
    archive(task=first, actor=GRACE)
    begun = [{"verb": "archive", "task_id": task.public_id, "begun": True} for task in (first, other)]
    note_progress(operation, [], begun, 2)
    killed(operation, attempt=1)
    run(public_id=operation.public_id, perform=perform_queued)
    archive(task=other, actor=GRACE)
    undo(operation=again(operation), actor=GRACE)
    assert list(Task.objects.filter(project=operation.project, archived_at=None)) == [first]


def archived(operation: Operation, number: int) -> list[Task]:
    """Make tasks that an operation archived."""
    project: Project = operation.project
    tasks = [make_task(project, status=Status.COMPLETED, summary="Done.") for _ in range(number)]
    for task in tasks:
        archive(task=task, actor=GRACE)
    finish(operation, Result({}, [], [{"verb": "archive", "task_id": task.public_id} for task in tasks]))
    return tasks


def on_board(tasks: list[Task]) -> int:
    return Task.objects.on_board().filter(pk__in=[task.pk for task in tasks]).count()


def test_an_undo_that_died_half_way_can_be_repeated(operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = archived(operation, 2)

    def die(**given: Any) -> None:
        raise Died

    real = proposals.restore
    monkeypatch.setattr(proposals, "restore", lambda **given: real(**given) if given["task"] == tasks[1] else die())
    with pytest.raises(Died):
        undo(operation=operation, actor=GRACE)
    monkeypatch.undo()
    with pytest.raises(Conflict):
        undo(operation=operation, actor=GRACE)
    killed(Operation.objects.latest("pk"))
    undo(operation=operation, actor=GRACE)  # also where no worker records the death
    assert on_board(tasks) == 2


def test_a_long_undo_is_done_by_the_worker(operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = archived(operation, 2)
    monkeypatch.setattr(undoing, "IN_CALL", 1)
    monkeypatch.setattr(undoing, "is_running", lambda: True)
    made = undo(operation=operation, actor=GRACE)
    assert (made.state, on_board(tasks)) == (State.QUEUED, 0)
    run(public_id=made.public_id, perform=perform_queued)
    assert (again(made).state, on_board(tasks)) == (State.SUCCEEDED, 2)
    assert again(operation).undone_at is not None


def test_without_a_worker_each_call_undoes_some(operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = archived(operation, 3)
    monkeypatch.setattr(undoing, "IN_CALL", 2)
    assert undo(operation=operation, actor=GRACE).answer["notes"]
    assert (on_board(tasks), again(operation).undone_at) == (2, None)
    undo(operation=again(operation), actor=GRACE)
    assert on_board(tasks) == 3
    assert again(operation).undone_at is not None
