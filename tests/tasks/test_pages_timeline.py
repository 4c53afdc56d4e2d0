"""Who worked when, `/tasks/<public_id>/timeline/`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Status, Verb
from tasks.models import Event, Project, Session, Task
from tasks.selectors import timeline
from tasks.services import leases
from tests.factories import html_of, make_event, make_plan, make_project, make_session, make_task, signed_in

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def project(client: Client) -> Project:
    signed_in(client)
    return make_project("ledger", name="The ledger")


def _page(client: Client, task: Task, query: str = "") -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/timeline/?{query}"))


def _bars(page: str) -> list[tuple[str, str]]:
    """The outcome and the words of each bar, in the order of the page."""
    return re.findall(r'<a class="stretch (\w+)" href="[^"]+" aria-label="([^"]+)"', page)


def _happened(task: Task, verb: str, minute: int, session: Session | None = None, status: str = "") -> None:
    """Something that happened so many minutes after nine."""
    event = make_event(task, verb, session=session, actor_name="ada", after={"status": status} if status else {})
    Event.objects.filter(pk=event.pk).update(created_at=NINE + timedelta(minutes=minute))
    if verb == Verb.CLAIM and task.started_at is None:
        task.started_at = NINE + timedelta(minutes=minute)
        task.save(update_fields=["started_at"])


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    assert client.get(f"/tasks/{make_plan(make_project()).public_id}/timeline/").status_code == 302


def test_an_unknown_task_has_no_timeline(client: Client, project: Project) -> None:
    assert client.get("/tasks/task_00000000/timeline/").status_code == 404


def test_a_timeline_without_work_is_empty(client: Client, project: Project) -> None:
    page = _page(client, make_plan(project, 3))
    assert 'class="empty"' in page and _bars(page) == []


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        (Verb.COMPLETE, Status.COMPLETED),
        (Verb.COMPLETE, Status.IN_REVIEW),
        (Verb.HAND_BACK, Status.NEEDS_REVISION),
        (Verb.RELEASE, Status.PENDING),
        (Verb.BLOCK, Status.BLOCKED),
        (Verb.FAIL, Status.FAILED),
        (Verb.CANCEL, Status.CANCELLED),
    ],
)
def test_a_stretch_ends_with_what_became_of_the_task(client: Client, project: Project, verb: str, status: str) -> None:
    task = make_task(project, parent=make_plan(project, 0), title="Build", status=status)
    _happened(task, Verb.CLAIM, 0, make_session(project, client_name="Cursor"))
    _happened(task, verb, 75, status=status)
    ((outcome, label),) = _bars(_page(client, task))
    assert outcome == status and re.findall("\u2068(.*?)\u2069", label) == ["Build", "Cursor, for ada"]
    assert "1 h 15 min" in label
    assert re.findall(r"[\d-]+ [\d:]+ UTC", label) == ["2026-11-20 09:00:00 UTC", "2026-11-20 10:15:00 UTC"]


def test_running_work_ends_at_now(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, title="Build")
    _happened(task, Verb.CLAIM, 0)
    page = _page(client, task)
    ((outcome, words),) = _bars(page)
    assert outcome == "active" and words.endswith("UTC to now")
    assert '<line class="now" x1="100.00%"' in page and 'class="now-says' in page


def test_work_whose_lease_ran_out_ends_there(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_expires_at=NINE + timedelta(minutes=30))
    _happened(task, Verb.CLAIM, 0)
    ((outcome, words),) = _bars(_page(client, task))
    assert outcome == "pending" and "after 30 min" in words


def test_work_whose_lease_ran_out_ends_there_after_the_task_was_given_back_too(
    client: Client, project: Project
) -> None:
    session = make_session(project)
    task = make_task(
        project, status=Status.ACTIVE, lease_session=session, lease_expires_at=NINE + timedelta(minutes=30)
    )
    _happened(task, Verb.CLAIM, 0, session)
    assert leases.free_run_out(project=project) == [task]
    ((outcome, words),) = _bars(_page(client, task))
    assert outcome == "pending" and "after 30 min" in words


def test_work_that_ended_before_it_began_took_no_time(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED)
    _happened(task, Verb.CLAIM, 5)
    _happened(task, Verb.COMPLETE, 0)
    ((outcome, words),) = _bars(_page(client, task))
    assert outcome == "completed" and "after 0 s" in words


def test_every_claim_begins_a_bar_of_its_own(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED)
    for verb, minute in ((Verb.CLAIM, 0), (Verb.RELEASE, 10), (Verb.CLAIM, 20), (Verb.COMPLETE, 50)):
        _happened(task, verb, minute)
    assert [outcome for outcome, _ in _bars(_page(client, task))] == ["pending", "completed"]


def test_events_that_end_no_work_change_nothing(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED)
    sequence = ((Verb.CLAIM, 0), (Verb.EDIT, 5), (Verb.DELIVER, 6), (Verb.COMPLETE, 9), (Verb.APPROVE, 90))
    for verb, minute in sequence:
        _happened(task, verb, minute)
    ((_, words),) = _bars(_page(client, task))
    assert "after 9 min" in words


def test_rows_stand_in_the_order_in_which_work_began(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    for title, minute in (("Third", 30), ("First", 0), ("Second", 10)):
        task = make_task(project, parent=plan, title=title, status=Status.COMPLETED)
        _happened(task, Verb.CLAIM, minute)
        _happened(task, Verb.COMPLETE, minute + 15)
    page = _page(client, plan)
    names = re.findall(r'<a class="name"[^>]*><bdi>(\w+)</bdi>', page.partition('class="lanes"')[2])
    assert names == ["First", "Second", "Third"] and 'data-rows="3"' in page


def test_by_worker_each_session_has_a_row_and_work_at_the_same_time_runs_side_by_side(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    one, two = (make_session(project, client_name=name) for name in ("Cursor", "Codex"))
    for session, minute in ((one, 0), (one, 5), (two, 40)):
        task = make_task(project, parent=plan, status=Status.COMPLETED)
        _happened(task, Verb.CLAIM, minute, session)
        _happened(task, Verb.COMPLETE, minute + 30)
    page = _page(client, plan, "by=worker")
    assert 'data-rows="2"' in page and len(_bars(page)) == 3
    assert re.findall(r'<svg class="lane" width="100%" height="(\d+)"', page) == ["44", "22"]
    assert page.index("Cursor, for ada") < page.index("Codex, for ada")


def test_workers_of_one_name_are_told_apart_by_their_session_and_when_they_began(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    sessions = [make_session(project, client_name="Codex") for _ in range(2)]
    for session, minute in zip(sessions, (0, 40), strict=True):
        task = make_task(project, parent=plan, status=Status.COMPLETED)
        _happened(task, Verb.CLAIM, minute, session)
        _happened(task, Verb.COMPLETE, minute + 30)
    page = _page(client, plan, "by=worker")
    assert all(f'title="Codex, for ada, {session.public_id}"' in page for session in sessions)
    assert re.findall(r"from (20 Nov, [\d:]+)<", page) == ["20 Nov, 09:00", "20 Nov, 09:40"]


def _waits(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<g class="wait (\w+)" role="img" aria-label="([^"]+)"', page)


def test_waits_are_drawn_after_the_work_until_what_ended_them(client: Client, project: Project) -> None:
    task = make_task(project, title="Build", status=Status.COMPLETED)
    sequence = (
        (Verb.CLAIM, 0, ""), (Verb.BLOCK, 10, ""), (Verb.UNBLOCK, 190, ""), (Verb.CLAIM, 200, ""),
        (Verb.COMPLETE, 210, "in_review"), (Verb.REQUEST_REVISION, 220, ""), (Verb.CLAIM, 250, ""),
        (Verb.FAIL, 260, ""), (Verb.RETRY, 265, ""), (Verb.CLAIM, 270, ""), (Verb.COMPLETE, 280, "in_review"),
        (Verb.APPROVE, 300, ""),
    )  # fmt: skip
    for verb, minute, status in sequence:
        _happened(task, verb, minute, status=status)
    waits = _waits(_page(client, task))
    assert [status for status, _ in waits] == ["blocked", "in_review", "needs_revision", "failed", "in_review"]
    lasted = [re.findall(r"for (\d.*?),", words)[0] for _, words in waits]
    assert lasted == ["3 h", "10 min", "30 min", "5 min", "20 min"]


def test_a_wait_that_goes_on_lasts_until_now_and_no_worker_has_it(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.BLOCKED)
    _happened(task, Verb.CLAIM, 0)
    _happened(task, Verb.BLOCK, 10)
    ((status, words),) = _waits(_page(client, task))
    assert status == "blocked" and words.endswith("to now")
    assert _waits(_page(client, task, "by=worker")) == []


def test_the_axis_is_in_the_time_of_the_reader(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED)
    _happened(task, Verb.CLAIM, 0)
    _happened(task, Verb.COMPLETE, 60)
    client.cookies["zone"] = "Asia/Kolkata"
    page = _page(client, task)
    assert ">14:30</text>" in page and "2026-11-20 14:30:00 IST" in page


def test_a_group_shows_what_is_below_it_alone(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    group = make_task(project, parent=plan, is_leaf=False)
    inner, other = (make_task(project, parent=parent, status=Status.COMPLETED) for parent in (group, plan))
    for task in (inner, other):
        _happened(task, Verb.CLAIM, 0)
        _happened(task, Verb.COMPLETE, 5)
    assert len(_bars(_page(client, group))) == 1 and len(_bars(_page(client, plan))) == 2


def test_many_tasks_go_by_pages(client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "TASKS_PER_PAGE", 2)
    plan = make_plan(project, 0)
    for number in range(3):
        task = make_task(project, parent=plan, position=number, status=Status.COMPLETED)
        _happened(task, Verb.CLAIM, number)
        _happened(task, Verb.COMPLETE, number + 5)
    assert len(_bars(_page(client, plan))) == 2 and len(_bars(_page(client, plan, "page=2"))) == 1
    beyond = _page(client, plan, "page=9")
    assert 'class="empty"' in beyond and _bars(beyond) == []


def test_more_events_than_fit_are_cut_with_a_note(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "EVENTS", 4)
    task = make_task(project)
    for minute in range(0, 60, 10):
        _happened(task, Verb.CLAIM, minute)
        _happened(task, Verb.RELEASE, minute + 5)
    page = _page(client, task)
    assert len(_bars(page)) == 2 and 'id="events-cut"' in page


def test_a_bar_ends_where_its_work_did_though_the_page_is_cut_right_before(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "EVENTS", 1)
    task = make_task(project)
    _happened(task, Verb.CLAIM, 0)
    _happened(task, Verb.RELEASE, 5)
    ((outcome, words),) = _bars(_page(client, task))
    assert outcome == "pending" and "after 5 min" in words


@pytest.mark.parametrize("query", ["by=x", "page=x", "page=0", "by=%00"])
def test_nonsense_in_the_address_is_ignored(client: Client, project: Project, query: str) -> None:
    assert 'class="empty"' in _page(client, make_plan(project, 1), query)


def test_hostile_names_show_as_text(client: Client, project: Project) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e'
    task = make_task(project, title=evil, public_id="evil_1", status=Status.COMPLETED)
    _happened(task, Verb.CLAIM, 0, make_session(project, client_name=evil))
    _happened(task, Verb.COMPLETE, 5)
    for query in ("", "by=worker"):
        page = _page(client, task, query)
        assert "<script>alert" not in page and "<img src=x" not in page and "&lt;script&gt;alert" in page


@pytest.mark.parametrize("by", ["task", "worker"])
@pytest.mark.parametrize("size", [3, 30])
def test_a_timeline_takes_as_many_queries_whatever_its_size(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries, size: int, by: str
) -> None:
    plan = make_plan(project, 0)
    for number in range(size):
        task = make_task(project, parent=plan, position=number, started_at=timezone.now())
        _happened(task, Verb.CLAIM, number, make_session(project))
        _happened(task, Verb.RELEASE, number + 2)
    # session, user, what waits for review, task; then the tasks that were begun, and their events
    with django_assert_num_queries(7):
        client.get(f"/tasks/{plan.public_id}/timeline/?by={by}")
