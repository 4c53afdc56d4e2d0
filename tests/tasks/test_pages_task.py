"""The page of one task, `/tasks/<public_id>/`: a plan with its tree, or a piece of work."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from artifacts.templatetags import prose
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
    places = [shown.index(f"<bdi>{name} part</bdi></a>") for name in ("First", "Middle", "Inner", "Last")]
    assert places == sorted(places)
    assert "1 of 3" in page and "33%" in page and "0 of 1" in page
    assert "Why we do it" in page and "Python 3.12" in page
    tree = page.partition('<ul class="tree">')[2].partition("</section>")[0]
    assert tree.count("<ul>") + 1 == tree.count("</ul>") and tree.count("<li>") == tree.count("</li>") == 5


def test_the_completed_tasks_of_each_group_are_folded_together(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    group, done = (make_task(project, parent=plan, title=title, position=9) for title in ("Group", "All done"))
    for number, parent in enumerate((plan, group, group, done)):
        make_task(project, parent=parent, title=f"Part {number}", status=Status.COMPLETED, position=number)
    make_task(project, parent=group, title="Rest")
    tree = _page(client, plan).partition('<ul class="tree">')[2].partition("</section>")[0]
    folds = re.findall(r'<details class="fold".*?<ol>(.*?)</ol></details></li>', tree, re.DOTALL)
    assert [re.findall(r"<bdi>(Part \d)</bdi></a>", fold) for fold in folds] == [["Part 0"], ["Part 1", "Part 2"]]


def test_a_plan_says_when_anything_below_it_last_changed(client: Client, project: Project) -> None:
    now = timezone.now()
    plan = make_plan(project, 0, updated_at=now - timedelta(days=3))
    make_task(project, parent=plan, updated_at=now - timedelta(minutes=9))
    assert re.search(r"<dt>Changed</dt><dd><time [^>]*>9 minutes ago", _page(client, plan))


def test_a_plan_keeps_what_awaits_a_person_short_and_beside_its_tree(client: Client, project: Project) -> None:
    plan = make_plan(project, 9, statuses=[Status.BLOCKED])
    page = _page(client, plan)
    waits = page.partition('id="waits" data-tasks="9"')[2].partition("</section>")[0]
    assert waits.count('class="link-row"') == board.SIDE_ROWS and f"?plan={plan.public_id}" in waits
    assert page.index('class="tree"') < page.index('id="waits"')


def test_a_plan_names_its_critical_path_and_what_is_ready(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    first, second, _ = (make_task(project, parent=plan, title=title) for title in ("First", "Second", "Other"))
    make_dependency(second, first)
    Task.objects.filter(pk=first.pk).update(is_ready=True)
    page = _page(client, plan)
    names = [_names(page, part) for part in ("critical", "ready")]
    assert names == [["First", "Second"], ["First"]]
    assert page.count('data-blocked-by="1"') == page.count('data-blocks="1"') == 1


def _names(page: str, part: str) -> list[str]:
    return re.findall(r"<bdi>([^<]+)</bdi></a>", page.partition(f'id="{part}"')[2].partition("</section>")[0])


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


def test_breadcrumbs_lead_to_the_plan_and_the_parent_and_the_bar_to_the_project(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0, title="The plan")
    group = make_task(project, parent=plan, title="The group")
    trail = _page(client, make_task(project, parent=group)).partition('class="trail"')[2].partition("</nav>")[0]
    assert re.findall(r"<bdi>(.*?)</bdi>", trail) == ["The plan", "The group"]
    assert f'class="pick" href="/projects/{project.slug}/"' in _page(client, plan)


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
    artifact = make_artifact(task, paths=["src/a.py", "src/b.py"], summary="Two files")
    page = _page(client, task)
    assert f"/artifacts/{artifact.public_id}/" in page and "src/a.py" in page
    make_artifact(task, paths=["src/\u202eyp.exe"])
    listed = _page(client, task).partition('id="artifacts"')[2].partition("</section>")[0]
    assert "src/[U+202E]yp.exe" in listed and "\u202e" not in listed


def test_history_lists_events_and_changes(client: Client, project: Project) -> None:
    task = make_task(project)
    earlier = timezone.now() - timedelta(minutes=3, seconds=5)
    facts = {"before": {"status": "pending"}, "after": {"status": "needs_revision", "labels": ["a", "b"]}}
    make_event(task, Verb.CLAIM, created_at=earlier, **facts)
    make_event(task, Verb.REQUEST_REVISION, actor_kind="person", actor_name="Ada")
    make_event(task, Verb.DELIVER)
    history = _page(client, task).partition('id="history"')[2]
    entry = r'data-verb="(\w+)">.*?<b[^>]*><bdi>([^<]+)</bdi></b>.*?<time [^>]*>([^<]+)</time>'
    assert re.findall(entry, history, re.DOTALL) == [
        ("claim", "Claude Code", "3 minutes ago"),
        ("request_revision", "Ada", "just now"),
        ("deliver", "Claude Code", "just now"),
    ]
    assert "<bdi>status</bdi>: <bdi>Pending</bdi> → <b><bdi>Needs revision</bdi></b>" in history
    assert "<bdi>labels</bdi>: <b><bdi>a, b</bdi></b>" in history


def test_an_assistant_is_named_first_and_whom_it_acted_for_in_the_tooltip(client: Client, project: Project) -> None:
    session = make_session(project, client_name="Claude Code", principal="ada")
    task = make_task(project, status=Status.ACTIVE, lease_session=session, lease_holder="Claude Code")
    make_event(task, Verb.CLAIM, actor_name="ada", session=session)
    page = _page(client, task)
    (event,) = re.findall(r'data-verb="claim">(.*?)</li>', page, re.DOTALL)
    assert '<b title="for ada"><bdi>Claude Code</bdi></b>' in event and "ada</bdi>" not in event
    assert page.count('title="Claude Code, for ada"') == 2


def test_a_run_of_events_is_one_line(client: Client, project: Project) -> None:
    task = make_task(project)
    for verb in (Verb.PLAN, Verb.CLAIM, Verb.DELIVER, Verb.DELIVER):
        make_event(task, verb)
    make_event(task, Verb.COMPLETE, after={"summary": "Done"})
    run, _, rest = _page(client, task).partition('<details class="run"')[2].partition('<li class="turn')
    assert "4 more events: planned, claimed, delivered an artifact" in run
    assert len(re.findall(r"data-verb", run)) == 4 and rest.count("data-verb") == 1


def test_leases_and_hashes_are_shown_on_demand(client: Client, project: Project) -> None:
    task = make_task(project)
    make_event(task, Verb.DELIVER, after={"sha256": "c077d1166e89" * 4, "lease_number": 7})
    make_event(task, Verb.EDIT, before={"effort": "1 h"}, after={"effort": "2 h"})
    history = _page(client, task).partition('id="history"')[2]
    hidden = "".join(re.findall(r"</summary>(.*?)</details>", history, re.DOTALL))
    assert "c077d1166e89" in hidden and "lease number" in hidden and "2 h" in history and "2 h" not in hidden


def test_times_are_those_of_the_reader(client: Client, project: Project) -> None:
    task = make_task(project)
    make_event(task, created_at=datetime(2026, 1, 31, 23, 50, tzinfo=UTC))
    client.cookies["zone"] = "Europe/Vienna"
    assert 'title="2026-02-01 00:50:00 CET"' in _page(client, task)


@pytest.mark.parametrize("zone", ["", "Nowhere", "../etc/passwd", "x" * 300])
def test_an_unknown_time_zone_is_that_of_the_site(client: Client, project: Project, zone: str) -> None:
    client.cookies["zone"] = zone
    assert " UTC" in _page(client, make_task(project))


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
    # session, user, to review, task, tree, waits (2), artifact counts, counts, critical path, notes, needs,
    # needed by, artifacts, turns, comments, events
    with django_assert_max_num_queries(20):
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
    said = _said(page, "history")
    turns = ["First try", "Verdict 1", "Second try", "Verdict 2"]
    assert [said.index(turn) for turn in turns] == sorted(said.index(turn) for turn in turns)
    verbs = re.findall(r'<li class="turn[^>]*data-verb="(\w+)"', page)
    assert verbs == [Verb.COMPLETE, Verb.REQUEST_REVISION, Verb.COMPLETE, Verb.APPROVE]
    assert "Claude Code" in said and "grace" in said
    shown = page.partition('id="history"')[2].partition("</section>")[0]
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
    talk = _page(client, task).partition('id="history"')[2].partition("</section>")[0]
    assert "version=1&amp;view=source#L2" in talk
    assert talk.index("Fix it") < talk.index("Sent words") < talk.index("data-draft") < talk.index("Draft words")


def test_every_page_of_a_long_conversation_has_its_words(client: Client, project: Project) -> None:
    task = make_task(project)
    for number in range(85):
        make_event(task, Verb.COMPLETE, after={"summary": f"Round {number}."})
    for number, page in ((84, ""), (0, "page=5")):
        assert f"Round {number}." in _said(_page(client, task, page), "history")


def test_a_huge_plan_says_what_awaits_a_person_too(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "TREE_ROWS", 3)
    monkeypatch.setattr(board, "LOOKED_AT", 2)
    plan = make_plan(project, 12, statuses=[Status.PENDING, Status.PENDING, Status.PENDING, Status.FAILED])
    waits = _page(client, plan).partition('id="waits" data-tasks="3"')[2].partition("</section>")[0]
    assert waits.count('class="link-row"') == 2


def test_a_reader_is_offered_nothing_but_to_read(client: Client, project: Project) -> None:
    page = _page(client, make_task(project, is_ready=True))
    verbs = page.partition('<div class="do verbs">')[2].partition("</div>")[0]
    assert "<form" not in verbs and "data-verb" not in verbs


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


@pytest.mark.parametrize(("status", "solid"), [
    (Status.PENDING, "claim"), (Status.NEEDS_REVISION, "claim"), (Status.FAILED, "retry"), (Status.BLOCKED, "unblock"),
])  # fmt: skip
def test_one_button_is_solid(client: Client, status: str, solid: str) -> None:
    signed_in(client, is_staff=True)
    ready = status in (Status.PENDING, Status.NEEDS_REVISION)
    page = _page(client, make_task(make_project(), status=status, is_ready=ready)).partition('id="main"')[2]
    (tag,) = re.findall(r'<(?:a|button) [^>]*class="[^"]*\bprimary\b[^>]*>', page.partition("<dialog")[0])
    assert f'data-verb="{solid}"' in tag


@pytest.mark.parametrize("is_held", [True, False])
def test_completing_is_the_main_action_only_where_no_assistant_holds_the_task(client: Client, is_held: bool) -> None:
    signed_in(client, is_staff=True)
    project = make_project()
    session = make_session(project) if is_held else None
    page = _page(client, make_task(project, status=Status.ACTIVE, lease_session=session, lease_holder="ada"))
    (complete,) = re.findall(r'<a class="([^"]*)" data-verb="complete"', page)
    assert ("primary" in complete) != is_held


MARKDOWN = (
    "Money is **exact**:\nno floats.\n\n- [x] `cents`\n- [ ] [rates](https://rates.example)\n\n# Why\n\n<b>raw</b>"
)


@pytest.mark.parametrize("field", ["description", "context", "reason", "answer", "summary", "review_comment"])
def test_what_was_written_is_shown_as_markdown(client: Client, project: Project, field: str) -> None:
    status = {"reason": Status.BLOCKED, "review_comment": Status.NEEDS_REVISION}.get(field, Status.PENDING)
    page = _page(client, make_task(project, status=status, **{field: MARKDOWN}))
    assert "<strong>exact</strong>:\nno floats.</p>" in page and "<code>cents</code>" in page
    assert 'rel="noopener noreferrer nofollow">rates</a>' in page and "<h3>Why</h3>" in page
    assert page.count('<input type="checkbox" disabled=""') == 2 and page.count('checked=""') == 1
    assert "<b>raw" not in page and "&lt;b&gt;raw" in page


def test_comments_and_reasons_of_the_history_are_shown_as_markdown(client: Client, project: Project) -> None:
    task = make_task(project)
    make_event(task, Verb.COMPLETE, after={"summary": "It is **done**"})
    make_event(task, Verb.REQUEST_REVISION, after={"comment": "Not `yet`"})
    history = _page(client, task).partition('id="history"')[2]
    assert "<strong>done</strong>" in history and "<code>yet</code>" in history


def test_texts_that_take_long_are_shown_plainly(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prose, "PAGE_SECONDS", -1)
    page = _page(client, make_task(project, description="A **bold** word", context="_Another_"))
    assert page.count('class="text"') == 2 and "A **bold** word" in page
