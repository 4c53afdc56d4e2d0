"""What maintenance reads does not grow with what it is not asked about: steps of SQLite are counted, not time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from django.db import connection
from django.utils import timezone

from maintenance.choices import Level, ScopeWord
from maintenance.selectors import stale
from maintenance.selectors.archivable import archivable
from maintenance.selectors.scope import Scope, of_project, of_task
from maintenance.selectors.stale import Look
from maintenance.selectors.structure import check
from maintenance.selectors.thresholds import Thresholds
from tasks.choices import Status
from tasks.models import Dependency, Project, Task
from tasks.selectors.graph import critical_among
from tests.conftest import IS_SQLITE
from tests.factories import make_dependency, make_plan, make_project, make_session

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(not IS_SQLITE, reason="counts steps of SQLite")]
NOW = timezone.now()
Read = Callable[[Scope], object]


@pytest.fixture
def project() -> Project:
    return make_project()


def steps(read: Callable[[], object]) -> int:
    counted = count()
    connection.connection.set_progress_handler(lambda: next(counted) < 0, 1)
    try:
        read()
    finally:
        connection.connection.set_progress_handler(None, 1)
    return next(counted)


def fill(project: Project) -> None:
    """Add three plans, in which 300 tasks wait for the first."""
    for _ in range(3):
        plan = make_plan(project, 301, statuses=[Status.PENDING])
        first, *others = Task.objects.filter(root=plan)
        Dependency.objects.bulk_create(Dependency(task=each, depends_on=first) for each in others)
    Task.objects.filter(root=make_plan(project, 300)).update(status=Status.COMPLETED, completed_at=NOW, summary="Done.")


def archives(scope: Scope) -> object:
    return archivable(scope, NOW)


def scans(scope: Scope) -> list[object]:
    look = Look(scope, NOW, Thresholds(make_project()))  # those of the project are read from its last 1,000 tasks
    return [list(find(look)) for find in stale.COMPREHENSIVE.values()]


def checks(scope: Scope) -> object:
    return check(scope, Level.COMPREHENSIVE, NOW)


def around_a_task(project: Project) -> Scope:
    first, second, _ = make_plan(project, 3).descendants.all()
    make_dependency(second, first)
    return of_task(second)


def plans_of_a_session(project: Project) -> Scope:
    plans = frozenset(make_plan(project, 3).pk for _ in range(2))
    return Scope(project, ScopeWord.CURRENT_SESSION, plans=plans, subject=make_session(project).public_id)


@pytest.mark.parametrize("scope_of", [around_a_task, plans_of_a_session])
@pytest.mark.parametrize("read", [archives, scans, checks])
def test_a_narrow_scope_reads_as_much_on_a_large_board(
    read: Read, scope_of: Callable[[Project], Scope], project: Project
) -> None:
    scope = scope_of(project)
    few = steps(lambda: read(scope))
    fill(project)
    assert steps(lambda: read(scope)) <= 1.1 * few


def test_who_waits_for_something_stopped_is_found_without_a_look_at_all_who_wait(project: Project) -> None:
    need, waiting, _ = make_plan(project, 3, statuses=[Status.FAILED, Status.PENDING]).descendants.all()
    make_dependency(waiting, need)
    look = Look(of_project(project), NOW, Thresholds(project))
    few = steps(lambda: list(stale.waits_for_stopped(look)))
    fill(project)
    assert [found.task_pk for found in stale.waits_for_stopped(look)] == [waiting.pk]
    assert steps(lambda: list(stale.waits_for_stopped(look))) <= 1.1 * few


def test_the_longest_chain_of_a_plan_is_found_without_a_look_at_other_plans(project: Project) -> None:
    """A handover names that of each plan."""
    plan = make_plan(project, 3)
    tasks = list(plan.descendants.all())
    make_dependency(tasks[1], tasks[0])
    few = steps(lambda: critical_among(plan, tasks))
    fill(project)
    assert critical_among(plan, tasks) == tasks[:2]
    assert steps(lambda: critical_among(plan, tasks)) <= 1.1 * few
