"""The page of one task, `/tasks/<public_id>/`: a plan with its tree, or a piece of work."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Status, Verb
from tasks.models import Project, Task
from tasks.selectors import board
from tests.factories import (
    html_of,
    make_artifact,
    make_dependency,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    signed_in(client)
    return make_project("ledger", name="The ledger")


def _page(client: Client, task: Task, query: str = "") -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/?{query}"))


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    task = make_task(make_project())
    assert client.get(f"/tasks/{task.public_id}/").status_code == 302


@pytest.mark.parametrize("public_id", ["task_00000000", "%00", "a%20b", "%F0%9F%98%80"])
def test_a_task_that_is_not_there_is_not_found(client: Client, project: Project, public_id: str) -> None:
    assert client.get(f"/tasks/{public_id}/").status_code == 404


def test_a_plan_shows_its_tree_depth_first_with_states_and_progress(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="All of it", description="Why we do it", context="Python 3.12")
    group = make_task(project, parent=plan, title="Middle part", position=2)
    make_task(project, parent=plan, title="Last part", position=5)
    make_task(project, parent=plan, title="First part", position=1, status=Status.COMPLETED)
    make_task(project, parent=group, title="Inner part", position=3, status=Status.BLOCKED)
    page = _page(client, plan)
    shown = page.partition('<ul class="tree">')[2]
    places = [shown.index(f"<bdi>{name} part</bdi>") for name in ("First", "Middle", "Inner", "Last")]
    assert places == sorted(places)
    assert "1 of 3" in page and "33%" in page and "0 of 1" in page
    assert "Why we do it" in page and "Python 3.12" in page
    tree = page.partition('<ul class="tree">')[2].partition("</section>")[0]
    assert tree.count("<ul>") + 1 == tree.count("</ul>") and tree.count("<li>") == tree.count("</li>") == 4


def test_a_group_shows_what_is_below_it_alone(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    group, other = (make_task(project, parent=plan, title=name) for name in ("Group", "Other"))
    make_task(project, parent=group, title="Inner", status=Status.COMPLETED)
    page = _page(client, group)
    assert "Inner" in page and "Other" not in page and "1 of 1" in page
    assert other.is_leaf


def test_a_huge_tree_is_cut_and_says_so(client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "TREE_ROWS", 3)
    plan = make_plan(project, 5)
    page = _page(client, plan)
    assert page.count('class="node"') == 3
    assert f"?plan={plan.public_id}" in page.partition('id="tree-cut"')[2]
    assert "0 of 5" in page


def test_a_deep_tree_is_cut_at_a_link_that_leads_on(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "TREE_LEVELS", 2)
    line = [make_plan(project, 0)]
    for _ in range(4):
        line.append(make_task(project, parent=line[-1]))
    page = _page(client, line[0])
    assert page.count('class="node"') == 2 and page.count("data-cut") == 1
    assert "0 of 1" in _page(client, line[1])


def test_breadcrumbs_lead_to_project_plan_and_parent(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="The plan")
    group = make_task(project, parent=plan, title="The group")
    trail = _page(client, make_task(project, parent=group)).partition('class="trail"')[2].partition("</nav>")[0]
    assert re.findall(r"<bdi>(.*?)</bdi>", trail) == ["The ledger", "The plan", "The group"]


def test_active_work_says_who_holds_it_and_how_long(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_holder="Cursor", lease_number=7)
    page = _page(client, task)
    assert "<bdi>Cursor</bdi>" in page and "in 29 minutes</time>" in page and 'class="overdue"' not in page
    assert re.search(r'id="lease-number">[^<]*\b7\b', page)


def test_a_lease_that_ran_out_says_so(client: Client, project: Project) -> None:
    over = timezone.now() - timedelta(hours=2)
    page = _page(client, make_task(project, status=Status.ACTIVE, lease_expires_at=over))
    assert re.search(r'class="overdue">[^<]*<time [^>]*>2 hours ago', page)


@pytest.mark.parametrize("status", [Status.BLOCKED, Status.FAILED, Status.NEEDS_REVISION])
def test_a_task_that_stopped_says_why(client: Client, project: Project, status: str) -> None:
    task = make_task(project, status=status)
    note = _page(client, task).partition('id="reason"')[2].partition("</section>")[0]
    assert (task.review_comment or task.reason) in note


def test_the_working_brief_is_shown_as_text(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, description="<b>Bold</b> plan")
    page = _page(client, make_task(project, parent=plan, description="Weigh it"))
    brief = page.partition('id="brief"')[2].partition("</pre>")[0]
    assert "Weigh it" in brief and "&lt;b&gt;Bold&lt;/b&gt; plan" in brief


def test_dependencies_are_shown_both_ways_with_states_and_where_they_come_from(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    first, group = (make_task(project, parent=plan, title=name) for name in ("First", "Group"))
    inner = make_task(project, parent=group, title="Inner")
    make_dependency(group, first)
    make_dependency(inner, first, inherited_from=group)
    blocked_by = _page(client, inner).partition('id="blocked-by"')[2]
    assert "First" in blocked_by and 'class="state pending"' in blocked_by and group.public_id in blocked_by
    blocks = _page(client, first).partition('id="blocks"')[2]
    assert blocks.count("<li ") == 2


def test_artifacts_are_listed_with_their_paths(client: Client, project: Project) -> None:
    task = make_task(project)
    artifact = make_artifact(task, paths=["src/a.py", "src/\u202eyp.exe"], summary="Two files")
    page = _page(client, task)
    assert f"/artifacts/{artifact.public_id}/" in page and "src/a.py" in page
    listed = page.partition('id="artifacts"')[2].partition("</section>")[0]
    assert "src/[U+202E]yp.exe" in listed and "\u202e" not in listed


def test_history_lists_events_and_changes(client: Client, project: Project) -> None:
    task = make_task(project)
    earlier = timezone.now() - timedelta(minutes=3, seconds=5)
    facts = {"before": {"status": "pending"}, "after": {"status": "needs_revision", "labels": ["a", "b"]}}
    make_event(task, Verb.CLAIM, created_at=earlier, **facts)
    make_event(task, Verb.REQUEST_REVISION, actor_kind="person", actor_name="Ada")
    make_event(task, Verb.DELIVER)
    history = _page(client, task).partition('id="history"')[2]
    entry = r'data-verb="(\w+)">\s*<bdi>([^<]+)</bdi>.*?<time [^>]*>([^<]+)</time>'
    assert re.findall(entry, history, re.DOTALL) == [
        ("deliver", "Claude Code", "just now"),
        ("request_revision", "Ada", "just now"),
        ("claim", "Claude Code", "3 minutes ago"),
    ]
    assert "<bdi>status</bdi>: <bdi>Pending</bdi> → <b><bdi>Needs revision</bdi></b>" in history
    assert "<bdi>labels</bdi>: <b><bdi>a, b</bdi></b>" in history


def test_history_names_who_was_proved_and_the_client_that_was_used(client: Client, project: Project) -> None:
    task = make_task(project)
    session = make_session(project, client_name="Claude Code")
    make_event(task, Verb.CLAIM, actor_name="ada/laptop", session=session)
    (event,) = re.findall(r'data-verb="claim">(.*?)</li>', _page(client, task), re.DOTALL)
    assert event.index("<bdi>ada/laptop</bdi>") < event.index("<bdi>Claude Code</bdi>")


def test_history_is_paged_newest_first(client: Client, project: Project) -> None:
    task = make_task(project)
    for number in range(25):
        make_event(task, after={"round": number})
    assert "<bdi>24</bdi>" in _page(client, task) and "<bdi>4</bdi>" not in _page(client, task)
    assert "<bdi>4</bdi>" in _page(client, task, "page=2")


def test_hostile_text_in_every_field_shows_as_text(client: Client, project: Project) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e'
    task = make_task(
        project,
        title=evil,
        description=evil,
        context=evil,
        summary=evil,
        effort=evil,
        status=Status.NEEDS_REVISION,
        review_comment=evil,
        specialist="<i>x</i>",
        public_id="evil_1",
    )
    make_artifact(task, evil, summary=evil, paths=[evil])
    make_event(task, actor_name=evil, before={evil: evil}, after={evil: evil + "!"})
    page = _page(client, task)
    assert "<script>alert" not in page and "<img src=x" not in page and "<i>x</i>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<title>\u2068&lt;script&gt;" in page


def test_a_description_of_a_megabyte_is_cut_with_a_note(client: Client, project: Project) -> None:
    page = _page(client, make_task(project, description="y" * 1_000_000))
    assert 'data-shown="20000" data-total="1000000"' in page
    assert len(page) < 100_000


@pytest.mark.parametrize("size", [3, 60])
def test_a_plan_takes_as_many_queries_whatever_its_size(
    client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    plan = make_plan(project, size)
    for task in plan.children.all():
        make_artifact(task)
    # session, user, to review, task, tree, artifact counts, counts, needs, needed by, artifacts, turns,
    # comments, events
    with django_assert_max_num_queries(13):
        client.get(f"/tasks/{plan.public_id}/")


@pytest.mark.parametrize("size", [2, 15])
def test_a_piece_of_work_takes_as_many_queries_however_much_hangs_on_it(
    client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    plan = make_plan(project, 2 * size)
    task, *others = plan.children.all()
    for other in others[:size]:
        make_dependency(task, other)
    for other in others[size:]:
        make_dependency(other, task)
    for _ in range(size):
        make_artifact(task, paths=["a.md"])
        make_event(task)
    with django_assert_max_num_queries(18):
        client.get(f"/tasks/{task.public_id}/")


def _said(page: str, part: str) -> str:
    """The words of a section."""
    return " ".join(re.sub(r"<[^>]+>", "", page.partition(f'id="{part}"')[2].partition("</section>")[0]).split())


def test_the_conversation_goes_from_the_delivery_to_the_approval(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.COMPLETED, summary="Second try")
    artifact = make_artifact(task, "one", "two")
    session = make_session(project, client_name="Claude Code")
    by_ada = {"actor_name": "ada/laptop", "session": session}
    by_grace = {"actor_name": "grace", "actor_kind": "person"}
    for number, summary in enumerate(("First try", "Second try"), start=1):
        make_event(task, Verb.CLAIM, **by_ada)
        make_event(task, Verb.DELIVER, after={"artifact_id": artifact.public_id, "version": number}, **by_ada)
        make_event(task, Verb.COMPLETE, after={"status": "in_review", "summary": summary}, **by_ada)
        verdict = Verb.REQUEST_REVISION if number == 1 else Verb.APPROVE
        make_event(task, verdict, after={"comment": f"Verdict {number}"}, **by_grace)
    page = _page(client, task)
    said = _said(page, "conversation")
    turns = ["First try", "Verdict 1", "Second try", "Verdict 2"]
    assert [said.index(turn) for turn in turns] == sorted(said.index(turn) for turn in turns)
    verbs = re.findall(r'<li class="turn[^>]*data-verb="(\w+)"', page)
    assert verbs == [Verb.COMPLETE, Verb.REQUEST_REVISION, Verb.COMPLETE, Verb.APPROVE]
    assert "ada/laptop" in said and "Claude Code" in said and "grace" in said
    shown = page.partition('id="conversation"')[2].partition("</section>")[0]
    assert f"/artifacts/{artifact.public_id}/diff/?from=1&amp;to=2" in shown


def test_comments_on_lines_stand_with_the_verdict_that_took_them_along(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.NEEDS_REVISION)
    version = make_artifact(task, "one\ntwo\n").versions.get()
    sent = timezone.now()
    make_event(task, Verb.REQUEST_REVISION, actor_name="grace", after={"comment": "Fix it"})
    for text, sent_at in (("Sent words", sent), ("Draft words", None)):
        task.review_comments.create(
            version=version, line=2, end_line=2, quote="two", text=text, author="grace", sent_at=sent_at
        )
    talk = _page(client, task).partition('id="conversation"')[2].partition("</section>")[0]
    assert "version=1&amp;view=source#L2" in talk
    assert talk.index("Fix it") < talk.index("Sent words") < talk.index("data-draft") < talk.index("Draft words")


def test_a_long_conversation_shows_its_newest_turns(client: Client, project: Project) -> None:
    task = make_task(project)
    for number in range(45):
        make_event(task, Verb.COMPLETE, after={"summary": f"Round {number}."})
    page = _page(client, task)
    said = _said(page, "conversation")
    assert "Round 44." in said and "Round 4." not in said and 'id="conversation-cut"' in page


def test_a_plan_says_who_works_on_what_and_what_waits_for_a_person(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    for title, status, holder in (
        ("Build", Status.ACTIVE, "Cursor"),
        ("Test", Status.ACTIVE, "Claude Code"),
        ("Price", Status.BLOCKED, ""),
        ("Rest", Status.PENDING, ""),
    ):
        make_task(project, parent=plan, title=title, status=status, lease_holder=holder)
    page = _page(client, plan)
    work, waits = _said(page, "now-active"), _said(page, "now-waits")
    assert 'data-tasks="2" data-workers="2"' in page and "Build" in work and "Cursor: 1" in work
    assert "Price" in waits and "Rest" not in waits


def test_every_worker_counts_however_many_are_named(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    for number in range(11):
        make_task(project, parent=plan, status=Status.ACTIVE, lease_holder=f"Worker {number}")
    page = _page(client, plan)
    assert 'data-tasks="11" data-workers="11"' in page
    assert len(re.findall(r"Worker \d+: 1", _said(page, "now-active"))) == 8


def test_a_huge_plan_says_it_too(client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "TREE_ROWS", 3)
    monkeypatch.setattr(board, "LOOKED_AT", 2)
    plan = make_plan(project, 12, statuses=[Status.PENDING, Status.PENDING, Status.PENDING, Status.FAILED])
    page = _page(client, plan)
    assert 'data-tasks="3"' in page.partition('id="now-waits"')[2]
    assert page.partition('id="now-waits"')[2].partition("</section>")[0].count("<li ") == 2


def test_a_reader_is_offered_nothing_but_to_read(client: Client, project: Project) -> None:
    page = _page(client, make_task(project, is_ready=True))
    verbs = page.partition('<div class="verbs">')[2].partition("</div>")[0]
    assert "<button" not in verbs and "<a" not in verbs


@pytest.mark.parametrize(
    ("status", "ready", "offered"),
    [
        (Status.ACTIVE, False, True),
        (Status.PENDING, True, True),
        (Status.NEEDS_REVISION, True, True),
        (Status.PENDING, False, False),
        (Status.IN_REVIEW, False, False),
        (Status.COMPLETED, False, False),
    ],
)
def test_completing_is_offered_where_it_is_possible(client: Client, status: str, ready: bool, offered: bool) -> None:
    signed_in(client, is_staff=True)
    task = make_task(make_project(), status=status, is_ready=ready)
    assert (f"/tasks/{task.public_id}/complete/" in _page(client, task)) == offered


def test_what_is_finished_is_not_offered_for_edit(client: Client) -> None:
    signed_in(client, is_staff=True)
    finished, running = (make_task(make_project(), status=status) for status in (Status.COMPLETED, Status.ACTIVE))
    assert f"/tasks/{finished.public_id}/edit/" not in _page(client, finished)
    assert f"/tasks/{running.public_id}/edit/" in _page(client, running)


def test_what_a_brief_leaves_out_is_named(client: Client, project: Project) -> None:
    page = _page(client, make_task(project, description="word " * 10_000))
    assert "Task: " in page.partition('id="brief-omitted"')[2]
