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
    make_session,
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
    """Return the number in the head of a column, folded or not."""
    found = re.search(rf'id="(?:says|column)-{status}"[^>]*>.*?<(?:span|b) class="[^"]*number">(.*?)<', page, re.DOTALL)
    return found[1] if found else ""


def _card(page: str, task: Task) -> str:
    found = re.search(rf'<li class="task[^>]*id="task-{task.public_id}"[^>]*>.*?</li>', page, re.DOTALL)
    assert found
    return found[0]


def test_a_stranger_is_sent_to_sign_in(client: Client, project: Project) -> None:
    assert client.get("/projects/ledger/board/")["Location"] == "/sign-in/?next=/projects/ledger/board/"


def test_a_project_that_is_not_there_is_not_found(client: Client) -> None:
    assert signed_in(client).get("/projects/nothing/board/").status_code == 404


def test_an_empty_board_says_how_cards_come_about(client: Client, project: Project) -> None:
    page = _page(signed_in(client))
    assert 'class="box empty"' in page and 'id="board"' not in page


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


def test_finished_states_are_folded_until_they_are_opened(client: Client, project: Project) -> None:
    make_plan(project, 8, statuses=Status.values)
    signed_in(client)
    assert _folded(_page(client)) == ["completed", "cancelled"]
    opened = _page(client, "open=completed&group=specialist")
    assert _folded(opened) == ["cancelled"] and 'href="?group=specialist"' in opened.partition('id="board"')[2]
    assert _folded(_page(client, "open=nonsense")) == ["completed", "cancelled"]


def _folded(page: str) -> list[str]:
    return re.findall(r'<a class="column folded (\w+)', page)


def test_every_state_has_a_chip_with_its_count_and_one_is_chosen(client: Client, project: Project) -> None:
    make_plan(project, 2, statuses=[Status.ACTIVE, Status.COMPLETED])
    signed_in(client)
    chips = _page(client).partition('<nav class="jump"')[2].partition("</nav>")[0]
    assert re.findall(r'<span class="quiet">(\d)<', chips) == ["0", "1", "0", "0", "0", "0", "1", "0"]
    assert _chosen(_page(client)) == "active"
    assert _chosen(_page(client, "open=completed")) == "completed"
    assert _chosen(_page(client, "open=failed")) == "failed"


def _chosen(page: str) -> str:
    found = re.findall(r'<a class="(\w+)" [^>]*aria-current="true"', page.partition('<nav class="jump"')[2])
    return found[0] if found else ""


def test_a_card_says_who_holds_it_the_assistant_first(client: Client, project: Project) -> None:
    session = make_session(project, client_name="Claude Code", principal="ada")
    task = make_task(project, status=Status.ACTIVE, lease_holder="Claude Code", lease_session=session)
    card = _card(_page(signed_in(client)), task)
    assert 'title="Claude Code, for ada"' in card and "<bdi>Claude Code</bdi>" in card


def test_a_person_who_holds_a_card_is_no_assistant(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_holder="ada")
    avatar = re.search(r'<abbr class="([^"]*)" title="ada">', _card(_page(signed_in(client)), task))
    assert avatar and "bot" not in avatar[1]


def test_a_card_says_that_its_lease_ran_out(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_expires_at=timezone.now() - timedelta(minutes=5))
    assert 'class="task over"' in _card(_page(signed_in(client)), task)


def test_cards_say_their_plan_and_age_only_where_several_plans_are_shown(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="Alpha")
    task = make_task(project, parent=plan, status=Status.BLOCKED, updated_at=timezone.now() - timedelta(days=3))
    signed_in(client)
    assert "card-top" not in _page(client)
    make_task(project, title="Beta")
    card = _card(_page(client), task)
    assert '<bdi class="name">Alpha</bdi>' in card and ">3d</time>" in card
    assert "card-top" not in _page(client, "group=plan")
    assert "card-top" not in _page(client, f"plan={plan.public_id}")


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.IN_REVIEW, {"summary": "It counts"}),
        (Status.NEEDS_REVISION, {"review_comment": "Count again"}),
        (Status.BLOCKED, {"reason": "No password"}),
        (Status.FAILED, {"reason": "It never built"}),
    ],
)
def test_a_card_says_why_it_is_where_it_is(
    client: Client, project: Project, status: str, fields: dict[str, str]
) -> None:
    task = make_task(project, status=status, **fields)
    assert f"<bdi>{next(iter(fields.values()))}</bdi>" in _card(_page(signed_in(client)), task)


def test_swimlanes_align_the_cards_of_every_state_by_plan(client: Client, project: Project) -> None:
    for title, status in (("Beta", Status.PENDING), ("Alpha", Status.BLOCKED), ("Alpha", Status.PENDING)):
        plan = Task.objects.filter(title=title).first() or make_plan(project, 0, title=title)
        make_task(project, parent=plan, title=f"{title} {status}", status=status)
    lanes = _page(signed_in(client), "group=plan").split('<section class="lane">')[1:]
    assert [re.findall(r'<a class="what"[^>]*><bdi>(.*?)</bdi>', lane) for lane in lanes] == [
        ["Alpha pending", "Alpha blocked"],
        ["Beta pending"],
    ]
    assert [lane.count("<ol ") for lane in lanes] == [6, 6]


def test_swimlanes_by_specialist_include_tasks_without_one(client: Client, project: Project) -> None:
    for name in ("tester", ""):
        make_task(project, specialist=name)
    page = _page(signed_in(client), "group=specialist")
    assert page.count('<section class="lane">') == 2 and "<bdi>tester</bdi></h2>" in page


def test_a_group_that_does_not_exist_is_none(client: Client, project: Project) -> None:
    make_task(project)
    page = _page(signed_in(client), "group=nonsense")
    assert 'class="lane"' not in page and _count(page, "pending") == "1"


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
    page = _page(signed_in(client), "open=completed")
    ready = " data-ready>"
    assert ready in _card(page, first) and "data-blocked-by" not in _card(page, first)
    assert 'data-blocks="1"' in _card(page, first) and 'data-blocks="1"' in _card(page, second)
    assert 'data-blocked-by="2"' in _card(page, last) and ready not in _card(page, last)
    assert "data-block" not in _card(page, done)


def test_a_card_counts_its_artifacts_and_names_specialist_and_priority(client: Client, project: Project) -> None:
    task = make_task(project, specialist="tester", priority=Priority.URGENT)
    make_artifact(task), make_artifact(task)
    slots = _slots(_card(_page(signed_in(client)), task))
    assert ["#flask-conical" in slots[0], "#urgent" in slots[1], "#file-text" in slots[4]] == [True] * 3
    assert ">2<" in slots[4]


def test_an_empty_slot_of_a_card_stays_empty(client: Client, project: Project) -> None:
    task = make_task(project)
    slots = _slots(_card(_page(signed_in(client)), task))
    assert len(slots) == 6 and [slot for slot in slots if slot] == [slots[1]]


def _slots(card: str) -> list[str]:
    """Return what is in the slots at the bottom of a card, which are one to a line."""
    lines = card.partition('<div class="card-slots">')[2].partition("</div>")[0].strip().splitlines()
    return [re.sub(r"^<span[^>]*>|</span>$", "", line) for line in lines]


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
    page = _page(client, f"{query}&open=completed")
    assert {title for status in Status.values for title in _titles(page, status)} == titles


def test_a_board_of_one_plan_holds_its_leaves_only(client: Client, various: Task) -> None:
    page = _page(client, f"plan={various.public_id}")
    assert [_count(page, status) for status in ("pending", "active", "completed")] == ["1", "1", "1"]
    assert "<bdi>Alpha</bdi>" in page.partition("<h1")[2].partition("</h1>")[0]


def test_a_plan_without_subtasks_is_a_board_of_itself(client: Client, various: Task) -> None:
    beta = Task.objects.get(title="Beta")
    assert _titles(_page(client, f"plan={beta.public_id}"), "pending") == ["Beta"]


def test_a_card_is_found_by_the_beginning_of_its_id(client: Client, various: Task) -> None:
    weighed = Task.objects.get(title="Weigh it")
    assert _titles(_page(client, f"open=completed&q={weighed.public_id[:-1]}"), "completed") == ["Weigh it"]


def test_a_plan_of_another_project_is_no_plan_of_this_one(client: Client, various: Task) -> None:
    other = make_plan(make_project("other"), 2, title="Elsewhere")
    for name in (other.public_id, "Elsewhere"):
        page = _page(client, f"plan={name}")
        assert 'id="unknown-plan"' in page and 'id="board"' not in page


@pytest.mark.parametrize("text", ["Alpha", "alpha", "LPH"])
def test_the_title_of_a_plan_or_a_part_of_it_finds_it(client: Client, various: Task, text: str) -> None:
    page = _page(client, f"plan={text}&open=completed")
    assert _titles(page, "completed") == ["Weigh it"] and 'id="unknown-plan"' not in page
    assert "<bdi>Alpha</bdi>" in _chip(page, "plan") and '<option value="Alpha">' in page


def test_a_part_that_several_plans_contain_offers_each_of_them(client: Client, project: Project) -> None:
    plans = [make_plan(project, 1, title=title) for title in ("Checkout", "Checkout again")]
    signed_in(client)
    page = _page(client, "plan=check&priority=2")
    note = page.partition('id="unknown-plan"')[2].partition("</p>")[0]
    assert re.findall(r'href="([^"]*)"', note) == [f"?priority=2&amp;plan={plan.public_id}" for plan in plans[::-1]]
    assert 'id="unknown-plan"' not in _page(client, "plan=checkout")  # the whole title of one of them


def test_every_filter_is_a_chip_that_removes_it_and_keeps_the_others(client: Client, various: Task) -> None:
    page = _page(client, f"plan={various.public_id}&priority=2&ready=1&q=it")
    removes = {name: re.findall(r'<a href="([^"]*)"', _chip(page, name)) for name in ("plan", "priority", "ready")}
    assert removes == {
        "plan": ["?priority=2&amp;ready=1&amp;q=it"],
        "priority": [f"?plan={various.public_id}&amp;ready=1&amp;q=it"],
        "ready": [f"?plan={various.public_id}&amp;priority=2&amp;q=it"],
    }


def _chip(page: str, name: str) -> str:
    return page.partition(f'<span class="chip" data-filter="{name}">')[2].partition("</a>")[0]


def test_a_search_keeps_the_filters_and_a_filter_keeps_the_search(client: Client, various: Task) -> None:
    tools = _page(client, "q=it&priority=2&group=plan").partition('<div class="tools">')[2]
    search, fields = tools.split("<form ")[1:3]
    assert 'name="priority" value="2"' in search and 'name="group" value="plan"' in search
    assert 'type="hidden" name="q" value="it"' in fields and 'value="2" selected' in fields


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
    page = _page(signed_in(client), "completed=999&open=completed")
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
    signed_in(client, is_staff=True)
    pages = {status: _page(client, f"open={status}") for status in Status.values}
    assert [status for status in Status.values if "/act/" not in _column(pages[status], status)] == []


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
    # session, user, project, specialists, plans, counts, 6 columns and what is ready, 3 x marks, holders,
    # and what awaits a person
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
