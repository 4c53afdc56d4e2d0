"""The workload of specialists: counts as they are, a forecast only of enough, and no division by nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks.choices import Status
from tasks.insights.choices import Dimension, Horizon, Name
from tasks.insights.selectors.workload import Load, workload_of
from tasks.models import Project
from tests.factories import make_plan, make_project, make_task
from tests.insights.figures import Row, figures

pytestmark = pytest.mark.django_db


def rates(done: int, planned: int, specialist: str = "tester") -> tuple[Row, Row]:
    return (
        (Name.DONE, Dimension.SPECIALIST, specialist, done, done),
        (Name.PLANNED, Dimension.SPECIALIST, specialist, planned, planned),
    )


@pytest.fixture
def project() -> Project:
    """Six tasks of the tester: one held, two ready, one that waits, one in review, one done."""
    project = make_project("shop")
    plan = make_plan(project, 0)
    for status in (Status.ACTIVE, Status.PENDING, Status.NEEDS_REVISION, Status.IN_REVIEW, Status.COMPLETED):
        is_ready = status in (Status.PENDING, Status.NEEDS_REVISION)
        make_task(project, parent=plan, status=status, specialist="tester", is_ready=is_ready)
    make_task(project, parent=plan, specialist="tester")
    return project


def of(project: Project, *rows: Row, horizon: Horizon = Horizon.DAILY) -> Load:
    (load,) = workload_of(project, figures(*rows), horizon=horizon).loads
    return load


def test_what_is_held_ready_and_waits_is_counted_apart(project: Project) -> None:
    load = of(project)
    assert (load.specialist, load.held, load.ready, load.waiting, load.in_review) == ("tester", 1, 2, 1, 1)


def test_nothing_is_forecast_before_enough_has_finished(project: Project) -> None:
    assert (of(project).share, of(project).days_through, of(project).n) == (None, None, 0)
    few = of(project, *rates(4, 40))
    assert (few.share, few.days_through, few.n, few.finishes) == (None, None, 4, 0.4)


def test_where_nothing_was_counted_no_rate_is_made_up(project: Project) -> None:
    (load,) = workload_of(project, figures(until=0)).loads
    assert (load.held, load.arrivals, load.finishes, load.share) == (1, None, None, None)


def test_the_time_through_a_queue_follows_littles_law(project: Project) -> None:
    load = of(project, *rates(20, 10))
    assert (load.finishes, load.arrivals) == (2.0, 1.0)
    assert load.days_through == pytest.approx(4 / 2)


@pytest.mark.parametrize(
    ("horizon", "share"),
    [(Horizon.DAILY, (3 + 1) / 2), (Horizon.WEEKLY, (3 + 7) / 14), (Horizon.CURRENT_SESSION, (3 + 1 / 3) / (2 / 3))],
)
def test_the_load_is_to_do_over_can_be_finished(project: Project, horizon: Horizon, share: float) -> None:
    assert of(project, *rates(20, 10), horizon=horizon).share == pytest.approx(share)


@pytest.mark.parametrize(
    ("began", "days"), [((2031, 5, 4), 1), ((2031, 5, 3), 2), ((2031, 3, 1), 10), ((2031, 5, 9), 1)]
)
def test_rates_of_a_young_project_are_of_the_days_that_it_has_had(
    project: Project, began: tuple[int, int, int], days: int
) -> None:
    project.created_at = datetime(*began, 23, 30, tzinfo=UTC)
    found = workload_of(project, figures(*rates(20, 10)))
    assert (found.days, found.loads[0].finishes, found.loads[0].arrivals) == (days, 20 / days, 10 / days)


def test_the_first_day_of_a_project_is_one_of_its_zone(project: Project) -> None:
    project.settings, project.created_at = {"time_zone": "Asia/Tokyo"}, datetime(2031, 5, 3, 23, 30, tzinfo=UTC)
    assert workload_of(project, figures(*rates(20, 10))).days == 1


def test_who_is_over_the_threshold_is_named(project: Project) -> None:
    found = figures(*rates(20, 10), *rates(20, 10, "idle"))
    assert [load.specialist for load in workload_of(project, found).over] == ["tester"]
    assert workload_of(project, found, threshold=2.5).over == []


def test_archived_tasks_groups_and_other_projects_do_not_count(project: Project) -> None:
    make_task(make_project("other"), parent=make_plan(make_project("third"), 0), specialist="tester", is_ready=True)
    gone = make_plan(project, 1, archived_at="2031-01-01T00:00Z")
    gone.children.update(archived_at=gone.archived_at, specialist="tester")
    assert of(project).ready == 2 and of(project).waiting == 1


def test_an_empty_project_has_no_load() -> None:
    assert workload_of(make_project(), figures()).loads == []


def test_a_specialist_that_has_nothing_left_is_shown_by_what_it_finished(project: Project) -> None:
    loads = workload_of(project, figures(*rates(20, 10, "architect")), specialist="architect").loads
    assert [(load.specialist, load.ready, load.share) for load in loads] == [("architect", 0, 0.5)]
