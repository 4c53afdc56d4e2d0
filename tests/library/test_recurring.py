"""Recurring plans: a template on a schedule, in the database and between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from maintenance.services.run import run
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Scope
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.library.catalogue import Library, catalogue
from tasks.library.models import PlanOrigin, Recurring
from tasks.library.selectors.recurring import NOT_PLANNED, next_times
from tasks.library.services import recurring as service
from tasks.library.services.recurring import delete_recurring, edit_recurring, plan_now, run_due
from tasks.library.services.templates import delete_template
from tasks.models import Event, Project, Task
from tests.factories import make_project
from tests.library.samples import ADA, CHORES, finish, make_recurring, save_chores
from tests.site.processes import shared_database

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def project(db: None) -> Project:
    project = make_project("shop")
    save_chores(project)
    return project


def due(row: Recurring) -> datetime:
    found = Recurring.objects.get(pk=row.pk).next_at
    assert found is not None
    return found


def plans() -> list[Task]:
    return list(Task.objects.plans().order_by("id"))


def test_it_is_off_unless_someone_switches_it_on(project: Project) -> None:
    row = make_recurring(project, is_on=False)
    assert (row.is_on, row.next_at) == (False, None)
    assert run_due(now=timezone.now() + 9 * DAY).planned == 0
    edit_recurring(recurring=row, actor=ADA, columns={"is_on": True})
    assert run_due(now=due(row)).planned == 1


def test_a_turn_plans_the_template_and_the_plan_says_so(project: Project) -> None:
    row = make_recurring(project, parameters={"place": "cellar"})
    ran = run_due(now=due(row))
    (plan,) = plans()
    origin = PlanOrigin.objects.get()
    row.refresh_from_db()
    assert (ran.planned, plan.title, origin.recurring, row.last_plan) == (1, "Chores of the cellar", row, plan)
    assert plan.public_id in row.outcome
    assert Event.objects.get(task=plan, verb=Verb.PLAN).actor_kind == "system"


def test_nothing_is_planned_before_its_time(project: Project) -> None:
    row = make_recurring(project)
    run_due(now=due(row) - timedelta(seconds=1))
    assert plans() == []


@pytest.mark.parametrize("error", [RuntimeError, DataError, OperationalError])
def test_one_that_breaks_keeps_no_other_from_its_turn(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    first, second = make_recurring(project), make_recurring(project, name="Second")
    turn, apply = due(first), service.apply_template

    def break_first(*, recurring: Recurring, **given: Any) -> Any:
        if recurring == first:
            raise error
        return apply(recurring=recurring, **given)

    monkeypatch.setattr(service, "apply_template", break_first)
    ran = run_due(now=due(second))
    assert (ran.planned, ran.failed, PlanOrigin.objects.get().recurring) == (1, 1, second)
    assert due(first) == turn
    monkeypatch.undo()
    assert run_due(now=turn).planned == 1


def test_one_whose_schedule_cannot_be_read_keeps_no_other_from_its_turn(project: Project) -> None:
    first, second = make_recurring(project), make_recurring(project, name="Second")
    Recurring.objects.filter(pk=first.pk).update(cron="never")
    assert run_due(now=due(second)).planned == 1


def test_a_turn_is_skipped_while_the_last_plan_is_open_and_says_so(project: Project) -> None:
    row = make_recurring(project)
    run_due(now=due(row))
    assert run_due(now=due(row)).skipped == 1
    row.refresh_from_db()
    assert len(plans()) == 1 and plans()[0].public_id in row.outcome
    finish(plans()[0])
    assert run_due(now=due(row)).planned == 1


@pytest.mark.parametrize("ending", [{"status": Status.CANCELLED}, {"archived_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_a_last_plan_that_was_cancelled_or_archived_is_not_waited_for(project: Project, ending: dict[str, Any]) -> None:
    row = make_recurring(project)
    run_due(now=due(row))
    Task.objects.plans().update(**ending)
    assert run_due(now=due(row)).planned == 1


def test_turns_that_were_missed_are_made_up_for_once(project: Project) -> None:
    row = make_recurring(project, cron="", every_minutes=60)
    first = due(row)
    assert run_due(now=first + 100 * HOUR).planned == 1
    assert due(row) == first + 101 * HOUR
    finish(plans()[0])
    assert run_due(now=first + 100 * HOUR).planned == 0


def test_running_it_twice_plans_once(project: Project) -> None:
    row = make_recurring(project)
    now = due(row)
    assert [run_due(now=now).planned, run_due(now=now).planned] == [1, 0]


@pytest.mark.parametrize("what", ["template", "parameter"])
def test_what_no_longer_fits_is_said_and_it_stays_on(project: Project, what: str) -> None:
    row = make_recurring(project, parameters={"place": "cellar"})
    if what == "template":
        delete_template(project=project, actor=ADA, name="chores")
    else:
        save_chores(project, CHORES.replace("place", "spot"))
    turn = due(row)
    assert run_due(now=turn).failed == 1
    row.refresh_from_db()
    assert (row.is_on, row.outcome.startswith(NOT_PLANNED), plans()) == (True, True, [])
    assert row.next_at == turn + DAY


def test_one_that_no_longer_fits_keeps_no_other_from_its_turn(project: Project) -> None:
    broken, row = make_recurring(project, name="Broken"), make_recurring(project)
    Recurring.objects.filter(pk=broken.pk).update(template="gone")
    ran = run_due(now=due(row))
    assert (ran.failed, ran.planned) == (1, 1)


def test_an_edit_that_fits_again_clears_the_problem(project: Project) -> None:
    row = make_recurring(project)
    Recurring.objects.filter(pk=row.pk).update(outcome=f"{NOT_PLANNED}no such parameter")
    assert edit_recurring(recurring=row, actor=ADA, columns={"parameters": {"days": 3}}).outcome == ""


def test_what_does_not_fit_can_be_switched_off_but_not_on(project: Project) -> None:
    row = make_recurring(project)
    delete_template(project=project, actor=ADA, name="chores")
    edit_recurring(recurring=row, actor=ADA, columns={"is_on": False})
    with pytest.raises(NotFound):
        edit_recurring(recurring=row, actor=ADA, columns={"is_on": True})
    assert not Recurring.objects.get().is_on


def test_the_times_are_those_of_the_projects_zone_and_follow_a_change_of_it(project: Project) -> None:
    row = make_recurring(project)
    in_utc = due(row)
    Project.objects.update(settings={"time_zone": "Asia/Tokyo"})
    row = Recurring.objects.select_related("project").get()
    now = in_utc - 20 * HOUR
    run_due(now=now)
    assert due(row) in (in_utc - 9 * HOUR, in_utc + 15 * HOUR)
    assert next_times(Recurring.objects.get(), now)[0] == due(row)
    assert plans() == []


def test_a_clock_set_back_by_weeks_delays_no_turn(project: Project) -> None:
    row = make_recurring(project)
    turn = due(row)
    Recurring.objects.update(next_at=turn + 30 * DAY)
    run_due(now=turn - HOUR)
    assert due(row) == turn
    assert run_due(now=turn).planned == 1


def test_the_next_times_of_one_that_is_off_are_as_if_it_were_on(project: Project) -> None:
    row = make_recurring(project, is_on=False)
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert next_times(row, now) == [datetime(2026, 5, day, 9, tzinfo=UTC) for day in (2, 3, 4)]


@pytest.mark.parametrize(
    "columns, at",
    [
        ({"cron": "* * * * *"}, "cron"),
        ({"every_minutes": 5}, "every_minutes"),
        ({"cron": ""}, "cron"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"parameters": {"colour": "red"}}, "parameters.colour"),
        ({"parameters": {"days": "many"}}, "parameters.days"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(project: Project, columns: dict[str, Any], at: str) -> None:
    row = make_recurring(project)
    before = Recurring.objects.values().get()
    with pytest.raises(Invalid) as caught:
        edit_recurring(recurring=row, actor=ADA, columns=columns)
    assert [each["at"] for each in caught.value.details["problems"]] == [at]
    assert Recurring.objects.values().get() == before


def test_a_cron_line_replaces_an_interval_and_moves_the_turn(project: Project) -> None:
    row = make_recurring(project, cron="", every_minutes=60)
    edit_recurring(recurring=row, actor=ADA, columns={"cron": "0 9 1 1 *"})
    row.refresh_from_db()
    assert (row.cron, row.every_minutes) == ("0 9 1 1 *", None)
    assert due(row).strftime("%m-%d %H:%M") == "01-01 09:00"


def test_templates_are_read_before_the_transaction_of_an_edit(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, library = make_recurring(project), catalogue(project)
    outside, depths = len(connection.savepoint_ids), []

    def read(_: Project) -> Library:
        depths.append(len(connection.savepoint_ids))
        return library

    monkeypatch.setattr(service, "catalogue", read)
    edit_recurring(recurring=row, actor=ADA, columns={"cron": "0 9 1 1 *"})
    assert depths == [outside]


def test_two_of_a_project_have_different_names(project: Project) -> None:
    make_recurring(project)
    with pytest.raises(Conflict):
        make_recurring(project)
    other = make_recurring(project, name="Other")
    with pytest.raises(Conflict):
        edit_recurring(recurring=other, actor=ADA, columns={"name": "Chores"})


def test_only_who_may_manage_the_project_changes_it_and_who_may_plan_plans_now(project: Project) -> None:
    row = make_recurring(project)
    writer = Actor(kind="assistant", name="ada", scopes=frozenset({Scope.READ, Scope.WRITE}))
    reader = Actor(kind="assistant", name="rita", scopes=frozenset({Scope.READ}))
    with pytest.raises(Forbidden):
        edit_recurring(recurring=row, actor=writer, columns={"is_on": False})
    with pytest.raises(Forbidden):
        delete_recurring(recurring=row, actor=writer)
    with pytest.raises(Forbidden):
        plan_now(recurring=row, actor=reader)
    assert plan_now(recurring=row, actor=writer).origin.recurring == row


def test_planned_now_it_keeps_its_turns_and_refuses_a_second_open_plan(project: Project) -> None:
    row = make_recurring(project, is_on=False)
    plan_now(recurring=row, actor=ADA)
    with pytest.raises(Conflict):
        plan_now(recurring=row, actor=ADA)
    row.refresh_from_db()
    assert (row.is_on, row.next_at, len(plans())) == (False, None, 1)


def test_deleted_it_leaves_its_plans(project: Project) -> None:
    row = make_recurring(project)
    run_due(now=due(row))
    delete_recurring(recurring=row, actor=ADA)
    assert len(plans()) == 1 and PlanOrigin.objects.get().recurring is None
    with pytest.raises(NotFound):
        edit_recurring(recurring=row, actor=ADA, columns={"is_on": False})


def test_every_change_is_an_event_that_says_what(project: Project) -> None:
    row = make_recurring(project)
    edit_recurring(recurring=row, actor=ADA, columns={"is_on": False})
    edit_recurring(recurring=row, actor=ADA, columns={"is_on": False})
    delete_recurring(recurring=row, actor=ADA)
    said = [event.after["recurring"] for event in Event.objects.filter(verb=Verb.EDIT_PROJECT).order_by("id")]
    assert [(each["name"], each.get("is_on"), each.get("deleted")) for each in said] == [
        ("Chores", True, None), ("Chores", False, None), ("Chores", None, True),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [{"every_minutes": 60}, {"next_at": None}])
def test_the_database_keeps_no_row_with_two_schedules_or_without_a_turn(
    project: Project, wrong: dict[str, Any]
) -> None:
    row = make_recurring(project)
    with pytest.raises(IntegrityError), transaction.atomic():
        Recurring.objects.filter(pk=row.pk).update(**wrong)


def test_the_job_plans_what_is_due(project: Project) -> None:
    row = make_recurring(project)
    Recurring.objects.update(next_at=timezone.now() - timedelta(seconds=1), cron="", every_minutes=60)
    assert "Planned 1" in run(name="plan_recurring")
    assert service.waits_for_its_last(Recurring.objects.select_related("last_plan").get(pk=row.pk))


def start(now: datetime, *more: str) -> subprocess.Popen[str]:
    home = {**shared_database(), "ORCHESTRATOR_HOME": str(site.ORCHESTRATOR_HOME)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.library.planner", now.isoformat(), *more],
        cwd=site.BASE_DIR, env={**os.environ, **home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def answers(processes: list[subprocess.Popen[str]]) -> Iterator[str]:
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate()


@pytest.mark.django_db(transaction=True)
def test_of_processes_that_run_at_once_one_plans() -> None:
    project = make_project("shop")
    save_chores(project)
    row = make_recurring(project)
    assert sorted(answers([start(due(row)) for _ in range(3)])) == ["0", "0", "1"]
    assert len(plans()) == 1


@pytest.mark.django_db(transaction=True)
def test_killed_between_plan_and_row_nothing_happened_and_the_next_process_plans_once() -> None:
    project = make_project("shop")
    save_chores(project)
    row = make_recurring(project)
    turn = due(row)
    killed = start(turn, "die")
    assert list(answers([killed])) == [""]
    assert killed.returncode == -signal.SIGKILL
    assert plans() == [] and due(row) == turn
    assert list(answers([start(turn)])) == ["1"]
    assert len(plans()) == 1
