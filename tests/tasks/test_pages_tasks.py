"""The table of a project's tasks, `/projects/<slug>/tasks/`."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Priority, Status
from tasks.models import Task
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
    assert '<span class="tag loud">' in page and "<bdi>Claude Code</bdi>" in page


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
    with django_assert_num_queries(7):  # session, user, project, specialists, total, rows, how much is to review
        client.get("/projects/ledger/tasks/")
