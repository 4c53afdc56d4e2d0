"""What the checks of the structure find, at which level, and what they leave alone. tests/maintenance/faults.py has the
faults, and those that constraints make impossible.
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from maintenance.choices import Cause, Level
from maintenance.found import Found
from maintenance.selectors import scope, snapshot
from maintenance.selectors.structure import NAMED, check
from tasks.choices import Status
from tasks.models import Project, Task
from tests.conftest import IS_SQLITE
from tests.factories import make_artifact, make_dependency, make_event, make_plan, make_project, make_session, make_task
from tests.maintenance import faults
from tests.maintenance.faults import ALL, BASIC, COMPREHENSIVE

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def found(project: Project, level: Level = Level.FULL_AUDIT) -> list[Found]:
    return check(scope.of_project(project), level, timezone.now())


def causes(findings: list[Found]) -> list[tuple[str, str]]:
    return [(each.cause, each.subject) for each in findings]


@pytest.mark.parametrize("name", ALL)
def test_each_fault_is_found_once_and_nothing_else(name: str, project: Project) -> None:
    cause, make = ALL[name]
    subject = make(project)
    assert causes(found(project)) == [(cause, subject)]


@pytest.mark.parametrize("name", BASIC)
def test_basic_finds_what_indexes_answer(name: str, project: Project) -> None:
    cause, make = BASIC[name]
    subject = make(project)
    assert causes(found(project, Level.BASIC)) == [(cause, subject)]


@pytest.mark.parametrize("name", sorted(ALL.keys() - BASIC.keys()))
def test_basic_leaves_the_rest_to_the_other_levels(name: str, project: Project) -> None:
    ALL[name][1](project)
    assert found(project, Level.BASIC) == []


@pytest.mark.parametrize("name", COMPREHENSIVE)
def test_comprehensive_finds_every_fault_of_rows(name: str, project: Project) -> None:
    cause, make = COMPREHENSIVE[name]
    subject = make(project)
    assert causes(found(project, Level.COMPREHENSIVE)) == [(cause, subject)]


def test_a_board_in_every_state_has_no_fault(project: Project) -> None:
    make_plan(project, 1, statuses=[Status.BLOCKED])
    first, second = faults.leaves(project)
    make_dependency(second, first)
    Task.objects.filter(pk=second.pk).update(is_ready=False)
    done = faults.active_plan(project, Status.COMPLETED, Status.IN_REVIEW)
    Task.objects.filter(parent=done).update(summary="Done.")
    held = faults.active_plan(project, Status.ACTIVE)
    Task.objects.filter(parent=held).update(lease_session=make_session(project))
    make_artifact(first, "one", "two")
    assert found(project) == []


def test_a_running_lease_without_a_session_is_no_fault(project: Project) -> None:
    """A person who claims a task has none."""
    faults.active_plan(project, Status.ACTIVE)
    assert found(project) == []


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"unnamed_content"}))
def test_another_project_has_none_of_these(name: str, project: Project) -> None:
    ALL[name][1](make_project())
    assert found(project) == []


def test_a_scope_of_one_task_has_only_the_faults_of_its_neighbours(project: Project) -> None:
    first, second = faults.leaves(project)
    elsewhere = faults.not_marked_ready(project)
    Task.objects.filter(pk=second.pk).update(is_ready=False, specialist="astrologer")
    seen = check(scope.of_task(first), Level.COMPREHENSIVE, timezone.now())
    assert seen == []
    make_dependency(first, second)
    Task.objects.filter(pk=first.pk).update(is_ready=False)
    seen = check(scope.of_task(Task.objects.get(pk=first.pk)), Level.COMPREHENSIVE, timezone.now())
    assert causes(seen) == [
        (Cause.READY_MARK, second.public_id),
        (Cause.UNKNOWN_SPECIALIST, second.public_id),
    ]
    assert elsewhere not in [each.subject for each in seen]


def test_a_scope_of_a_session_has_the_faults_of_its_plans(project: Project) -> None:
    session, mine = make_session(project), faults.leaves(project)
    Task.objects.filter(pk=mine[0].pk).update(
        status=Status.ACTIVE, is_ready=False, lease_session=session, lease_number=1, lease_holder="Claude Code",
        lease_expires_at=timezone.now() + faults.OLD,
    )  # fmt: skip
    Task.objects.filter(pk=mine[0].parent_id).update(status=Status.ACTIVE)
    Task.objects.filter(pk=mine[1].pk).update(is_ready=False)
    faults.not_marked_ready(project)
    seen = check(scope.of_session(session), Level.COMPREHENSIVE, timezone.now())
    assert causes(seen) == [(Cause.READY_MARK, mine[1].public_id)]


def test_what_is_read_around_a_task_shows_the_same_as_the_whole_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _, make in COMPREHENSIVE.values():
        make(project)
    circle = [faults.leaves(project)[0] for _ in range(4)]
    for task, need in zip(circle, [*circle[1:], circle[0]], strict=True):
        make_dependency(task, need)
    now, tasks = timezone.now(), list(Task.objects.filter(project=project))
    around = [check(scope.of_task(task), Level.COMPREHENSIVE, now) for task in tasks]
    assert {each.cause for found in around for each in found} >= {cause for cause, _ in COMPREHENSIVE.values()}
    monkeypatch.setattr(snapshot, "_STEPS", 0)  # the whole project is read
    assert [check(scope.of_task(task), Level.COMPREHENSIVE, now) for task in tasks] == around


def test_fifty_of_a_cause_are_named_and_all_are_counted(project: Project) -> None:
    faults.leaves(project, NAMED + 5)
    Task.objects.filter(project=project).update(is_ready=False)
    seen = found(project, Level.COMPREHENSIVE)
    assert len(seen) == NAMED
    assert {each.evidence["total"] for each in seen} == {NAMED + 5}


def test_what_has_a_repair_proposes_it_and_the_rest_advises(project: Project) -> None:
    for _, make in ALL.values():
        make(project)
    assert all(bool(each.proposal) != bool(each.advice) for each in found(project))


def test_the_same_data_give_the_same_findings_in_the_same_order(project: Project) -> None:
    for _, make in COMPREHENSIVE.values():
        make(project)
    now = timezone.now()
    first, second = (check(scope.of_project(project), Level.COMPREHENSIVE, now) for _ in range(2))
    assert first == second
    assert first == sorted(first, key=lambda each: each.order)


def test_a_longer_circle_through_a_group_is_one_finding(project: Project) -> None:
    plan, group, leaf = faults.nested(project)
    last = make_task(project, parent=plan)
    make_dependency(last, group)
    make_dependency(leaf, last)
    Task.objects.filter(pk=leaf.pk).update(is_ready=False)
    (circle,) = found(project)
    assert (circle.cause, circle.evidence["size"]) == (Cause.DEPENDENCY_CYCLE, 3)
    assert circle.evidence["tasks"] == [group.public_id, leaf.public_id, last.public_id]


@pytest.mark.parametrize("level", [Level.BASIC, Level.COMPREHENSIVE])
def test_the_number_of_statements_does_not_grow_with_the_board(level: Level, project: Project) -> None:
    with CaptureQueriesContext(connection) as few:
        found(project, level)
    for _ in range(3):
        for _, make in ALL.values():
            make(project)
    with CaptureQueriesContext(connection) as many:
        found(project, level)
    assert len(many) <= len(few) + 5  # names, and what is only asked where something waits for it


@pytest.mark.skipif(not IS_SQLITE, reason="PostgreSQL does not let a row name one that is missing")
def test_rows_that_name_missing_rows_are_damage(project: Project) -> None:
    event = make_event(make_task(project, is_ready=True), session_id=999_999)
    (damage,) = found(project)
    assert (damage.cause, damage.subject) == (Cause.DATABASE_DAMAGED, f"tasks_event {event.pk}")
    event.delete()
