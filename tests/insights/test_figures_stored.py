"""Figures that are counted and stored: by day, by zone, twice, by two processes, and what is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone

from maintenance.services.run import run
from tasks.choices import Status
from tasks.insights import models
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors import figures as selector
from tasks.insights.selectors.figures import Figures, figures_of, history, window_of
from tasks.insights.services import figures as service
from tasks.insights.services.figures import count_figures
from tasks.models import Event, Project
from tests.factories import make_event, make_project, make_task
from tests.insights.histories import History, leaf
from tests.site.processes import shared_database

PROCESSES = 2


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(timezone, "now", lambda: now)


def rows(project: Project) -> list[tuple[Any, ...]]:
    found = models.Figure.objects.filter(project=project).order_by("day", "name", "dimension", "key")
    return list(found.values_list("day", "name", "dimension", "key", "n", "value", "high", "until"))


def facts(figures: Figures) -> dict[Any, Any]:
    return {(each.name, each.dimension, each.key): each for each in figures}


@pytest.fixture
def history_(db: None, monkeypatch: pytest.MonkeyPatch) -> History:
    made = History(monkeypatch)
    made.live(5, 250)
    return made


def test_what_a_large_board_reads_is_what_a_small_one_counts(
    history_: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = figures_of(history_.project)
    count_figures(project=history_.project)
    monkeypatch.setattr(selector, "FEW", 3)
    stored = figures_of(history_.project)
    assert (live.is_stored, stored.is_stored) == (False, True)
    assert facts(stored) == facts(live) != {}
    assert (stored.day, stored.days, stored.until, stored.flow) == (live.day, live.days, live.until, live.flow)


def test_a_board_with_many_events_of_which_few_are_in_the_window_is_counted_at_once(
    history_: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history_.pass_time(days=40)
    whole = selector.count(history_.project, window_of(history_.project))
    monkeypatch.setattr(selector, "FEW", 20)
    assert facts(figures_of(history_.project)) == facts(whole)
    assert not figures_of(history_.project).is_stored


def make_events(number: int, *, days_ago: int) -> Project:
    """Plan so many tasks at a time."""
    at = timezone.now() - timedelta(days=days_ago)
    project = make_project()
    for _ in range(number):
        make_event(make_task(project), "plan", after={"status": "pending"}, created_at=at)
    return project


@pytest.mark.django_db
def test_what_happened_before_the_clock_was_set_back_is_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_events(1, days_ago=0)
    for _ in range(4):
        make_event(make_task(project), "plan", after={"status": "pending"}, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(selector, "FEW", 2)
    found = figures_of(project).get("planned")
    assert found and found.n == 1


@pytest.mark.django_db
def test_a_board_on_which_many_tasks_wait_for_review_reads_what_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    monkeypatch.setattr(selector, "FEW", 2)
    for is_stored in (False, False, True):
        make_task(project, status=Status.IN_REVIEW)
        assert figures_of(project).is_stored == is_stored


@pytest.mark.django_db
def test_a_board_with_very_many_events_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_events(3, days_ago=400)
    assert not figures_of(project).is_stored
    monkeypatch.setattr(selector, "SEARCHED", 2)
    assert figures_of(project).is_stored


def test_counted_twice_the_rows_are_the_same(history_: History) -> None:
    assert count_figures(project=history_.project) > 20
    first = rows(history_.project)
    assert count_figures(project=history_.project) == len(first)
    assert rows(history_.project) == first


def test_a_later_count_of_the_day_replaces_it_and_an_earlier_one_does_not(
    history_: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = selector.count(history_.project, window_of(history_.project))
    history_.plan(leaf("one more"))
    count_figures(project=history_.project)
    stored = rows(history_.project)
    monkeypatch.setattr(service, "count", lambda *_: early)
    assert count_figures(project=history_.project) == 0
    assert rows(history_.project) == stored


def test_of_earlier_days_the_figures_of_the_project_are_kept_for_a_while(history_: History) -> None:
    count_figures(project=history_.project)
    first = window_of(history_.project).day
    history_.pass_time(days=2)
    count_figures(project=history_.project)
    earlier = models.Figure.objects.filter(day=first)
    assert set(earlier.values_list("dimension", "key")) == {("project", "")}
    kept = history(history_.project, Name.PLANNED, days=3)
    assert [day for day, *_ in kept] == [first, first + timedelta(days=2)]  # the day between was missed
    history_.pass_time(days=service.KEPT.days)
    count_figures(project=history_.project)
    assert set(models.Figure.objects.values_list("day", flat=True)) == {
        first + timedelta(days=2), window_of(history_.project).day
    }  # fmt: skip


def test_a_day_that_is_not_there_yet_goes_when_the_clock_was_set_back(history_: History) -> None:
    history_.pass_time(days=9)
    count_figures(project=history_.project)
    history_.pass_time(days=-9)
    count_figures(project=history_.project)
    assert set(models.Figure.objects.values_list("day", flat=True)) == {window_of(history_.project).day}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "day", "planned"), [("UTC", 10, 1), ("Pacific/Auckland", 11, 0), ("Etc/GMT+12", 9, 2)]
)  # fmt: skip
def test_a_day_is_one_of_the_projects_zone(zone: str, day: int, planned: int, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, datetime(2026, 3, 10, 11, 30, tzinfo=UTC))
    project = make_project(settings={"time_zone": zone, "metrics": {"window_days": 1}})
    for at in (datetime(2026, 3, 9, 23, 0, tzinfo=UTC), datetime(2026, 3, 10, 2, 0, tzinfo=UTC)):
        make_event(make_task(project), "plan", created_at=at, after={"status": "pending"})
    count_figures(project=project)
    found = figures_of(project).get("planned")
    assert (figures_of(project).day, found and found.n) == (date(2026, 3, day), planned)
    assert {stored for stored, *_ in rows(project)} == {date(2026, 3, day)}


@pytest.mark.django_db
def test_an_empty_project_has_counted_nothing_and_guesses_nothing() -> None:
    project = make_project()
    assert count_figures(project=project) == 2
    assert [(name, n, value) for _, name, _, _, n, value, *_ in rows(project)] == [("done", 0, 0), ("planned", 0, 0)]
    figures = figures_of(project)
    assert figures.get("lead") is None and figures.of("success", Dimension.CLIENT) == []
    assert figures.flow == []


@pytest.mark.django_db
def test_a_large_board_that_was_never_counted_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(make_project())
    make_event(task)
    monkeypatch.setattr(selector, "FEW", 0)
    figures = figures_of(task.project)
    assert (list(figures), figures.is_stored, figures.until) == ([], True, 0)


@pytest.mark.django_db
def test_the_job_counts_what_has_moved_since_and_is_not_switched_off() -> None:
    moved, off = make_project("moved"), make_project("off", settings={"metrics": {"daily": "off"}})
    for project in (moved, off):
        make_event(make_task(project), "plan", after={"status": "pending"})
    run(name="count_figures")
    assert rows(moved) and not rows(off)
    models.Figure.objects.update(value=77)
    run(name="count_figures")
    assert {value for *_, value, _, _ in rows(moved)} == {77}
    make_event(make_task(moved), "plan", after={"status": "pending"})
    run(name="count_figures")
    assert ("planned", 2) in [(name, n) for _, name, _, key, n, *_ in rows(moved) if not key]


@pytest.mark.django_db
def test_an_event_before_which_another_may_still_appear_is_left_to_the_next_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_events(2, days_ago=0)
    first, second = Event.objects.values_list("pk", flat=True)
    for settled in (first, second):
        for module in (selector, service):
            monkeypatch.setattr(module, "last_id", lambda settled=settled: settled)
        run(name="count_figures")
        assert {until for *_, until in rows(project)} == {settled}


@pytest.mark.django_db
def test_the_job_counts_again_where_the_window_was_changed() -> None:
    project = make_events(1, days_ago=5)
    run(name="count_figures")
    Project.objects.filter(pk=project.pk).update(settings={"metrics": {"window_days": 3}})
    run(name="count_figures")
    assert set(models.Figure.objects.values_list("days", "n")) == {(3, 0)}


@pytest.mark.django_db(transaction=True)
def test_two_processes_leave_one_set_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = History(monkeypatch)
    made.live(3, 60)
    command = [sys.executable, "-m", "tests.insights.counter", made.project.slug, "8"]
    home = {**shared_database(), "ORCHESTRATOR_HOME": str(site.ORCHESTRATOR_HOME)}
    started = [
        subprocess.Popen(
            command, cwd=site.BASE_DIR, env={**os.environ, **home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    answers = [process.communicate("go\n", timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES
    assert {len(answer.split()) for answer in answers} == {8}
    found = rows(made.project)
    assert len({until for *_, until in found}) == 1
    assert {int(number) for answer in answers for number in answer.split()} == {len(found)}
