"""Acting on a task through its pages: every verb in every state, for everyone; lost races; words that break in."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.choices import Status, Verb
from tasks.models import Event, Project, Task
from tasks.selectors.available_actions import BY_VERB, OFFERS
from tests.factories import (
    html_of,
    make_dependency,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    make_user,
    note_of,
)
from tests.mcp.stdio_client import ROOT, environment

pytestmark = pytest.mark.django_db

PEOPLE: dict[str, dict[str, bool]] = {"reader": {}, "reviewer": {"is_staff": True}, "owner": {"is_superuser": True}}
LEADS_TO: dict[str, dict[Verb, Status]] = {
    Status.PENDING: {Verb.CLAIM: Status.ACTIVE, Verb.BLOCK: Status.BLOCKED, Verb.CANCEL: Status.CANCELLED},
    Status.ACTIVE: {
        Verb.RELEASE: Status.PENDING,
        Verb.BLOCK: Status.BLOCKED,
        Verb.FAIL: Status.FAILED,
        Verb.CANCEL: Status.CANCELLED,
    },
    Status.IN_REVIEW: {
        Verb.APPROVE: Status.COMPLETED,
        Verb.REQUEST_REVISION: Status.NEEDS_REVISION,
        Verb.CANCEL: Status.CANCELLED,
    },
    Status.NEEDS_REVISION: {Verb.CLAIM: Status.ACTIVE, Verb.BLOCK: Status.BLOCKED, Verb.CANCEL: Status.CANCELLED},
    Status.BLOCKED: {Verb.UNBLOCK: Status.PENDING, Verb.CANCEL: Status.CANCELLED},
    Status.FAILED: {Verb.RETRY: Status.PENDING, Verb.CANCEL: Status.CANCELLED},
    Status.COMPLETED: {Verb.REQUEST_REVISION: Status.NEEDS_REVISION},
    Status.CANCELLED: {Verb.REOPEN: Status.PENDING},
}
for _status, _verbs in LEADS_TO.items():
    if _status != Status.ACTIVE:  # what is held stays
        _verbs[Verb.ARCHIVE] = _status
"""What a page offers in each state, and where it leads; everything else is neither offered nor done."""
NEEDS_WORDS = [Verb.BLOCK, Verb.FAIL, Verb.REQUEST_REVISION]
ALL = [offer.verb for offer in OFFERS if offer.verb != Verb.RESTORE]  # which is for what is archived
EVIL = "</textarea><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\U0001f469\u200d\U0001f4bb"


@pytest.fixture
def project(client: Client) -> Project:
    client.force_login(make_user(is_staff=True))
    return make_project("ledger")


def _task(project: Project, status: str = Status.PENDING, **fields: Any) -> Task:
    ready = status in (Status.PENDING, Status.NEEDS_REVISION)
    return make_task(project, parent=make_plan(project, 1), status=status, is_ready=ready, **fields)


def _do(client: Client, task: Task, verb: str, **typed: str) -> Any:
    words = {"reason": "Because"} if BY_VERB[verb].reason else {}
    return client.post(f"/tasks/{task.public_id}/act/{verb}/", {**words, **typed})


def _status(task: Task) -> str:
    return Task.objects.get(pk=task.pk).status


def _offered(page: str, task: Task) -> set[Verb]:
    return {verb for verb in ALL if f"/tasks/{task.public_id}/act/{verb}/" in page}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("status", Status.values)
def test_menu_and_page_offer_what_is_possible_and_allowed(status: str, who: str) -> None:
    client = Client()
    client.force_login(make_user(who, **PEOPLE[who]))
    task = _task(make_project(), status)
    wanted = set() if who == "reader" else set(LEADS_TO[status])
    for address in (f"/tasks/{task.public_id}/act/", f"/tasks/{task.public_id}/"):
        assert _offered(html_of(client.get(address)), task) == wanted


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("status", Status.values)
def test_every_verb_leads_where_it_should_or_changes_nothing(status: str, who: str) -> None:
    client = Client()
    client.force_login(make_user(who, **PEOPLE[who]))
    project = make_project()
    came_of_it, wanted = {}, {}
    for verb in ALL:
        task = _task(project, status)
        answer = _do(client, task, verb, seen=f"{status}:{task.lease_number}")
        made = Event.objects.filter(task=task, verb=verb, actor_kind="person", actor_name=who).exists()
        came_of_it[verb] = (answer.status_code, _status(task), made)
        wanted[verb] = (403, status, False) if who == "reader" else _leads_to(status, verb)
    assert came_of_it == wanted


def _leads_to(status: str, verb: Verb) -> tuple[int, str, bool]:
    """The answer, the state, and whether there is an event; approving once more is not offered, and harms nothing."""
    again = status == Status.COMPLETED and verb == Verb.APPROVE
    if verb in LEADS_TO[status] or again:
        return 302, LEADS_TO[status].get(verb, status), True
    return 409 if BY_VERB[verb].reason else 302, status, False


def test_a_refused_action_shows_an_error_on_the_page(client: Client, project: Project) -> None:
    task = _task(project, Status.COMPLETED)
    page = html_of(client.get(_do(client, task, Verb.CANCEL, reason="")["Location"]))
    assert note_of(page, "conflict")


@pytest.mark.parametrize("verb", NEEDS_WORDS)
@pytest.mark.parametrize("reason", ["", "  \r\n "])
def test_an_action_without_its_required_reason_shows_the_form_again(
    client: Client, project: Project, verb: Verb, reason: str
) -> None:
    status = next(status for status, verbs in LEADS_TO.items() if verb in verbs and status != Status.PENDING)
    task = _task(project, status)
    answer = _do(client, task, verb, reason=reason, next="/projects/ledger/")
    page = answer.content.decode()
    assert (answer.status_code, _status(task)) == (400, status)
    assert 'role="alert"' in page and 'name="reason"' in page and 'value="/projects/ledger/"' in page


@pytest.mark.parametrize("verb", [verb for verb in ALL if BY_VERB[verb].reason])
def test_hostile_reasons_are_kept_and_shown_as_text(client: Client, project: Project, verb: Verb) -> None:
    status = next(status for status, verbs in LEADS_TO.items() if verb in verbs)
    task = _task(project, status, title=EVIL)
    page = html_of(client.get(_do(client, task, verb, reason=EVIL + "\r\nnext line")["Location"]))
    assert "<script>alert" not in page and "<img src=x" not in page
    event = Event.objects.get(task=task, verb=verb)
    assert EVIL + "\nnext line" in event.after.values()


@pytest.mark.parametrize("reason", ["a\x00b", "x" * 10_001])
def test_an_invalid_reason_comes_back_in_the_form(client: Client, project: Project, reason: str) -> None:
    task = _task(project)
    answer = _do(client, task, Verb.BLOCK, reason=reason)
    page = answer.content.decode()
    assert (answer.status_code, _status(task)) == (400, Status.PENDING)
    assert "x" * 10_001 in page or note_of(page, "invalid")


@pytest.mark.parametrize("verb", ["", "dance", "complete", "plan", "CLAIM", "claim%00", "start", "finish"])
def test_an_unknown_verb_is_not_found(client: Client, project: Project, verb: str) -> None:
    task = _task(project)
    address = f"/tasks/{task.public_id}/act/{verb}/"
    assert client.get(address).status_code == client.post(address).status_code == 404
    assert _status(task) == Status.PENDING


def test_an_unknown_task_is_not_found(client: Client, project: Project) -> None:
    assert client.get("/tasks/task_ffffffff/act/").status_code == 404
    assert client.post("/tasks/task_ffffffff/act/claim/").status_code == 404


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/x", "javascript:alert(1)", "\\\\evil", "", "nowhere", "a.b"]
)
def test_what_leads_to_another_host_leads_to_the_task(client: Client, project: Project, target: str) -> None:
    task = _task(project)
    assert _do(client, task, Verb.BLOCK, next=target)["Location"] == f"/tasks/{task.public_id}/"


def test_it_leads_back_to_where_it_was_asked_for(client: Client, project: Project) -> None:
    back = "/projects/ledger/tasks/?status=pending&page=2"
    assert _do(client, _task(project), Verb.BLOCK, next=back)["Location"] == back


def test_a_message_confirms_the_action(client: Client, project: Project) -> None:
    task = _task(project, Status.IN_REVIEW, title="Count it")
    page = html_of(client.get(_do(client, task, Verb.REQUEST_REVISION)["Location"]))
    assert "Count it" in note_of(page, Verb.REQUEST_REVISION)


@pytest.mark.parametrize("verb", [Verb.CLAIM, Verb.REQUEST_REVISION, Verb.RETRY])
def test_a_lost_race_says_who_was_faster_whatever_was_written_since(
    client: Client, project: Project, verb: Verb
) -> None:
    task = _task(project, Status.ACTIVE, title="Count it")
    session = make_session(project, client_name="Claude Code")
    make_event(task, verb, actor_name="ada/laptop", session=session, after={"status": "active"})
    make_event(task, Verb.EDIT, actor_name="grace", after={"title": "Count it"})
    answer = _do(client, task, Verb.CANCEL, seen="pending:0", reason="")
    note = note_of(html_of(client.get(answer["Location"])), "conflict")
    assert all(part in note for part in ("ada/laptop", "Claude Code", verb.done_to("it"), "“Count it”"))
    assert "grace" not in note
    assert _status(task) == Status.ACTIVE


def test_after_a_conflict_the_reason_is_kept_and_can_be_sent_again(client: Client, project: Project) -> None:
    task = _task(project, Status.ACTIVE, lease_number=2)
    make_event(task, Verb.CLAIM, actor_name="ada/laptop", after={"status": "active"})
    answer = _do(client, task, Verb.CANCEL, seen="pending:1", reason="Nobody wants it any more")
    page = answer.content.decode()
    assert answer.status_code == 409 and "ada/laptop" in note_of(page, "conflict")
    assert "Nobody wants it any more" in page
    assert 'value="active:2"' in page and _status(task) == Status.ACTIVE


def test_a_lease_that_went_to_another_holder_is_a_lost_race_too(client: Client, project: Project) -> None:
    task = _task(project, Status.ACTIVE, lease_number=4)
    _do(client, task, Verb.FAIL, seen="active:3")
    assert _status(task) == Status.ACTIVE
    _do(client, task, Verb.FAIL, seen="active:4")
    assert _status(task) == Status.FAILED


def test_what_waits_for_others_is_not_taken_and_the_reason_is_for_people(client: Client, project: Project) -> None:
    task = _task(project)
    make_dependency(task, make_task(project))
    Task.objects.filter(pk=task.pk).update(is_ready=False)
    page = html_of(client.get(_do(client, task, Verb.CLAIM, reason="")["Location"]))
    assert note_of(page, "not_ready") and "orchestrator_" not in page
    assert _status(task) == Status.PENDING


def test_a_form_of_a_verb_that_is_not_possible_says_so(client: Client, project: Project) -> None:
    task = _task(project, Status.COMPLETED)
    page = html_of(client.get(f"/tasks/{task.public_id}/act/block/"))
    assert 'id="not-possible"' in page and "<textarea" not in page


def test_an_archived_task_offers_nothing_but_to_restore_it(client: Client, project: Project) -> None:
    task = _task(project)
    Task.objects.filter(pk=task.pk).update(archived_at=task.created_at, is_ready=False)
    menu = html_of(client.get(f"/tasks/{task.public_id}/act/"))
    assert _offered(menu, task) == set() and f"/tasks/{task.public_id}/act/restore/" in menu
    _do(client, task, Verb.BLOCK)
    assert _status(task) == Status.PENDING
    page = html_of(client.get(_do(client, task, Verb.RESTORE, reason=EVIL)["Location"]))
    assert Task.objects.on_board().filter(pk=task.pk).exists() and "<script>alert" not in page


def test_a_plan_is_cancelled_with_everything_unfinished_below_it(client: Client, project: Project) -> None:
    plan = make_plan(project, 3, statuses=[Status.PENDING, Status.COMPLETED, Status.BLOCKED])
    assert _offered(html_of(client.get(f"/tasks/{plan.public_id}/act/")), plan) == {Verb.CANCEL, Verb.ARCHIVE}
    _do(client, plan, Verb.CANCEL)
    below = plan.children.order_by("position").values_list("status", flat=True)
    assert [_status(plan), *below] == ["cancelled", "cancelled", "completed", "cancelled"]


def test_the_form_to_cancel_counts_what_goes_with_it_and_what_waits_for_it(client: Client, project: Project) -> None:
    plan = make_plan(project, 3, statuses=[Status.PENDING, Status.COMPLETED, Status.BLOCKED])
    make_dependency(make_task(project), plan.children.first())
    cost = html_of(client.get(f"/tasks/{plan.public_id}/act/cancel/")).partition('id="cost"')[2].partition("</p>")[0]
    assert [int(number) for number in re.findall(r"\d+", cost)] == [2, 1]
    alone = make_task(project)
    assert 'id="cost"' not in html_of(client.get(f"/tasks/{alone.public_id}/act/cancel/"))


def test_a_plan_that_asks_for_review_is_approved(client: Client, project: Project) -> None:
    plan = make_plan(project, 1, statuses=[Status.COMPLETED], status=Status.IN_REVIEW)
    _do(client, plan, Verb.APPROVE, reason="")
    assert _status(plan) == Status.COMPLETED


@pytest.mark.parametrize("verb", ALL)
def test_a_post_without_its_token_is_refused(verb: Verb) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user(is_superuser=True))
    status = next(status for status, verbs in LEADS_TO.items() if verb in verbs)
    task = _task(make_project(), status)
    assert (_do(strict, task, verb).status_code, _status(task)) == (403, status)


@contextmanager
def _asker(home: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tasks.asker", *words],
        cwd=ROOT, env=environment(home, trial=False), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with process:
            yield process
    finally:
        process.kill()


def _in_another_home(home: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT, env=environment(home, trial=False), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


_MADE = """
from maintenance.upgrades.ensure_schema import ensure_schema
ensure_schema()
from tests.factories import make_project, make_task, make_user
for name in ("ada", "grace"): make_user(name, is_superuser=True)
print(make_task(make_project("ledger"), status="in_review", title="Count it").public_id)
"""
_ENDED = """
from tasks.models import Event, Task
print(Task.objects.get().status, Event.objects.filter(verb__in=["approve", "cancel"]).count())
"""


def test_of_two_people_in_two_processes_one_gets_a_conflict(tmp_path: Path) -> None:
    task = _in_another_home(tmp_path, _MADE)
    with ExitStack() as stack:
        both = [
            stack.enter_context(_asker(tmp_path, name, task, verb, "in_review:0"))
            for name, verb in (("ada", "approve"), ("grace", "cancel"))
        ]
        for process in both:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("now\n")
            process.stdin.flush()
        ada, grace = (unescape(process.communicate(timeout=120)[0]).strip() for process in both)
    if _in_another_home(tmp_path, _ENDED) == "completed 1":
        assert ada.startswith("success approve: ") and grace.startswith("error conflict: ") and "ada" in grace
    else:
        assert _in_another_home(tmp_path, _ENDED) == "cancelled 1"
        assert grace.startswith("success cancel: ") and ada.startswith("error conflict: ") and "grace" in ada
