"""When work is stale: which sign counts, which limit holds, and what a clock or a zone does to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from artifacts.models import Upload
from maintenance.choices import Cause
from maintenance.found import Found
from maintenance.selectors import stale, thresholds
from maintenance.selectors.scope import of_project
from maintenance.selectors.stale import Look
from maintenance.selectors.thresholds import Thresholds
from tasks.choices import Complexity, Status, Verb
from tasks.models import Event, Project, Session, Task
from tasks.project_settings.schema import STALE_HOURS
from tests.factories import make_dependency, make_event, make_plan, make_project, make_session, make_task

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 4, 10, tzinfo=ZoneInfo("UTC"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def project() -> Project:
    return make_project()


def found(project: Project, cause: Cause, now: datetime = NOW) -> list[Found]:
    look = Look(of_project(project), now, Thresholds(project))
    return list(stale.COMPREHENSIVE[cause](look))


def quiet(task: Task, since: datetime, **columns: Any) -> Task:
    """Let everything that a task itself remembers be from one time."""
    times = {"created_at": since, "updated_at": since, "active_at": since}
    Task.objects.filter(pk=task.pk).update(**times, **columns)
    task.refresh_from_db()
    return task


def blocked(project: Project, since: datetime, specialist: str = "tester") -> Task:
    plan = make_plan(project, 0)
    return quiet(make_task(project, parent=plan, status=Status.BLOCKED, specialist=specialist), since)


def held(project: Project, since: datetime, **lease: Any) -> tuple[Task, Session]:
    session = make_session(project)
    Session.objects.filter(pk=session.pk).update(last_seen_at=since)
    task = make_task(project, parent=make_plan(project, 0), status=Status.ACTIVE, specialist="tester")
    return quiet(task, since, lease_session=session, **{"lease_expires_at": NOW + HOUR, **lease}), session


def done(project: Project, number: int, took: timedelta, **fields: Any) -> None:
    """Let some tasks have been completed, each after the same time."""
    for _ in range(number):
        task = make_task(project, status=Status.COMPLETED, **fields)
        Task.objects.filter(pk=task.pk).update(
            started_at=NOW - DAY, completed_at=NOW - DAY + took, updated_at=NOW - DAY
        )


@pytest.mark.parametrize("specialist", sorted(STALE_HOURS))
def test_the_published_hours_are_the_limit_of_a_project_without_history(specialist: str, project: Project) -> None:
    limit = timedelta(hours=STALE_HOURS[specialist])
    blocked(project, NOW - limit + SECOND, specialist)
    assert found(project, Cause.BLOCKED_SILENT) == []
    late = blocked(project, NOW - limit, specialist)
    assert [each.subject for each in found(project, Cause.BLOCKED_SILENT)] == [late.public_id]


def test_hours_of_the_project_replace_the_published_ones() -> None:
    project = make_project(settings={"maintenance": {"stale_hours": {"tester": 2, "default": 3}}})
    limits = Thresholds(project)
    assert [limits.of(name, "").after for name in ("tester", "poet", "reviewer")] == [2 * HOUR, 3 * HOUR, 6 * HOUR]


def test_from_twenty_tasks_on_four_times_their_p90_is_sharper(project: Project) -> None:
    done(project, 19, HOUR / 2, specialist="tester")
    assert Thresholds(project).of("tester", Complexity.MODERATE).after == 16 * HOUR
    done(project, 1, HOUR / 2, specialist="tester")
    limit = Thresholds(project).of("tester", Complexity.MODERATE)
    assert (limit.after, limit.n, limit.p90) == (2 * HOUR, 20, HOUR / 2)


def test_a_wider_cell_holds_where_a_kind_has_too_few(project: Project) -> None:
    done(project, 20, HOUR / 2, specialist="tester", complexity=Complexity.SIMPLE)
    limits = Thresholds(project)
    assert limits.of("tester", Complexity.COMPLEX).after == limits.of("poet", "").after == 2 * HOUR


def test_a_limit_is_never_below_an_hour_nor_above_the_hours_of_the_specialist(project: Project) -> None:
    done(project, 20, timedelta(minutes=1), specialist="tester")
    done(project, 20, 10 * HOUR, specialist="reviewer")
    limits = Thresholds(project)
    assert limits.of("tester", Complexity.MODERATE).after == HOUR
    assert limits.of("reviewer", Complexity.MODERATE).after == 6 * HOUR


@pytest.mark.parametrize("sign", ["event", "part", "call"])
def test_a_sign_ends_the_silence(sign: str, project: Project) -> None:
    task, session = held(project, NOW - 2 * DAY)
    assert [each.subject for each in found(project, Cause.HELD_SILENT)] == [task.public_id]
    if sign == "event":
        Event.objects.filter(pk=make_event(task, Verb.COMMENT).pk).update(created_at=NOW - HOUR)
    elif sign == "part":
        facts = {"public_id": "upload_000000000001", "project": project, "task": task, "actor_name": "ada"}
        Upload.objects.create(**facts, last_append_at=NOW - HOUR)
    else:
        Session.objects.filter(pk=session.pk).update(last_seen_at=NOW - HOUR)
    assert found(project, Cause.HELD_SILENT) == []


def test_a_live_lease_is_never_proposed_for_release(project: Project) -> None:
    held(project, NOW - 9 * DAY)
    every = [each for cause in stale.COMPREHENSIVE for each in found(project, cause)]
    assert [(each.cause, each.proposal) for each in every] == [(Cause.HELD_SILENT, "")]


def test_a_lease_that_is_over_is_proposed_for_release_at_once(project: Project) -> None:
    task, _ = held(project, NOW - HOUR, lease_expires_at=NOW)
    over = found(project, Cause.LEASE_OVER)
    assert [(each.subject, each.proposal, each.since) for each in over] == [(task.public_id, "release", NOW)]


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.FAILED])
def test_what_waits_for_a_stopped_task_is_named_with_the_call_that_helps(status: Status, project: Project) -> None:
    plan = make_plan(project, 0)
    need, task = make_task(project, parent=plan, status=status), make_task(project, parent=plan)
    make_dependency(task, need)
    (each,) = found(project, Cause.WAITS_FOR_STOPPED)
    assert each.subject == task.public_id
    assert ("remove_dependencies" in each.advice) == (status == Status.CANCELLED)
    assert need.public_id in each.advice


def test_the_same_problem_three_times_is_for_a_person(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 0), status=Status.FAILED, lease_number=3)
    for reason in ("No printer.", "no  printer.", "Out of paper."):
        make_event(task, Verb.FAIL, after={"reason": reason})
    assert found(project, Cause.REPEATED_FAILURE) == []
    make_event(task, Verb.FAIL, after={"reason": "No printer."})
    (each,) = found(project, Cause.REPEATED_FAILURE)
    assert (each.subject, each.evidence["n"], each.proposal) == (task.public_id, 3, "")


def test_three_times_a_gate_unmet_in_one_attempt_is_for_a_person(project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, gates=[{"name": "test", "kind": "report", "rung": "reported"}])
    for verb in (Verb.CLAIM, Verb.MISS_GATE, Verb.CLAIM, Verb.MISS_GATE, Verb.MISS_GATE):
        make_event(task, verb, after={"gates": {"test": "nothing came"}})
    assert found(project, Cause.GATE_UNMET) == []
    make_event(task, Verb.MISS_GATE, after={"gates": {"test": "nothing came"}})
    (each,) = found(project, Cause.GATE_UNMET)
    assert (each.subject, each.evidence["n"], each.evidence["gates"]) == (task.public_id, 3, ["test"])


def test_a_task_was_never_claimed_from_when_it_could_be(project: Project) -> None:
    old, week = NOW - 20 * DAY, thresholds.NEVER_CLAIMED
    need = make_task(project, status=Status.COMPLETED)
    task = quiet(make_task(project, is_ready=True), old)
    make_dependency(task, need)
    Task.objects.filter(pk=need.pk).update(completed_at=NOW - week + SECOND)
    assert found(project, Cause.NEVER_CLAIMED) == []
    Task.objects.filter(pk=need.pk).update(completed_at=NOW - week)
    assert [each.since for each in found(project, Cause.NEVER_CLAIMED)] == [NOW - week]


def test_a_plan_is_abandoned_sooner_when_it_has_barely_begun(project: Project) -> None:
    begun = quiet(make_plan(project, 4, statuses=[Status.COMPLETED, Status.PENDING]), NOW - 8 * DAY)
    barely = quiet(make_plan(project, 4), NOW - 8 * DAY)
    assert [each.subject for each in found(project, Cause.ABANDONED_PLAN)] == [barely.public_id]
    quiet(begun, NOW - thresholds.PLAN_QUIET)
    assert {each.subject for each in found(project, Cause.ABANDONED_PLAN)} == {barely.public_id, begun.public_id}


def test_an_open_task_below_a_finished_parent_is_an_orphan(project: Project) -> None:
    plan = make_plan(project, 0, status=Status.CANCELLED)
    task = make_task(project, parent=plan)
    assert [(each.subject, each.evidence["parent"]) for each in found(project, Cause.ORPHANED)] == [
        (task.public_id, plan.public_id)
    ]


def test_titles_of_few_words_are_no_duplicates(project: Project) -> None:
    for title in ("Fix it", "Fix it", "Print all the parcel labels", "Print the parcel labels", "Draw a new logo now"):
        make_task(project, title=title, is_ready=True)
    (each,) = found(project, Cause.NEAR_DUPLICATE)
    assert each.evidence["overlap"] == 0.8


def test_a_clock_that_was_set_back_makes_nothing_stale(project: Project) -> None:
    blocked(project, NOW + DAY)
    held(project, NOW + DAY)
    Task.objects.update(active_at=NOW + DAY)
    assert [each for cause in stale.COMPREHENSIVE for each in found(project, cause)] == []


def test_a_clock_that_was_set_forward_breaks_no_live_lease(project: Project) -> None:
    held(project, NOW, lease_expires_at=NOW + 30 * DAY)
    every = [each for cause in stale.COMPREHENSIVE for each in found(project, cause, NOW + 10 * DAY)]
    assert {each.proposal for each in every} == {""}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns", "Europe/Berlin"])
def test_the_zone_of_a_reader_changes_no_limit(zone: str, project: Project) -> None:
    """At the end of summer time an hour comes twice; silence is counted in UTC."""
    twice = datetime(2031, 10, 26, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(ZoneInfo("UTC"))
    blocked(project, twice - 16 * HOUR + SECOND)
    with timezone.override(zone):
        assert found(project, Cause.BLOCKED_SILENT, twice) == []
        assert len(found(project, Cause.BLOCKED_SILENT, (twice + SECOND).astimezone(ZoneInfo(zone)))) == 1
