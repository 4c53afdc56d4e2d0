"""The page of one project, `/projects/<slug>/`."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Status, Verb
from tasks.models import Task
from tests.factories import (
    html_of,
    make_artifact,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    signed_in,
)

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    make_project("ledger")
    assert client.get("/projects/ledger/")["Location"] == "/sign-in/?next=/projects/ledger/"


def test_a_project_that_is_not_there_is_not_found(client: Client) -> None:
    answer = signed_in(client).get("/projects/nothing/")
    assert answer.status_code == 404
    assert '<p class="code">404</p>' in answer.content.decode()


def test_plans_come_newest_first_with_their_own_progress(client: Client) -> None:
    project = make_project("ledger")
    make_plan(project, 2, title="Older plan", statuses=[Status.COMPLETED])
    make_plan(project, 4, title="Newer plan")
    page = html_of(signed_in(client).get("/projects/ledger/"))
    assert page.index("Newer plan") < page.index("Older plan")
    assert "2 of 2" in page and "0 of 4" in page


def test_a_plan_without_subtasks_counts_as_one_task(client: Client) -> None:
    make_task(make_project("ledger"), title="Just this", status=Status.COMPLETED)
    assert "1 of 1" in html_of(signed_in(client).get("/projects/ledger/"))


def test_an_archived_plan_is_not_on_the_board(client: Client) -> None:
    project = make_project("ledger")
    plan = make_plan(project, 1, title="Long gone")
    type(plan).objects.update(archived_at=plan.created_at)
    page = html_of(signed_in(client).get("/projects/ledger/"))
    assert "Long gone" not in page and 'class="empty"' in page.partition('id="plans-title"')[2]


def test_plans_are_narrowed_by_state_specialist_and_text(client: Client) -> None:
    project = make_project("ledger")
    make_plan(project, 1, title="Alpha", description="about 50% of it")  # its subtask is the architect's
    make_plan(project, 2, title="Beta", status=Status.BLOCKED)  # its second subtask is the implementer's
    signed_in(client)
    shown = {
        query: [name for name in ("Alpha", "Beta") if f'title="{name}"' in _plans(client, query)]
        for query in ("", "status=blocked", "specialist=implementer", "q=alp", "q=50%25", "q=5_%25", "q=nope")
    }
    assert shown == {
        "": ["Alpha", "Beta"],
        "status=blocked": ["Beta"],
        "specialist=implementer": ["Beta"],
        "q=alp": ["Alpha"],
        "q=50%25": ["Alpha"],
        "q=5_%25": [],
        "q=nope": [],
    }


def _plans(client: Client, query: str) -> str:
    return html_of(client.get(f"/projects/ledger/?{query}")).partition('id="plans-title"')[2].partition("</section>")[0]


def test_a_plan_is_found_by_its_id(client: Client) -> None:
    plan = make_plan(make_project("ledger"), 1, title="Alpha")
    assert "Alpha" in _plans(signed_in(client), f"q={plan.public_id}")


def test_a_search_without_a_match_leads_on_to_all_tasks(client: Client) -> None:
    make_plan(make_project("ledger"), 1)
    page = html_of(signed_in(client).get("/projects/ledger/", {"q": "a&b"}))
    assert "/projects/ledger/tasks/?q=a%26b" in page.partition('class="empty"')[2]


def test_filters_are_chips_that_remove_them(client: Client) -> None:
    make_project("ledger")
    page = html_of(signed_in(client).get("/projects/ledger/?q=alp&status=blocked&specialist=tester&page=3"))
    assert re.findall(r'<span class="chip" data-filter="(\w+)">.*?<a href="([^"]*)"', page) == [
        ("status", "?q=alp&amp;specialist=tester"),
        ("specialist", "?q=alp&amp;status=blocked"),
    ]


def test_a_state_that_does_not_exist_is_no_filter(client: Client) -> None:
    make_plan(make_project("ledger"), 1, title="Alpha")
    assert "Alpha" in _plans(signed_in(client), "status=asleep")


def test_the_next_page_keeps_the_filters(client: Client) -> None:
    project = make_project("ledger")
    for number in range(26):
        make_task(project, title=f"Plan no. {number}")
    page = html_of(signed_in(client).get("/projects/ledger/?q=plan&status=pending"))
    assert "?q=plan&amp;status=pending&amp;page=2" in page
    second = html_of(client.get("/projects/ledger/?q=plan&status=pending&page=2"))
    assert "Plan no. 0" in second and "Plan no. 25" not in second


def test_what_waits_for_a_person_is_shown_with_the_reason(client: Client) -> None:
    project = make_project("ledger")
    plan = make_plan(project, 4, statuses=[Status.IN_REVIEW, Status.BLOCKED, Status.FAILED, Status.PENDING])
    page = html_of(signed_in(client).get("/projects/ledger/"))
    waits = page.partition('id="waiting"')[2].partition("</section>")[0]
    assert re.findall(r'<li class="side-row" id="waits-(.*?)"', waits) == [
        task.public_id for task in plan.children.exclude(status=Status.PENDING).order_by("position")
    ]
    assert "The password of the staging server is missing." in waits


def test_the_latest_deliveries_are_shown_with_path_and_size(client: Client) -> None:
    task = make_task(make_project("ledger"), title="Count it")
    make_artifact(task, "first", "second edition", paths=["docs/count.md"], kind="analysis")
    page = html_of(signed_in(client).get("/projects/ledger/")).partition('id="delivered"')[2]
    assert "docs/count.md" in page and "14\xa0bytes" in page and "version 2" in page and "Analysis" in page


def test_what_moves_now_is_shown_with_who_and_since_when(client: Client) -> None:
    project, now = make_project("ledger"), timezone.now()
    held = {"lease_holder": "Claude Code", "lease_session": make_session(project, principal="ada")}
    make_task(project, title="Weigh it", status=Status.ACTIVE, updated_at=now - timedelta(hours=2), **held)
    late = {"status": Status.ACTIVE, "lease_expires_at": now - timedelta(minutes=1, seconds=5)}
    make_task(project, title="Left alone", **late)
    moves = _panel(signed_in(client), "moving")
    assert "Weigh it" in moves and 'title="Claude Code, for ada"' in moves and "2 hours ago" in moves
    assert moves.count('class="overdue"') == 1
    assert 'data-total="2" href="/projects/ledger/board/#column-active"' in moves


def test_an_edit_does_not_change_the_claim_time(client: Client) -> None:
    task = make_task(make_project("ledger"), status=Status.ACTIVE, lease_holder="Claude Code")
    for hours in (9, 3):
        make_event(task, Verb.CLAIM, created_at=timezone.now() - timedelta(hours=hours))
    assert ">3 hours ago</time>" in _panel(signed_in(client), "moving")


def test_where_nothing_moves_it_says_so(client: Client) -> None:
    make_plan(make_project("ledger"), 2)
    assert 'class="empty"' in _panel(signed_in(client), "moving")


def test_a_reader_is_offered_no_verbs_and_a_reviewer_those_that_are_possible(client: Client) -> None:
    project = make_project("ledger")
    make_plan(project, 3, statuses=[Status.ACTIVE, Status.IN_REVIEW, Status.COMPLETED], title="Alpha")
    assert "/act/" not in html_of(signed_in(client, name="reader").get("/projects/ledger/"))
    page = html_of(signed_in(client, is_staff=True).get("/projects/ledger/"))
    assert page.count("act/?next=/projects/ledger/") == 3  # what moves, what waits, and the plan


def test_a_plan_leads_to_its_own_board(client: Client) -> None:
    plan = make_plan(make_project("ledger"), 2)
    assert f'href="/projects/ledger/board/?plan={plan.public_id}"' in html_of(
        signed_in(client).get("/projects/ledger/")
    )


def _panel(client: Client, name: str) -> str:
    page = html_of(client.get("/projects/ledger/"))
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


@pytest.mark.parametrize("size", [2, 20])
def test_it_takes_as_many_queries_for_a_large_board_as_for_a_small_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    project = make_project("ledger")
    for _ in range(size):
        plan = make_plan(project, size, statuses=[Status.BLOCKED, Status.COMPLETED])
        for task in plan.children.all()[:2]:
            make_artifact(task, paths=["a.md", "b.md"])
    signed_in(client)
    # session, user, project, specialists, plans and total, counts of plans and project, moving,
    # 3 x waiting, artifacts, paths, and how much is to review
    with django_assert_num_queries(16):
        client.get("/projects/ledger/")


def test_it_is_said_who_can_claim_the_next_task_where_one_is_ready(client: Client) -> None:
    def hint() -> str:
        return html_of(client.get("/projects/ledger/")).partition('id="moving"')[2].partition("</section>")[0]

    signed_in(client)
    plan = make_plan(make_project("ledger"), 1)
    assert 'data-hint="none-ready"' in hint()
    Task.objects.filter(parent=plan).update(is_ready=True)
    assert 'data-hint="claim"' in hint()
    Task.objects.filter(parent=plan).update(for_client="codex")
    assert "codex" in hint()
    Task.objects.all().update(is_ready=False, status=Status.CANCELLED)
    assert "data-hint" not in hint()
