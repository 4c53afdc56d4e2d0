"""Comments of reviewers: what may be said where, and how verdicts through every entry point take them along."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from artifacts.models import Artifact, ReviewComment
from artifacts.selectors.artifacts import version_of
from artifacts.services.comment import comment, withdraw_comment
from artifacts.services.review_comments import COMMENTS_LIMIT
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services.review import approve, request_revision
from tasks.templatetags.board import happened
from tests.assistants import Assistant, subtask
from tests.factories import html_of, make_artifact, make_project, make_task, make_user, signed_in
from tests.rest import Rest

pytestmark = pytest.mark.django_db

EVE = Actor(kind="person", name="eve")
TEXT = "first\n    second `tick`\nthird\n"


@pytest.fixture
def task() -> Task:
    return make_task(make_project("ledger"), status=Status.IN_REVIEW)


@pytest.fixture
def work(task: Task) -> Artifact:
    return make_artifact(task, TEXT, paths=["src/a.py"])


def _say(task: Task, text: str = "Fix it", **more: Any) -> ReviewComment:
    return comment(task=task, actor=EVE, text=text, **more)


def test_a_comment_on_lines_keeps_how_the_first_begins(task: Task, work: Artifact) -> None:
    made = _say(task, version=version_of(work), line=2, end_line=3)
    assert (made.line, made.end_line, made.quote, made.author) == (2, 3, "second `tick`", "eve")
    assert made.sent_at is None


def test_one_end_of_a_range_is_both(task: Task, work: Artifact) -> None:
    assert _say(task, version=version_of(work), end_line=3).line == 3


def test_a_comment_may_be_on_a_work_or_on_all_of_them(task: Task, work: Artifact) -> None:
    assert _say(task, version=version_of(work)).line is None
    assert _say(task).version is None


def test_an_event_says_of_a_comment_without_what_it_says_before_it_is_sent(task: Task, work: Artifact) -> None:
    made = _say(task, "A first thought", version=version_of(work), line=1)
    reported = {"artifact": f"{work.public_id} v1", "lines": "line 1"}
    event = Event.objects.get(task=task, verb=Verb.COMMENT)
    assert (event.actor_name, event.before, event.after) == ("eve", {}, reported)
    withdraw_comment(comment=made, actor=EVE)
    event = Event.objects.filter(task=task, verb=Verb.COMMENT).latest("id")
    assert (event.before, event.after) == (reported, {})


def test_an_event_says_a_comment_on_all_works_from_one_that_is_withdrawn(task: Task) -> None:
    withdraw_comment(comment=_say(task, "A first thought"), actor=EVE)
    made, gone = Event.objects.filter(task=task, verb=Verb.COMMENT).order_by("id")
    assert happened(made) != happened(gone)


@pytest.mark.parametrize(
    ("line", "end_line"),
    [(0, 1), (4, 4), (3, 2), (1, 4), (2**40, 2**40)],
    ids=["zero", "behind", "turned", "long", "far"],
)
def test_a_comment_on_lines_that_are_not_there_is_refused(task: Task, work: Artifact, line: int, end_line: int) -> None:
    with pytest.raises(Invalid, match="3 lines"):
        _say(task, version=version_of(work), line=line, end_line=end_line)


def test_bytes_have_no_lines(task: Task) -> None:
    version = version_of(make_artifact(task, "x"))
    type(version.content).objects.update(size_chars=None, size_lines=None)
    version.content.refresh_from_db()
    with pytest.raises(Invalid, match="no lines"):
        _say(task, version=version, line=1)


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "x" * 10_001])
def test_a_text_that_cannot_be_kept_is_refused(task: Task, text: str) -> None:
    with pytest.raises(Invalid):
        _say(task, text)
    assert not ReviewComment.objects.exists()


def test_work_of_another_task_is_refused(task: Task) -> None:
    other = make_artifact(make_task(task.project, status=Status.IN_REVIEW))
    with pytest.raises(Invalid, match="belong"):
        _say(task, version=version_of(other))


def test_who_may_not_review_says_and_withdraws_nothing(task: Task) -> None:
    reader = Actor(kind="person", name="rae", scopes=frozenset({Scope.READ, Scope.WRITE}))
    with pytest.raises(Forbidden):
        comment(task=task, actor=reader, text="Hm")
    with pytest.raises(Forbidden):
        withdraw_comment(comment=_say(task), actor=reader)


def test_an_archived_task_takes_no_comment(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(archived_at=task.created_at)
    with pytest.raises(Conflict, match="archived"):
        _say(task)


def test_more_than_one_brief_carries_is_refused_before_it_is_lost(task: Task) -> None:
    _say(task, "x" * 6_000)
    with pytest.raises(Invalid, match="together"):
        _say(task, "y" * 6_000)
    assert ReviewComment.objects.count() == 1


def test_an_own_comment_can_be_withdrawn_until_it_is_sent(task: Task) -> None:
    made, kept = _say(task, "Oh no"), _say(task)
    withdraw_comment(comment=made, actor=EVE)
    assert list(ReviewComment.objects.all()) == [kept]
    request_revision(task=task, actor=EVE, reason="")
    with pytest.raises(Conflict, match="withdrawn"):
        withdraw_comment(comment=kept, actor=EVE)


def test_a_comment_of_another_is_not_withdrawn(task: Task) -> None:
    with pytest.raises(Forbidden, match="eve's"):
        withdraw_comment(comment=_say(task), actor=Actor(kind="person", name="bo"))


def test_words_and_comments_go_back_as_one_text(task: Task, work: Artifact) -> None:
    _say(task, "Say why\nand how", version=version_of(work), line=2, end_line=3)
    _say(task, "Whole file", version=version_of(work))
    _say(task, "Tests?")
    sent = request_revision(task=task, actor=EVE, reason="Nearly there")
    name = f"{work.public_id} v1, src/a.py"
    assert sent.task.review_comment == (
        f"Nearly there\n\n{name} lines 2-3: `` second `tick` ``\n  Say why\n  and how\n\n"
        f"{name}:\n  Whole file\n\nTests?"
    )
    assert not ReviewComment.objects.unsent(task)
    event = Event.objects.get(task=task, verb=Verb.REQUEST_REVISION)
    assert event.after == {"status": "needs_revision", "comment": "Nearly there", "comments": 3}


def test_comments_are_sent_once(task: Task) -> None:
    _say(task, "Only once")
    request_revision(task=task, actor=EVE, reason="One")
    Task.objects.filter(pk=task.pk).update(status=Status.IN_REVIEW, is_ready=False)
    assert request_revision(task=task, actor=EVE, reason="Two").task.review_comment == "Two"


def test_the_form_of_a_revision_counts_drafts_and_then_needs_no_reason(client: Client, task: Task) -> None:
    signed_in(client, is_staff=True)
    address = f"/tasks/{task.public_id}/act/request_revision/"
    assert " required" in html_of(client.get(address)).partition('name="reason"')[2].partition(">")[0]
    _say(task, "Fix it")
    _say(task, "And that")
    page = html_of(client.get(address))
    assert 'data-drafts="2"' in page and f'href="/tasks/{task.public_id}/review/"' in page
    assert " required" not in page.partition('name="reason"')[2].partition(">")[0]
    assert client.post(address, {"reason": "", "seen": "in_review:0"}).status_code == 302
    task.refresh_from_db()
    assert (task.status, task.review_comment) == (Status.NEEDS_REVISION, "Fix it\n\nAnd that")


def test_the_form_of_an_approval_counts_drafts(client: Client, task: Task) -> None:
    signed_in(client, is_staff=True)
    address = f"/tasks/{task.public_id}/act/approve/"
    assert "data-drafts" not in html_of(client.get(address))
    _say(task)
    assert 'data-drafts="1"' in html_of(client.get(address))


def test_neither_words_nor_comments_are_no_reason(task: Task) -> None:
    with pytest.raises(Invalid, match="reason"):
        request_revision(task=task, actor=EVE, reason=" ")


def test_what_is_too_long_together_stays_unsent(task: Task) -> None:
    _say(task, "x" * 6_000)
    with pytest.raises(Invalid, match="12,002") as refused:
        request_revision(task=task, actor=EVE, reason="y" * 6_000)
    assert f"{COMMENTS_LIMIT:,}" in refused.value.message
    assert ReviewComment.objects.unsent(task).count() == 1


def test_a_verdict_that_is_not_possible_sends_nothing(task: Task) -> None:
    _say(task)
    Task.objects.filter(pk=task.pk).update(status=Status.PENDING)
    for verdict in (approve, request_revision):
        with pytest.raises(Conflict):
            verdict(task=task, actor=EVE, reason="Words")
    assert ReviewComment.objects.unsent(task).count() == 1


def test_an_approval_keeps_comments_in_the_conversation(task: Task) -> None:
    _say(task, "A detail")
    approve(task=task, actor=EVE)
    assert not ReviewComment.objects.unsent(task)
    event = Event.objects.get(task=task, verb=Verb.APPROVE)
    assert event.after == {"status": "completed", "comments": 1}


@pytest.fixture
def delivered(ada: Assistant) -> Task:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("Build it", review=True)])
    task = Task.objects.get(public_id=made["subtasks"][0]["task_id"])
    ada.complete(task.public_id, detailed_work=TEXT, file_paths=["src/a.py"])
    _say(task, "On line two", version=version_of(task.artifacts.latest("id")), line=2)
    return task


def _over_rest(task: Task) -> None:
    client = Client()
    client.force_login(make_user("bo", is_staff=True))
    Rest(client).post(f"/tasks/{task.public_id}/request-revision", {"reason": "Words"})


def _over_the_page(task: Task) -> None:
    client = Client()
    client.force_login(make_user("bo", is_staff=True))
    assert client.post(f"/tasks/{task.public_id}/act/request_revision/", {"reason": "Words"}).status_code == 302


def test_the_next_brief_holds_what_a_tool_sent_back(ada: Assistant, bob: Assistant, delivered: Task) -> None:
    bob.call("update_task", task_id=delivered.public_id, action="request_revision")
    brief = ada.call("execute_subtask", task_id=delivered.public_id)["brief"]
    assert brief.startswith("## Reviewer's comment: address this first") and "On line two" in brief


@pytest.mark.parametrize("entry_point", [_over_rest, _over_the_page])
def test_the_next_brief_holds_what_a_person_sent_back(ada: Assistant, delivered: Task, entry_point: Any) -> None:
    entry_point(delivered)
    brief = ada.call("execute_subtask", task_id=delivered.public_id)["brief"]
    assert (
        "address this first\n> Words\n>\n> " in brief
        and "src/a.py line 2: `` second `tick` ``\n>   On line two" in brief
    )


BAD: dict[str, dict[str, Any]] = {
    "no text": {"text": ""},
    "no author": {"author": ""},
    "a line of no version": {"line": 1, "end_line": 1},
    "a line without an end": {"line": 1, "version": True},
    "an end without a line": {"end_line": 1, "version": True},
    "a quote of no line": {"quote": "x"},
    "a line before the first": {"line": 0, "end_line": 1, "version": True},
    "an end before its line": {"line": 2, "end_line": 1, "version": True},
}


@pytest.mark.parametrize("case", BAD)
def test_a_comment_cannot_have(task: Task, work: Artifact, case: str) -> None:
    fields = {"text": "Hm", "author": "eve", **BAD[case]}
    fields["version"] = version_of(work) if fields.get("version") else None
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewComment.objects.bulk_create([ReviewComment(task=task, **fields)])
