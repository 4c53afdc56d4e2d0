"""The table of a project's tasks, `/projects/<slug>/tasks/`."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Priority, Status
from tasks.models import Task
from tasks.selectors.board import Filters, tasks
from tests.factories import html_of, make_plan, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db


def _titles(client: Client, query: str = "") -> list[str]:
    return re.findall(r'<td class="main"><a class="name"[^>]*><bdi>(.*?)</bdi>', _page(client, query))


def _page(client: Client, query: str = "") -> str:
    return html_of(client.get(f"/projects/ledger/tasks/?{query}"))


@pytest.fixture
def board(client: Client) -> Task:
    """A plan called Alpha with a tester's task, and a plan of one called Beta."""
    project = make_project("ledger")
    plan = make_plan(project, 0, title="Alpha")
    make_task(project, parent=plan, title="Weigh it", specialist="tester", status=Status.COMPLETED)
    make_task(project, title="Beta", priority=Priority.URGENT, status=Status.ACTIVE)
    signed_in(client)
    return plan


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    make_project("ledger")
    assert client.get("/projects/ledger/tasks/").status_code == 302


def test_all_tasks_come_newest_first_with_plan_holder_and_priority(client: Client, board: Task) -> None:
    assert _titles(client) == ["Beta", "Weigh it", "Alpha"]
    page = _page(client)
    assert f'href="/tasks/{board.public_id}/"' in page
    assert "#urgent" in page and "<bdi>Claude Code</bdi>" in page


def test_a_task_that_cannot_be_claimed_yet_has_a_dashed_ring(client: Client, board: Task) -> None:
    for title, is_ready in (("Later", False), ("Now", True)):
        make_task(board.project, title=title, is_ready=is_ready)
    rows = {row.partition("<bdi>")[2].partition("<")[0]: row for row in _page(client).split("<tr id=")[1:]}
    assert "#waiting" in rows["Later"] and "#waiting" not in rows["Now"] and "#pending" in rows["Now"]


def test_another_project_has_other_tasks(client: Client, board: Task) -> None:
    make_task(make_project("other"), title="Elsewhere")
    assert "Elsewhere" not in _titles(client)


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("status=completed", ["Weigh it"]),
        ("specialist=tester", ["Weigh it"]),
        ("kind=leaf", ["Beta", "Weigh it"]),
        ("kind=plan", ["Beta", "Alpha"]),
        ("kind=nonsense", ["Beta", "Weigh it", "Alpha"]),
        ("q=WEIGH", ["Weigh it"]),
        ("q=weigh&status=active", []),
        ("plan=task_ffffffff", []),
        ("q=%00weigh", ["Weigh it"]),
    ],
)
def test_tasks_are_narrowed_by_what_the_address_says(
    client: Client, board: Task, query: str, titles: list[str]
) -> None:
    assert _titles(client, query) == titles


def test_the_tasks_of_one_plan_include_the_plan(client: Client, board: Task) -> None:
    assert _titles(client, f"plan={board.public_id}") == ["Weigh it", "Alpha"]


@pytest.mark.parametrize("text", ["Alpha", "alpha", "LPH"])
def test_the_title_of_a_plan_or_a_part_of_it_finds_it(client: Client, board: Task, text: str) -> None:
    assert _titles(client, f"plan={text}") == ["Weigh it", "Alpha"]
    page = _page(client, f"plan={text}")
    assert '<span class="chip" data-filter="plan"><span class="name">Plan is <b><bdi>Alpha</bdi>' in page
    assert 'name="plan" value="Alpha"' in page and '<option value="Beta">' in page


def test_a_plan_that_no_title_names_says_so_instead_of_an_empty_table(client: Client, board: Task) -> None:
    page = _page(client, "plan=Gamma&status=pending")
    note = page.partition('id="unknown-plan"')[2].partition("</p>")[0]
    assert 'href="?status=pending"' in note and 'class="empty"' not in page


def test_a_title_that_several_plans_have_offers_each_by_its_id(client: Client, board: Task) -> None:
    other = make_plan(board.project, 1, title="Alpha")
    page = _page(client, "plan=alpha&page=2")
    note = page.partition('id="unknown-plan"')[2].partition("</p>")[0]
    assert re.findall(r'href="([^"]*)"', note) == [f"?plan={each.public_id}" for each in (other, board)]
    assert other.public_id in note.replace(f"?plan={other.public_id}", "")


def test_a_plan_that_was_chosen_by_its_id_stays_chosen(client: Client, board: Task) -> None:
    make_plan(board.project, 1, title="Alpha")
    page = _page(client, f"plan={board.public_id}")
    assert f'name="plan" value="{board.public_id}"' in page.partition('id="filter"')[2]


def test_no_match_offers_to_clear_the_filters(client: Client, board: Task) -> None:
    page = _page(client, "q=nothing-like-it")
    assert '<p class="empty">' in page and 'href="/projects/ledger/tasks/"' in page.partition('class="empty"')[2]


def test_pages_keep_the_filters_and_say_how_many_there_are(client: Client) -> None:
    make_plan(make_project("ledger"), 60)
    signed_in(client)
    first = _page(client, "kind=leaf")
    assert 'data-first="1" data-last="50" data-total="60"' in first and "?kind=leaf&amp;page=2" in first
    second = _page(client, "kind=leaf&page=2")
    assert 'data-first="51" data-last="60" data-total="60"' in second and "?kind=leaf&amp;page=1" in second


def test_a_text_search_is_paged_without_counting_everything(client: Client) -> None:
    make_plan(make_project("ledger"), 60)
    assert 'data-first="1" data-last="50">' in _page(signed_in(client), "q=task&kind=leaf")


def test_a_filter_by_client_and_model_reads_attempts_once_and_not_for_each_task(board: Task) -> None:
    with CaptureQueriesContext(connection) as queries:
        tasks(board.project, filters=Filters(client="codex", model="gpt"), plan=None, page=1)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{queries[-1]['sql']}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "attempt" in queries[-1]["sql"] and "CORRELATED" not in plan and "(SubPlan" not in plan


def test_a_page_beyond_the_end_leads_back(client: Client, board: Task) -> None:
    page = _page(client, "page=40")
    assert _titles(client, "page=40") == [] and "?page=39" in page


def test_rows_have_menus_for_those_who_may_act_only(client: Client, board: Task) -> None:
    assert "/act/" not in _page(client)
    make_task(board.project, title="Dropped", status=Status.CANCELLED)
    page = _page(signed_in(client, name="bob", is_staff=True))
    found = Task.objects.filter(public_id__in=re.findall("/tasks/([^/]+)/act/", page))
    assert sorted(task.title for task in found) == ["Alpha", "Beta", "Dropped", "Weigh it"]


@pytest.mark.parametrize("size", [3, 50])
def test_it_takes_as_many_queries_for_fifty_tasks_as_for_three(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    make_plan(make_project("ledger"), size)
    signed_in(client)
    # session, user, project, specialists, plans, total, rows, what awaits a person
    with django_assert_num_queries(9):
        client.get("/projects/ledger/tasks/")


def test_what_is_due_and_what_is_overdue_can_be_shown_alone(client: Client, board: Task) -> None:
    now = timezone.now()
    for title, status, days in (("Late", "pending", -1), ("Done late", "completed", -1), ("Soon", "pending", 1)):
        make_task(board.project, title=title, status=status, due_at=now + timedelta(days=days))
    assert _titles(client, "only=overdue") == ["Late"]
    assert _titles(client, "only=due") == ["Soon", "Done late", "Late"]
    assert len(_titles(client, "only=unheard-of")) == 6


def test_applying_a_filter_keeps_those_that_the_form_has_no_field_for(client: Client, board: Task) -> None:
    page = _page(client, "client=codex&model=gpt&completed_since=2026-11-01&q=it&status=completed&only=due&page=2")
    form = page.partition('aria-label="Filter"')[2].partition("</form>")[0]
    assert re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form) == [
        ("client", "codex"),
        ("model", "gpt"),
        ("completed_since", "2026-11-01"),
        ("q", "it"),
    ]
    assert 'value="completed" selected' in form and 'value="due" selected' in form
