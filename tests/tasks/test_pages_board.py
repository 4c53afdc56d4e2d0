"""The board of a project, `/projects/<slug>/board/`."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Priority, Status
from tasks.models import Project, Task
from tasks.services.readiness import refresh_by_keys
from tests.factories import (
    html_of,
    make_artifact,
    make_dependency,
    make_plan,
    make_project,
    make_task,
    make_user,
    note_of,
    signed_in,
)

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>\u202e<img src=x onerror=alert(1)>"


@pytest.fixture
def project() -> Project:
    return make_project("ledger")


def _page(client: Client, query: str = "") -> str:
    return html_of(client.get(f"/projects/ledger/board/?{query}"))


def _column(page: str, status: str) -> str:
    found = re.search(rf'<section class="column {status}[ "].*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def _titles(page: str, status: str) -> list[str]:
    return re.findall(r'<a class="what"[^>]*><bdi>(.*?)</bdi>', _column(page, status))


def _count(page: str, status: str) -> str:
    found = re.search(r'<span class="count">(.*?)</span>', _column(page, status))
    return found[1] if found else ""


def _card(page: str, task: Task) -> str:
    found = re.search(rf'<li class="task[^>]*id="task-{task.public_id}">.*?</li>', page, re.DOTALL)
    assert found
    return found[0]


def test_a_stranger_is_sent_to_sign_in(client: Client, project: Project) -> None:
    assert client.get("/projects/ledger/board/")["Location"] == "/sign-in/?next=/projects/ledger/board/"


def test_a_project_that_is_not_there_is_not_found(client: Client) -> None:
    assert signed_in(client).get("/projects/nothing/board/").status_code == 404


def test_an_empty_board_says_how_cards_come_about(client: Client, project: Project) -> None:
    page = _page(signed_in(client))
    assert 'class="card empty"' in page and 'class="board"' not in page


def test_every_state_is_a_column_with_its_count(client: Client, project: Project) -> None:
    make_plan(project, 16, statuses=Status.values)
    page = _page(signed_in(client))
    assert {status: _count(page, status) for status in Status.values} == dict.fromkeys(Status.values, "2")


def test_the_cards_are_leaves_and_no_plans_of_several(client: Client, project: Project) -> None:
    make_plan(project, 1, title="The plan")
    make_task(project, title="A plan of one")
    titles = _titles(_page(signed_in(client)), "pending")
    assert "A plan of one" in titles and "The plan" not in titles and len(titles) == 2


def test_an_archived_task_is_no_card(client: Client, project: Project) -> None:
    make_task(project, title="Long gone", archived_at=timezone.now())
    make_task(project, title="Still there")
    assert _titles(_page(signed_in(client)), "pending") == ["Still there"]


def test_empty_columns_off_the_usual_way_are_slim(client: Client, project: Project) -> None:
    make_task(project)
    page = _page(signed_in(client))
    slim = [status for status in Status.values if "slim" in _column(page, status).partition(">")[0]]
    assert slim == ["needs_revision", "blocked", "failed", "cancelled"]


def test_a_card_says_who_holds_it_and_how_long(client: Client, project: Project) -> None:
    soon = timezone.now() + timedelta(minutes=30, seconds=30)
    task = make_task(project, status=Status.ACTIVE, lease_holder="Claude Code", lease_expires_at=soon)
    card = _card(_page(signed_in(client)), task)
    assert "<bdi>Claude Code</bdi>" in card and "in 30 minutes" in card and 'class="task over"' not in card


def test_a_card_says_that_its_lease_ran_out(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_expires_at=timezone.now() - timedelta(minutes=5))
    assert 'class="task over"' in _card(_page(signed_in(client)), task)


def test_a_card_says_when_it_changed_last(client: Client, project: Project) -> None:
    task = make_task(project, updated_at=timezone.now() - timedelta(days=3))
    assert re.search(r'class="since">[^<]*<time [^>]*>3 days ago', _card(_page(signed_in(client)), task))


def test_cards_show_what_they_wait_for_and_what_waits_for_them(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    done, first, second, group = (
        make_task(project, parent=plan, status=status)
        for status in (Status.COMPLETED, Status.PENDING, Status.PENDING, Status.PENDING)
    )
    last = make_task(project, parent=group)
    make_dependency(first, done)
    for need in (first, second):
        make_dependency(last, need)
        make_dependency(last, need, inherited_from=group)  # the same again, which counts once
    make_dependency(group, first)  # a group is no work of its own
    refresh_by_keys(Task.objects.values_list("pk", flat=True))
    page = _page(signed_in(client))
    ready = '<span class="tag good">'
    assert ready in _card(page, first) and "data-blocked-by" not in _card(page, first)
    assert 'data-blocks="1"' in _card(page, first) and 'data-blocks="1"' in _card(page, second)
    assert 'data-blocked-by="2"' in _card(page, last) and ready not in _card(page, last)
    assert "data-block" not in _card(page, done)


def test_a_card_counts_its_artifacts_and_names_specialist_priority_and_plan(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="Count it all")
    task = make_task(project, parent=plan, specialist="tester", priority=Priority.URGENT)
    make_artifact(task), make_artifact(task)
    card = _card(_page(signed_in(client)), task)
    assert all(word in card for word in ("2 artifacts", "<bdi>tester</bdi>", 'class="tag loud"', "Count it all"))


def test_pending_cards_stand_in_the_order_in_which_assistants_take_them(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    names = ("waits", "normal", "urgent", "later")
    tasks = {name: make_task(project, parent=plan, title=name, position=at) for at, name in enumerate(names)}
    make_dependency(tasks["waits"], tasks["urgent"])
    Task.objects.filter(title="urgent").update(priority=Priority.URGENT)
    refresh_by_keys(Task.objects.values_list("pk", flat=True))
    assert _titles(_page(signed_in(client)), "pending") == ["urgent", "normal", "later", "waits"]


def test_other_columns_show_the_last_changed_first(client: Client, project: Project) -> None:
    now = timezone.now()
    for hours, title in ((3, "old"), (1, "new"), (2, "middle")):
        make_task(project, title=title, status=Status.IN_REVIEW, updated_at=now - timedelta(hours=hours))
    assert _titles(_page(signed_in(client)), "in_review") == ["new", "middle", "old"]


@pytest.fixture
def various(client: Client, project: Project) -> Task:
    """Alpha with a tester's completed task and a held one, and Beta, which is urgent and ready."""
    alpha = make_plan(project, 0, title="Alpha")
    make_task(project, parent=alpha, title="Weigh it", specialist="tester", status=Status.COMPLETED)
    make_task(project, parent=alpha, title="Carry it", status=Status.ACTIVE, lease_holder="Claude Code")
    make_task(project, parent=alpha, title="Drop it", status=Status.PENDING, specialist="tester")
    beta = make_task(project, title="Beta", priority=Priority.URGENT, description="about lemons")
    Task.objects.filter(pk=beta.pk).update(is_ready=True)
    signed_in(client)
    return alpha


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", {"Weigh it", "Carry it", "Drop it", "Beta"}),
        ("q=LEMONS", {"Beta"}),
        ("q=nothing-like-it", set()),
        ("q=%00weigh", {"Weigh it"}),
        ("specialist=tester", {"Weigh it", "Drop it"}),
        ("holder=claude", {"Carry it"}),
        ("holder=somebody", set()),
        ("priority=4", {"Beta"}),
        ("priority=7", {"Weigh it", "Carry it", "Drop it", "Beta"}),
        ("priority=urgent", {"Weigh it", "Carry it", "Drop it", "Beta"}),
        ("ready=1", {"Beta"}),
        ("specialist=tester&ready=1", set()),
        ("plan=task_ffffffff", set()),
    ],
)
def test_the_board_is_narrowed_by_what_the_address_says(
    client: Client, various: Task, query: str, titles: set[str]
) -> None:
    page = _page(client, query)
    assert {title for status in Status.values for title in _titles(page, status)} == titles


def test_a_board_of_one_plan_holds_its_leaves_only(client: Client, various: Task) -> None:
    page = _page(client, f"plan={various.public_id}")
    assert [_count(page, status) for status in ("pending", "active", "completed")] == ["1", "1", "1"]
    assert "<bdi>Alpha</bdi>" in page.partition("<h1>")[2].partition("</h1>")[0]


def test_a_plan_without_subtasks_is_a_board_of_itself(client: Client, various: Task) -> None:
    beta = Task.objects.get(title="Beta")
    assert _titles(_page(client, f"plan={beta.public_id}"), "pending") == ["Beta"]


def test_a_card_is_found_by_the_beginning_of_its_id(client: Client, various: Task) -> None:
    weighed = Task.objects.get(title="Weigh it")
    assert _titles(_page(client, f"q={weighed.public_id[:-1]}"), "completed") == ["Weigh it"]


def test_a_plan_of_another_project_is_no_plan_of_this_one(client: Client, various: Task) -> None:
    other = make_plan(make_project("other"), 2)
    page = _page(client, f"plan={other.public_id}")
    assert 'id="unknown-plan"' in page and other.title not in page


def test_a_column_shows_some_cards_and_leads_to_more_that_keep_the_filters(client: Client, project: Project) -> None:
    make_plan(project, 70, specialist="")
    signed_in(client)
    first = _page(client, "q=task")
    assert (_count(first, "pending"), len(_titles(first, "pending"))) == ("70", 20)
    assert 'href="?q=task&amp;pending=60#more-pending"' in first
    more = _page(client, "q=task&pending=60")
    assert len(_titles(more, "pending")) == 60 and "pending=100" in more
    everything = _page(client, "q=task&pending=100")
    assert len(_titles(everything, "pending")) == 70 and "data-more" not in everything


def test_beyond_two_hundred_cards_a_column_leads_to_the_table(client: Client, project: Project) -> None:
    make_plan(project, 230, statuses=[Status.COMPLETED])
    page = _page(signed_in(client), "completed=999")
    assert len(_titles(page, "completed")) == 200 and "data-more" not in page
    assert re.search(r'href="/projects/ledger/tasks/\?kind=leaf&amp;status=completed">30\b', page)


@pytest.mark.parametrize("shown", ["", "-4", "many", "9" * 30, "1.5"])
def test_a_number_of_cards_that_makes_no_sense_breaks_nothing(client: Client, project: Project, shown: str) -> None:
    make_plan(project, 3)
    assert len(_titles(_page(signed_in(client), f"pending={shown}"), "pending")) == 3


def test_a_reader_gets_no_menus(client: Client, project: Project) -> None:
    make_plan(project, 8, statuses=Status.values)
    assert "/act/" not in _page(signed_in(client))


def test_a_menu_is_offered_where_something_may_be_done(client: Client, project: Project) -> None:
    make_plan(project, 8, statuses=Status.values)
    page = _page(signed_in(client, is_staff=True))
    assert [status for status in Status.values if "/act/" not in _column(page, status)] == []


def test_a_lost_race_on_the_board_says_who_was_faster(client: Client, project: Project) -> None:
    task = make_task(project, title="Wanted", is_ready=True)
    signed_in(client, is_staff=True)
    bob = Client()
    bob.force_login(make_user("bob", is_staff=True))
    seen = {"seen": "pending:0", "next": "/projects/ledger/board/"}
    assert "Wanted" in _page(client) and "Wanted" in _page(bob)
    bob.post(f"/tasks/{task.public_id}/act/claim/", seen)
    answer = client.post(f"/tasks/{task.public_id}/act/claim/", seen, follow=True)
    assert "bob" in note_of(html_of(answer), "conflict")
    assert _titles(html_of(answer), "active") == ["Wanted"] and "data-code" not in _page(client)
    assert "<bdi>bob</bdi>" in _card(_page(client), task)


def test_hostile_text_shows_as_text(client: Client) -> None:
    project = make_project("ledger", name=EVIL)
    plan, held = make_plan(project, 0, title=EVIL), {"status": Status.ACTIVE, "lease_holder": EVIL}
    make_task(project, parent=plan, title=EVIL, specialist=EVIL[:60], public_id="x_1", **held)
    signed_in(client)
    for query in ("", f"plan={plan.public_id}", "q=%3Cscript%3Ealert", "holder=%3Cscript%3Ealert"):
        page = _page(client, query).partition("<main")[2]
        assert "<script>alert" not in page and "<img" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("size", [24, 240])
def test_it_takes_as_many_queries_for_many_cards_as_for_few(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    project = make_project("ledger")
    plan = make_plan(project, size, statuses=Status.values)
    tasks = list(plan.children.all())
    for one, other in zip(tasks[1:], tasks, strict=False):
        make_dependency(one, other)
    for task in tasks[:20]:
        make_artifact(task)
    signed_in(client)
    # session, user, project, counts, 8 columns and what is ready, 3 x marks, specialists, holders, plans,
    # and how much is to review
    with django_assert_num_queries(20):
        client.get("/projects/ledger/board/")


def test_a_search_with_too_many_matches_shows_the_best_and_the_cards_of_plans(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(project, 2, title="Lemons")
    make_task(project, title="Elsewhere")
    monkeypatch.setattr("artifacts.selectors.cards.MATCHES", 1)
    page = _page(signed_in(client), "q=lemons")
    assert set(_titles(page, "pending")) == {child.title for child in plan.children.all()}
    assert 'id="too-many-matches"' in page
