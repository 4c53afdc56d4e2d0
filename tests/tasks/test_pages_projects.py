"""The page of all projects, `/`."""

from __future__ import annotations

import sys

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Status
from tests.factories import html_of, make_event, make_plan, make_project, make_task, make_user, signed_in

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/")


def test_somebody_whose_account_was_closed_is_a_stranger(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.get("/").status_code == 302


def test_an_empty_board_says_how_to_connect_an_assistant_and_what_to_ask_it(client: Client) -> None:
    page = html_of(signed_in(client).get("/"))
    assert "No projects yet" in page
    assert "claude mcp add" in page and "--scope user task-orchestrator --" in page
    assert sys.executable in page and "manage.py mcp_serve" in page
    assert "plan this as subtasks" in page


def test_a_project_shows_its_progress_and_its_tasks_by_state(client: Client) -> None:
    project = make_project("ledger", name="The ledger")
    make_plan(project, 4, statuses=[Status.COMPLETED, Status.PENDING, Status.BLOCKED, Status.CANCELLED])
    page = html_of(signed_in(client).get("/"))
    assert "The ledger" in page and "1 of 3" in page and "33 %" in page
    assert 'aria-label="1 of 3 completed"' in page
    assert "1 pending, 1 blocked, 1 completed, 1 cancelled" in page


def test_the_project_where_something_happened_last_comes_first(client: Client) -> None:
    for name in ("aaa", "bbb"):
        make_event(make_task(make_project(name, name=f"Project {name}")))
    page = html_of(signed_in(client).get("/"))
    assert page.index("Project bbb") < page.index("Project aaa")
    assert "just now</time>" in page


def test_more_projects_than_one_page_holds_are_paged(client: Client) -> None:
    for number in range(51):
        make_project(name=f"Project no. {number:03}")
    signed_in(client)
    assert "Project no. 049" in html_of(client.get("/"))
    second = html_of(client.get("/?page=2"))
    assert "Project no. 050" in second and "Project no. 049" not in second


@pytest.mark.parametrize("page", ["", "0", "-3", "two", "٣", "9" * 40, "1.5"])
def test_a_page_number_that_makes_no_sense_breaks_nothing(client: Client, page: str) -> None:
    make_project()
    assert signed_in(client).get("/", {"page": page}).status_code == 200


def test_a_post_is_refused(client: Client) -> None:
    assert signed_in(client).post("/").status_code == 405


@pytest.mark.parametrize("projects", [2, 20])
def test_it_takes_as_many_queries_for_two_projects_as_for_twenty(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, projects: int
) -> None:
    for _ in range(projects):
        make_event(make_plan(make_project(), 3))
    signed_in(client)
    with django_assert_num_queries(16):  # session, user, projects 2, reach, 4 lists, 4 counts, works, sample, reviews
        client.get("/")
