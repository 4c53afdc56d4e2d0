"""The inbox of reviews, `/reviews/`, and the review of one task, `/tasks/<public_id>/review/`."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from artifacts.models import Artifact, ArtifactVersion, Content, ReviewComment
from artifacts.reviews import files
from artifacts.selectors.artifacts import version_of
from artifacts.services.comment import comment
from orchestrator_site.kernel.identity import scopes_of
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task
from tests.artifacts.test_pages_image import PNG, make_binary
from tests.factories import (
    html_of,
    make_artifact,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    make_user,
    note_of,
    signed_in,
)

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e[a](javascript:alert(1)) 👩‍🚀"
ADA = Actor(kind="person", name="ada")
OLD, NEW = "one\ntwo\nthree\nfour\n", "one\n2\nthree\nfour\nfive\n"


@pytest.fixture
def project(client: Client) -> Project:
    signed_in(client, is_staff=True)
    return make_project("ledger", name="The ledger")


@pytest.fixture
def task(project: Project) -> Task:
    plan = make_plan(project, 0, title="The plan")
    task = make_task(project, parent=plan, title="The work", status=Status.IN_REVIEW, description="Do it so")
    make_event(task, Verb.COMPLETE, session=make_session(project, client_name="Cursor"))
    return task


@pytest.fixture
def work(task: Task) -> Artifact:
    return make_artifact(task, OLD, NEW, paths=["src/a.py"], kind="code")


def _waiting(project: Project, title: str, minutes: int = 0, **fields: Any) -> Task:
    at = timezone.now() - timedelta(minutes=minutes)
    return make_task(project, title=title, status=Status.IN_REVIEW, updated_at=at, **fields)


def _review(client: Client, task: Task, query: str = "") -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/review/?{query}"))


def _post(client: Client, task: Task, query: str = "", **given: Any) -> Any:
    return client.post(f"/tasks/{task.public_id}/review/?{query}", given)


# The inbox


def test_the_inbox_shows_what_waits_in_every_project_the_oldest_first(client: Client, project: Project) -> None:
    for name, minutes in (("Second", 5), ("Third", 1), ("First", 90)):
        _waiting(make_project(), name, minutes)
    make_task(project, title="At work", status=Status.ACTIVE)
    page = html_of(client.get("/reviews/"))
    places = [page.index(f"<bdi>{name}</bdi>") for name in ("First", "Second", "Third")]
    assert places == sorted(places) and "At work" not in page


def test_a_row_says_who_delivered_what_and_how_often_it_came_back(client: Client, task: Task, work: Artifact) -> None:
    for _ in range(2):
        make_event(task, Verb.REQUEST_REVISION)
    page = html_of(client.get("/reviews/"))
    assert "The plan" in page and "The ledger" in page and 'title="Cursor, for Claude Code"' in page
    assert "1 artifact" in page and "version 2" in page and 'data-round="3"' in page


def test_the_inbox_can_be_narrowed_to_a_project_and_the_reviews_keep_it(client: Client, project: Project) -> None:
    mine, other = _waiting(project, "Mine"), _waiting(make_project("other"), "Other")
    page = html_of(client.get("/reviews/?project=ledger"))
    assert f"/tasks/{mine.public_id}/review/?project=ledger" in page and other.public_id not in page
    assert "Other" in html_of(client.get("/reviews/?project=nonsense"))


def test_an_empty_inbox_says_how_to_ask_for_review(client: Client, project: Project) -> None:
    page = html_of(client.get("/reviews/"))
    assert "<code>review</code>" in page.partition('class="empty"')[2]


def test_what_is_blocked_or_failed_waits_for_a_person_as_well(client: Client, project: Project) -> None:
    blocked = make_task(project, title="Stuck", status=Status.BLOCKED)
    for number in range(12):
        make_task(project, title=f"Failed {number}", status=Status.FAILED)
    page = html_of(client.get("/reviews/"))
    assert f"/tasks/{blocked.public_id}/" in page and "The password of the staging server is missing." in page
    assert page.count('<li class="inbox-row ') == 11 and 'data-shown="10"' in page


def test_archived_tasks_are_not_in_the_inbox(client: Client, project: Project) -> None:
    _waiting(project, "Put away", archived_at=timezone.now())
    assert "Put away" not in html_of(client.get("/reviews/"))


def test_the_inbox_is_paged(client: Client, project: Project) -> None:
    for number in range(27):
        _waiting(project, f"Number {number}", 100 - number)
    assert "<bdi>Number 25</bdi>" in html_of(client.get("/reviews/?page=2"))


def test_the_inbox_asks_as_often_for_many_as_for_few(client: Client, project: Project) -> None:
    counts = []
    for number in range(24):
        task = _waiting(make_project(), f"Number {number}", parent=make_plan(project, 0))
        make_event(task, Verb.COMPLETE, session=make_session(project))
        make_artifact(task)
        make_task(project, status=Status.BLOCKED)
        if number in (2, 23):
            with CaptureQueriesContext(connection) as seen:
                client.get("/reviews/")
            counts.append(len(seen))
    assert counts[0] == counts[1] <= 14


# The review of one task


def test_a_review_shows_what_changed_and_what_was_asked_for(client: Client, task: Task, work: Artifact) -> None:
    page = _review(client, task)
    assert "@@" not in page and 'class="went"' in page
    assert "<ins>" in page and 'data-added="2" data-removed="1" data-from="1" data-to="2"' in page
    assert "Do it so" in page and "<bdi>Cursor</bdi> delivered version 2" in page


@pytest.mark.parametrize("query", ["layout=split", "show=source", "show=rendered", "show=nonsense", "file=nonsense"])
def test_a_review_can_be_looked_at_in_several_ways(client: Client, task: Task, work: Artifact, query: str) -> None:
    page = _review(client, task, query)
    assert "five" in page
    assert ("<del>" in page) == (query != "show=source")


def test_a_first_version_is_shown_in_numbered_lines(client: Client, task: Task) -> None:
    work = make_artifact(task, "def go():\n    pass\n", paths=["a.py"])
    page = _review(client, task)
    assert f'id="{work.public_id}-2"' in page and '<span class="nf">go</span>' in page
    assert f"on={work.public_id}&amp;line=2#remark" in page


def _selected(page: str) -> list[str]:
    return re.findall(r'aria-current="true">(?:<svg.*?</svg>)?(\w+)', page.partition('class="tools"')[2])


def test_a_first_version_in_markdown_is_rendered_and_has_no_layouts(client: Client, task: Task) -> None:
    make_artifact(task, "# Head\n\nSome *words*\n", paths=["a.md"])
    page = _review(client, task)
    assert "<em>words</em>" in page and _selected(page) == ["Rendered"]
    assert "layout=" not in page
    page = _review(client, task, "show=source")
    assert 'data-line="3"' in page and _selected(page) == ["Source"] and "layout=" not in page


def test_beside_a_changed_file_a_first_version_in_markdown_is_rendered(
    client: Client, task: Task, work: Artifact
) -> None:
    make_artifact(task, "Some *words*\n", paths=["a.md"])
    page = _review(client, task)
    assert "<em>words</em>" in page and _selected(page) == ["Changes", "Unified"]


FAR = "".join(f"line {number}\n" for number in range(1, 301))


@pytest.fixture
def far(task: Task) -> Artifact:
    changed = FAR.replace("line 2\n", "").replace("line 290\n", "def last():\nline 290 changed\n")
    return make_artifact(task, FAR, changed, paths=["a.txt"])


@pytest.mark.parametrize("layout", ["unified", "split"])
def test_unchanged_lines_are_counted_and_opened_in_place_a_hundred_at_a_time(
    client: Client, task: Task, far: Artifact, layout: str
) -> None:
    page = _review(client, task, f"layout={layout}")
    assert "@@" not in page and re.findall(r'data-hidden="(\d+)"', page) == ["281", "7"]
    link = re.search(r'href="[^"?]*\?([^"]*open=[^"#]*)#', page)
    assert link is not None
    opened = _review(client, task, unescape(link[1]))
    assert re.findall(r'data-hidden="(\d+)"', opened) == ["181", "7"]
    assert opened.count('class="open-5"') == 100 and 'class="place open-5"' in opened
    row = opened.partition(f'id="{far.public_id}-5"')[2].partition("</tr>")[0]
    assert re.search(r">6</td>.*>5</a></td>.*line 6", row)


def test_a_place_that_is_none_opens_nothing(client: Client, task: Task, far: Artifact) -> None:
    key = far.public_id
    for place in ("x", key, f"{key}-", f"{key}-x", f"{key}-0", f"{key}-{'9' * 30}", f"{key}-99999", "artifact_0-5"):
        assert re.findall(r'data-hidden="(\d+)"', _review(client, task, f"open={place}")) == ["281", "7"]


def test_hidden_lines_name_the_block_that_they_end_in(client: Client, task: Task) -> None:
    text = "def first():\n" + "    pass\n" * 20
    make_artifact(task, text, f"{text}    more\n", paths=["a.py"])
    assert '<bdi class="context">def first()</bdi>' in _review(client, task)


def test_colours_and_changes_within_a_line_are_shown_together(client: Client, task: Task) -> None:
    make_artifact(task, "x = '<a>'\n", "x = '<b>'\n", paths=["a.py"])
    page = _review(client, task)
    added = page.partition("<ins>")[2].partition("</ins>")[0]
    assert '<span class="n">x</span>' in added and "&lt;<b>b</b>&gt;" in added


def test_a_line_end_that_changed_can_be_seen(client: Client, task: Task) -> None:
    make_artifact(task, "x = 1\r\n", "x = 1\n", paths=["a.py"])
    assert "<b>\u240d</b>" in _review(client, task)


def test_a_review_says_its_place_its_round_and_what_waits_for_it(client: Client, task: Task, work: Artifact) -> None:
    make_event(task, Verb.REQUEST_REVISION)
    make_event(task, Verb.COMPLETE)
    later = make_task(task.project, title="Later")
    Dependency.objects.create(task=later, depends_on=task)
    _waiting(task.project, "Older", 90)
    head = _review(client, task).partition('class="head"')[2].partition("</nav>")[0]
    assert "2 of 2" in head and 'data-round="2"' in head and "blocks 1 task<" in head


def test_the_threads_of_a_file_are_listed_and_counted(client: Client, task: Task, work: Artifact) -> None:
    for text, line in (("Why five?", 5), ("Really five?", 5), ("Whole file", None)):
        comment(task=task, actor=ADA, text=text, version=version_of(work), line=line)
    page = _review(client, task)
    threads = page.partition('id="threads"')[2].partition("</nav>")[0]
    assert re.findall(r'<bdi class="name">([^<]+)', threads) == ["Whole file", "Why five?"] and ">L5<" in threads
    assert '<span class="count">2' in page.partition('class="jumps"')[2].partition("</ol>")[0]


def test_approving_is_the_last_and_the_only_solid_button(client: Client, task: Task, work: Artifact) -> None:
    comment(task=task, actor=ADA, text="Hm", version=version_of(work), line=1)
    bar = _review(client, task).partition('id="verdict"')[2].partition("</form>")[0]
    buttons = re.findall(r'<button name="do" value="(\w+)"[^>]*?( class="primary")?[ >]', bar)
    assert [name for name, _ in buttons] == ["request_revision", "approve"]
    assert bar.count("primary") == 1 and f'href="#comment-{ReviewComment.objects.get().pk}"' in bar


def test_markdown_can_be_read_rendered_and_its_lines_in_source(client: Client, task: Task) -> None:
    make_artifact(task, "# Head\n\nSome *words*\n", paths=["a.md"])
    page = _review(client, task, "show=rendered")
    assert "<em>words</em>" in page and 'href="?show=source#work-' in page
    assert "data-line" not in page


def test_a_work_is_held_against_what_was_reviewed_before_not_against_a_draft(client: Client, task: Task) -> None:
    work = make_artifact(task, "one\n", "sketched\n", "last\n")
    ArtifactVersion.objects.filter(artifact=work, number=1).update(created_at=timezone.now() - timedelta(hours=2))
    make_event(task, Verb.REQUEST_REVISION, created_at=timezone.now() - timedelta(hours=1))
    make_event(task, Verb.COMPLETE)
    page = _review(client, task)
    assert 'data-from="1" data-to="3"' in page and "sketched" not in page


def test_what_did_not_change_since_is_named_and_not_shown(client: Client, task: Task, work: Artifact) -> None:
    same = make_artifact(task, "as it was\n", paths=["same.txt"])
    ArtifactVersion.objects.filter(artifact=same).update(created_at=timezone.now() - timedelta(hours=2))
    make_event(task, Verb.REQUEST_REVISION, created_at=timezone.now() - timedelta(hours=1))
    make_event(task, Verb.COMPLETE)
    page = _review(client, task)
    assert "same.txt" in page and "as it was" not in page
    assert "as it was" in _review(client, task, f"file={same.public_id}")


def test_an_image_is_shown_beside_the_one_before_and_bytes_are_to_download(client: Client, task: Task) -> None:
    image = make_binary(task, PNG, PNG + b"\x00")
    fresh = make_binary(task, b"\x7fELF\xff", PNG + b"\x01")
    raw = make_binary(task, b"\x7fELF\xfe")
    page = _review(client, task)
    shown = re.findall(r"/artifacts/(\w+)/image/\?version=(\d)", page)
    assert sorted(shown) == sorted([(image.public_id, "1"), (image.public_id, "2"), (fresh.public_id, "2")])
    assert "data-binary" in page and f"/artifacts/{raw.public_id}/raw/?version=1" in page
    assert all(client.get(f"/artifacts/{key}/image/?version={number}").status_code == 200 for key, number in shown)


def test_a_large_work_shows_its_first_part_and_leads_to_the_rest(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_TOGETHER", 3)
    work = make_artifact(task, "".join(f"line {number}\n" for number in range(9)), paths=["a.txt"])
    page = _review(client, task)
    assert "<td>line 2</td>" in page and "<td>line 3</td>" not in page and f"file={work.public_id}" in page
    assert "<td>line 8</td>" in _review(client, task, f"file={work.public_id}")


def test_of_many_works_some_are_shown_and_all_are_named(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SHOWN_FILES", 2)
    for number in range(4):
        make_artifact(task, paths=[f"{number}.md"])
    page = _review(client, task)
    assert page.count('id="work-') == 2 and "3.md" in page
    assert page.partition('class="jumps"')[2].partition("</ol>")[0].count("<li>") == 4


def test_a_review_without_work_says_so(client: Client, project: Project) -> None:
    assert 'id="no-files"' in _review(client, make_task(project))
    plan = make_plan(project, 1, status=Status.IN_REVIEW)
    page = _review(client, plan)
    assert f'href="/tasks/{plan.public_id}/"' in page.partition('id="no-files"')[2]
    assert 'value="approve"' in page and "request_revision" not in page


def test_reviews_lead_to_the_ones_before_and_after(client: Client, project: Project) -> None:
    first, middle, last = (_waiting(project, name, minutes) for name, minutes in (("A", 9), ("B", 5), ("C", 1)))
    _waiting(make_project(), "Elsewhere", 3)
    page = _review(client, middle, "project=ledger")
    assert f'rel="prev" href="/tasks/{first.public_id}/review/?project=ledger"' in page
    assert f'rel="next" href="/tasks/{last.public_id}/review/?project=ledger"' in page
    assert 'rel="prev"' not in _review(client, first) and 'rel="next"' not in _review(client, last)


def test_a_review_asks_as_often_for_many_comments_as_for_few(client: Client, task: Task, work: Artifact) -> None:
    counts = []
    for number in range(30):
        comment(task=task, actor=ADA, text=f"Number {number}", version=version_of(work), line=1 + number % 5)
        make_event(task, Verb.REQUEST_REVISION, session=make_session(task.project))
        if number in (2, 29):
            with CaptureQueriesContext(connection) as seen:
                _review(client, task)
            counts.append(len(seen))
    assert counts[0] == counts[1] <= 20


# Comments and verdicts


def test_a_comment_is_below_its_line_and_can_be_deleted(client: Client, task: Task, work: Artifact) -> None:
    answer = _post(client, task, do="comment", on=work.public_id, version=2, line=5, text="Why five?")
    made = ReviewComment.objects.get()
    assert answer["Location"] == f"/tasks/{task.public_id}/review/#comment-{made.pk}"
    row = _review(client, task).partition(f'id="{work.public_id}-5"')[2].partition("</article>")[0]
    assert row.count("<tr") == 1 and "Why five?" in row and 'class="comment draft"' in row and "data-delete" in row
    _post(client, task, do="delete", comment=made.pk)
    assert not ReviewComment.objects.exists()


def test_the_comment_form_is_below_its_line_without_javascript(client: Client, task: Task, work: Artifact) -> None:
    page = _review(client, task, f"on={work.public_id}&line=2&layout=split")
    form = page.partition(f'id="{work.public_id}-2"')[2].partition("</form>")[0]
    assert 'id="remark"' in form and 'name="line" min="1" max="5" value="2"' in form
    assert f'action="/tasks/{task.public_id}/review/?layout=split"' in form


def test_a_comment_on_an_earlier_version_is_at_its_old_line(client: Client, task: Task, work: Artifact) -> None:
    comment(task=task, actor=ADA, text="Not this", version=version_of(work, 1), line=2)
    page = _review(client, task)
    assert re.search(r"two.*?</tr>\s*<tr class=\"said\">.*?Not this", page, re.DOTALL)
    assert re.search(r'<span class="muted">on line 2 [^<]*version 1', page)


def test_a_comment_on_hidden_lines_is_above(client: Client, task: Task) -> None:
    text = "".join(f"{number}\n" for number in range(50))
    work = make_artifact(task, text, text + "more\n")
    comment(task=task, actor=ADA, text="Far away", version=version_of(work), line=3)
    assert "Far away" in _review(client, task).partition('class="loose"')[2].partition("<table")[0]


def test_a_comment_that_is_refused_keeps_its_text_and_place(client: Client, task: Task, work: Artifact) -> None:
    answer = _post(client, task, do="comment", on=work.public_id, version=2, line=99, text="Where?")
    page = answer.content.decode()
    assert answer.status_code == 400 and note_of(page, "invalid") and ">Where?</textarea>" in page
    assert _post(client, task, do="comment", on=work.public_id, line="x", text="Hm").status_code == 400
    assert _post(client, task, do="comment", on="nonsense", text="Hm").status_code == 404
    assert _post(client, task, do="nonsense").status_code == 404


@pytest.mark.parametrize("number", ["9" * 30, "0" * 20 + "9" * 30, "0" * 5_000 + "1", "-1", "1.5", "१", "1\x00"])
@pytest.mark.parametrize("name", ["line", "to", "version"])
def test_a_comment_on_what_is_no_number_of_a_line_is_refused(
    client: Client, task: Task, work: Artifact, name: str, number: str
) -> None:
    answer = _post(client, task, do="comment", on=work.public_id, text="Hm", **{name: number})
    assert answer.status_code == 400 and ">Hm</textarea>" in answer.content.decode()
    assert not ReviewComment.objects.exists()


def test_a_comment_on_the_whole_that_is_refused_keeps_its_text(client: Client, task: Task, work: Artifact) -> None:
    comment(task=task, actor=ADA, text="x" * 9_000)
    answer = _post(client, task, do="comment", text="y" * 2_000)
    page = answer.content.decode()
    form = page.partition('<details class="say" open>')[2].partition("</details>")[0]
    assert f">{'y' * 2_000}</textarea>" in form and answer.status_code in (400, 413) and "data-code" in page


def test_after_a_comment_that_was_refused_the_work_can_be_judged(client: Client, task: Task, work: Artifact) -> None:
    page = _post(client, task, do="comment", on=work.public_id, version=2, line=99, text="Where?").content.decode()
    seen = re.search(r'id="verdict".*?name="seen" value="([^"]*)"', page, re.DOTALL)
    assert seen is not None and seen[1] == "in_review:0"


@pytest.mark.parametrize(
    ("changed", "given"),
    [
        ({"archived_at": timezone.now()}, {"do": "comment", "text": "My words"}),
        ({"status": Status.CANCELLED}, {"do": "request_revision", "words": "My words", "seen": "in_review:0"}),
    ],
    ids=["comment", "verdict"],
)
def test_what_was_typed_stays_where_there_is_no_form_for_it_any_more(
    client: Client, task: Task, changed: dict[str, Any], given: dict[str, str]
) -> None:
    Task.objects.filter(pk=task.pk).update(**changed)
    answer = _post(client, task, **given)
    assert answer.status_code == 409
    assert re.search(r"<textarea [^>]*readonly[^>]*>\s*My words</textarea>", answer.content.decode())


def test_line_ends_count_once_in_a_decision(client: Client, task: Task) -> None:
    words = "\r\n".join(["x"] * 4_500)
    assert _post(client, task, do="request_revision", words=words, seen="in_review:0").status_code == 302
    task.refresh_from_db()
    assert task.review_comment == words.replace("\r\n", "\n")


def test_sending_back_stays_links_to_the_next_review_and_says_what_was_done(client: Client, task: Task) -> None:
    following = _waiting(task.project, "The next one", -5)
    comment(task=task, actor=ADA, text="See here")
    answer = client.post(
        f"/tasks/{task.public_id}/review/",
        {"do": "request_revision", "words": "Fix", "seen": "in_review:0"},
        follow=True,
    )
    assert answer.redirect_chain == [(f"/tasks/{task.public_id}/review/", 302)]
    assert "The work" in note_of(answer.content.decode(), Verb.REQUEST_REVISION)
    ended = answer.content.decode().partition('id="not-in-review"')[2].partition("</p>")[0]
    assert f'href="/tasks/{following.public_id}/review/"' in ended
    task.refresh_from_db()
    assert (task.status, task.review_comment) == (Status.NEEDS_REVISION, "Fix\n\nSee here")
    talk = _review(client, task).partition('id="talk-title"')[2]
    assert "Fix" in talk and "See here" in talk and 'class="turn drafts"' not in talk


def test_an_approval_stays_in_the_project_that_was_filtered_for(client: Client, task: Task) -> None:
    answer = _post(client, task, "project=ledger", do="approve", seen="in_review:0")
    assert answer["Location"] == f"/tasks/{task.public_id}/review/?project=ledger"
    task.refresh_from_db()
    assert task.status == Status.COMPLETED
    assert 'class="note success" id="not-in-review"' in _review(client, task)


def test_a_late_decision_gets_a_conflict_and_keeps_the_input(client: Client, task: Task) -> None:
    make_event(task, Verb.APPROVE, actor_name="bo", after={"status": "completed"})
    answer = _post(client, task, do="request_revision", words="My words", seen="in_review:7")
    page = answer.content.decode()
    assert answer.status_code == 409 and "bo" in note_of(page, "conflict") and ">My words</textarea>" in page


def test_requesting_changes_needs_a_reason_or_a_comment(client: Client, task: Task) -> None:
    answer = _post(client, task, do="request_revision", words=" ", seen="in_review:0")
    assert answer.status_code == 400 and note_of(answer.content.decode(), "invalid")
    comment(task=task, actor=ADA, text="Here")
    assert _post(client, task, do="request_revision", words="", seen="in_review:0").status_code == 302


@pytest.mark.parametrize(
    ("fields", "reads", "reviews"),
    [({}, 200, 403), ({"is_staff": True}, 200, 302), ({"is_staff": True, "is_superuser": True}, 200, 302)],
    ids=["reader", "reviewer", "owner"],
)
def test_who_may_do_what(fields: dict[str, bool], reads: int, reviews: int) -> None:
    client = Client()
    task = make_task(make_project(), status=Status.IN_REVIEW)
    work = make_artifact(task)
    make_event(task, Verb.COMPLETE)
    client.force_login(make_user("bo", **fields))
    page = client.get(f"/tasks/{task.public_id}/review/")
    assert (page.status_code, client.get("/reviews/").status_code) == (reads, reads)
    assert (b'class="verdict"' in page.content) == (b"data-remark" in page.content) == (reviews == 302)
    assert _post(client, task, do="comment", on=work.public_id, text="Hm").status_code == reviews
    assert _post(client, task, do="approve", seen="in_review:0").status_code == reviews


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    task = make_task(make_project(), status=Status.IN_REVIEW)
    for address in ("/reviews/", f"/tasks/{task.public_id}/review/"):
        assert client.get(address)["Location"].startswith("/sign-in/")
    assert _post(client, task, do="approve")["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("public_id", ["task_00000000", "%00", "a%20b"])
def test_a_task_that_is_not_there_is_not_found(client: Client, project: Project, public_id: str) -> None:
    assert client.get(f"/tasks/{public_id}/review/").status_code == 404


def test_a_form_of_another_site_is_refused(task: Task) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("eve", is_staff=True))
    assert _post(client, task, do="approve", seen="in_review:0").status_code == 403


@pytest.mark.parametrize("query", ["", "show=source", "show=rendered", "layout=split"])
def test_hostile_text_is_shown_as_text(client: Client, project: Project, query: str) -> None:
    task = _waiting(project, EVIL, description=EVIL, summary=EVIL, context=EVIL)
    work = make_artifact(task, f"a\n{EVIL}\n", f"b\n{EVIL} more\n", paths=[f"src/{EVIL}.md"[:200]])
    make_event(task, Verb.COMPLETE, actor_name=EVIL[:200])
    comment(task=task, actor=Actor(kind="person", name=EVIL), text=EVIL, version=version_of(work), line=2)
    comment(task=task, actor=ADA, text=EVIL)
    for page in (_review(client, task, query), html_of(client.get("/reviews/"))):
        assert "<script>alert" not in page and "<img src=x" not in page and 'href="javascript' not in page
        assert "&lt;script&gt;" in page


def test_a_text_of_very_many_short_lines_is_shown_line_by_line(client: Client, task: Task) -> None:
    work = make_artifact(task, "1\n" * 7_000, paths=["numbers.txt"])
    page = _review(client, task)
    assert f'id="{work.public_id}-300"' in page and 'class="empty"' not in page


LONG = ("x" * 99 + "\n") * 11_000


@pytest.mark.parametrize(("new", "same"), [(LONG + "more\n", True), ("more\n" + LONG, False)])
def test_a_review_says_how_much_was_compared(client: Client, task: Task, new: str, same: bool) -> None:
    make_artifact(task, LONG, new, paths=["long.txt"])
    page = _review(client, task)
    assert ('data-same="part"' in page) == same and 'data-compared="1048576"' in page
    assert 'data-same="all"' not in page


def test_a_damaged_earlier_version_does_not_hide_the_new_one(client: Client, task: Task) -> None:
    work = make_artifact(task, "first\n", "second\n", paths=["a.py"], kind="code")
    Content.objects.filter(pk=version_of(work, 1).content_id).update(data=b"rubbish")
    page = _review(client, task)
    assert "second" in page and f'data-damaged="{work.public_id}"' in page


def test_a_draft_on_an_older_version_or_on_a_work_that_is_not_shown_can_be_deleted(client: Client, task: Task) -> None:
    old, other = make_artifact(task, "1\n", "2\n", "3\n", paths=["a.py"]), make_artifact(task, paths=["b.py"])
    me = get_user_model().objects.get()
    for version in (version_of(old, 1), version_of(other)):
        comment(task=task, actor=Actor.person(me, scopes_of(me)), text="hm", version=version, line=1)
    page = _review(client, task, f"file={old.public_id}")
    for draft in ReviewComment.objects.all():
        assert page.count(f'name="comment" value="{draft.pk}"') == page.count(f'id="comment-{draft.pk}"') == 1
