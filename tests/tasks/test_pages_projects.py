"""Home, `/`: the projects, what moves and what waits across them, and how to begin."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orchestrator_site.connect.clients import names
from orchestrator_site.up.connect import connect_line
from tasks.choices import Status, Verb
from tasks.models import Event, Task
from tests.factories import (
    html_of,
    make_artifact,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    make_user,
    signed_in,
)

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/")


def test_a_deactivated_user_has_no_access(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.get("/").status_code == 302


def test_an_empty_board_says_how_to_connect_an_assistant_and_what_to_ask_it(client: Client) -> None:
    page = html_of(signed_in(client).get("/"))
    assert 'class="welcome"' in page
    assert "claude mcp add" in page and "--scope user task-orchestrator --" in page
    assert sys.executable in page and "manage.py mcp_serve" in page
    assert 'id="say-first"' in page and 'id="say-then"' in page


def test_a_project_shows_its_progress_and_its_tasks_by_state(client: Client) -> None:
    project = make_project("ledger", name="The ledger")
    make_plan(project, 4, statuses=[Status.COMPLETED, Status.PENDING, Status.BLOCKED, Status.CANCELLED])
    page = html_of(signed_in(client).get("/"))
    assert "The ledger" in page and "1 of 3" in page and "33%" in page
    bar = page.partition('class="bar"')[2].partition("</svg>")[0]
    assert re.findall(r'<rect class="(\w+)"', bar) == ["completed", "blocked", "pending"]


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


def test_every_project_is_listed_at_the_address_of_projects(client: Client) -> None:
    assert 'class="empty"' in html_of(signed_in(client).get("/projects/"))
    for number in range(51):
        make_project(name=f"Project no. {number:03}")
    first, second = (html_of(client.get(f"/projects/?page={page}")) for page in (1, 2))
    assert "Project no. 049" in first and "Project no. 050" not in first and "Project no. 050" in second
    assert 'href="/projects/"' in html_of(client.get("/")).partition('id="projects"')[2]


@pytest.mark.parametrize("page", ["", "0", "-3", "two", "٣", "9" * 40, "1.5"])
def test_a_page_number_that_makes_no_sense_breaks_nothing(client: Client, page: str) -> None:
    make_project()
    assert signed_in(client).get("/", {"page": page}).status_code == 200


def test_a_post_is_refused(client: Client) -> None:
    assert signed_in(client).post("/").status_code == 405


def test_every_assistant_that_can_be_connected_has_a_line_to_copy(client: Client) -> None:
    page = html_of(signed_in(client).get("/"))
    for name in names():
        assert f'data-copy="#connect-{name}"' in page
        assert unescape(page.split(f'id="connect-{name}">')[1].split("<")[0]) == connect_line(name)


def test_the_lines_stay_in_reach_where_there_are_projects(client: Client) -> None:
    make_project()
    page = html_of(signed_in(client).get("/"))
    assert 'id="connect-gemini"' in page.partition('<details class="box" id="connect">')[2]


def test_what_moves_names_its_holder_the_assistant_first_and_when_it_was_claimed(client: Client) -> None:
    project = make_project()
    held = {"lease_holder": "codex", "lease_session": make_session(project, principal="ada")}
    task = make_task(project, status=Status.ACTIVE, title="Build it", **held)
    claimed = make_event(task, Verb.CLAIM)
    Event.objects.filter(pk=claimed.pk).update(created_at=timezone.now() - timedelta(hours=3, minutes=5))
    section = _section(html_of(signed_in(client).get("/")), "moving")
    assert "Build it" in section and 'title="codex, for ada"' in section
    assert "3 hours ago" in section and 'class="overdue"' not in section


def test_an_expired_lease_is_marked(client: Client) -> None:
    make_task(make_project(), status=Status.ACTIVE, lease_expires_at=timezone.now() - timedelta(minutes=5))
    assert 'class="overdue"' in _section(html_of(signed_in(client).get("/")), "moving")


def test_groups_and_archived_tasks_do_not_move(client: Client) -> None:
    project = make_project()
    make_plan(project, 1, title="The group")
    Task.objects.filter(title="The group").update(status=Status.ACTIVE)
    make_task(project, status=Status.ACTIVE, title="Put away", archived_at=timezone.now())
    assert 'class="empty"' in _section(html_of(signed_in(client).get("/")), "moving")


def test_attention_items_link_to_the_review_or_show_the_reason(client: Client) -> None:
    review = make_task(make_project(), status=Status.IN_REVIEW, title="Look at me")
    blocked = make_task(make_project(), status=Status.BLOCKED, reason="No password")
    make_task(make_project(), status=Status.FAILED, reason="It never built")
    make_task(make_project(), status=Status.COMPLETED, title="All done")
    section = _section(html_of(signed_in(client).get("/")), "waiting")
    assert f'href="/tasks/{review.public_id}/review/"' in section
    assert f'href="/tasks/{blocked.public_id}/"' in section
    assert "No password" in section and "It never built" in section and "All done" not in section


def test_the_inbox_has_reviews_then_blocked_then_failed_the_oldest_first_as_the_reviews_do(client: Client) -> None:
    now = timezone.now()
    for hours, status in ((1, Status.FAILED), (9, Status.FAILED), (2, Status.BLOCKED), (3, Status.IN_REVIEW)):
        make_task(make_project(), status=status, title=f"{status} {hours}", updated_at=now - timedelta(hours=hours))
    make_task(make_project(), status=Status.IN_REVIEW, title="in_review 5", updated_at=now - timedelta(hours=5))
    inbox = _inbox(signed_in(client))
    assert inbox == ["in_review 5", "in_review 3", "blocked 2", "failed 9", "failed 1"]
    reviews = re.findall(r"<bdi>(in_review \d)</bdi>", html_of(client.get("/reviews/")))
    assert reviews == inbox[:2]


def test_of_many_that_wait_the_oldest_are_shown_and_all_are_counted(client: Client) -> None:
    now, project = timezone.now(), make_project()
    for number in range(7):
        make_task(project, status=Status.BLOCKED, title=f"No. {number}", updated_at=now - timedelta(hours=number))
    for number in range(3):
        make_task(make_project(), status=Status.BLOCKED, title=f"Old {number}", updated_at=now - timedelta(days=9))
    assert _inbox(signed_in(client)) == ["Old 2", "Old 1", "Old 0", "No. 6", "No. 5"]
    assert _counts(client) == ["10"]


def test_the_oldest_come_from_projects_where_little_happened_too(client: Client) -> None:
    now, busy = timezone.now(), make_project()
    for number in range(8):
        make_task(busy, status=Status.FAILED, title=f"Busy {number}", updated_at=now - timedelta(hours=number))
    make_task(make_project(), status=Status.FAILED, title="Quiet", updated_at=now - timedelta(days=1))
    assert _inbox(signed_in(client)) == ["Quiet", "Busy 7", "Busy 6", "Busy 5", "Busy 4"]


def test_a_segment_shows_one_state_and_more_of_it(client: Client) -> None:
    make_plan(make_project(), 8, statuses=[Status.BLOCKED, Status.FAILED])
    for _ in range(7):
        make_task(make_project(), status=Status.BLOCKED)
    signed_in(client)
    page = html_of(client.get("/?show=blocked"))
    assert len(_rows(page)) == 11 and 'href="?show=failed"' in page
    assert len(_rows(html_of(client.get("/?show=nonsense")))) == len(_rows(html_of(client.get("/")))) == 9


def test_a_reader_is_offered_reviews_but_no_verbs(client: Client) -> None:
    for status in (Status.IN_REVIEW, Status.BLOCKED, Status.FAILED):
        make_task(make_project(), status=status)
    assert re.findall(r"/act/(\w+)/", html_of(signed_in(client, name="reader").get("/"))) == []
    page = html_of(signed_in(client, is_staff=True).get("/"))
    assert re.findall(r"/act/(\w+)/", page) == ["unblock", "retry"]


def _rows(page: str) -> list[str]:
    return page.split('<li class="inbox-row ')[1:]


def _inbox(client: Client) -> list[str]:
    return [row.partition("<bdi>")[2].partition("</bdi>")[0] for row in _rows(html_of(client.get("/")))]


def _counts(client: Client) -> list[str]:
    segment = html_of(client.get("/")).partition('<nav class="segment"')[2].partition("</nav>")[0]
    return re.findall(r'<span class="quiet">(.*?)</span>', segment)


def test_more_than_a_person_would_count_are_not_counted(client: Client) -> None:
    make_plan(make_project(), 120, statuses=[Status.FAILED], title="Plan")
    assert _counts(signed_in(client)) == ["99+"]


def test_nothing_that_waits_is_good_news(client: Client) -> None:
    make_project()
    assert 'class="empty"' in _section(html_of(signed_in(client).get("/")), "waiting")


def test_the_last_deliveries_of_all_projects_are_listed_newest_first(client: Client) -> None:
    for name in ("first", "second"):
        make_artifact(make_task(make_project(), title=f"Task {name}"), "One", "Two", paths=[f"{name}.py"])
    section = _section(html_of(signed_in(client).get("/")), "delivered")
    assert section.index("second.py") < section.index("first.py")
    assert "version 2" in section and "3\xa0bytes" in section


def _section(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>")[0]


@pytest.mark.parametrize("projects", [3, 30])
def test_it_takes_as_many_queries_for_three_projects_as_for_thirty(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, projects: int
) -> None:
    for _ in range(projects):
        plan = make_plan(make_project(), 8, statuses=list(Status))
        make_event(plan)
        make_artifact(plan.children.all()[0], paths=["a.md"])
    signed_in(client)
    # session, user, projects 2, findings, reach, 4 lists, 4 counts, works 2, sample, reviews
    with django_assert_num_queries(19):
        client.get("/")
