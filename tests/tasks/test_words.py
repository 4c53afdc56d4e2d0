"""No word is lost: each verb keeps what is said with it, or refuses or names it, at every entry point."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from artifacts.reports.brief import brief_of
from artifacts.selectors.conversation import conversation
from tasks.choices import Verb
from tasks.models import Event, Project, Task
from tasks.selectors.available_actions import OFFERS
from tasks.services.actions import ACTIONS
from tasks.state_machine import LIFECYCLE
from tests.assistants import Assistant
from tests.factories import html_of, make_plan, make_project, make_task, signed_in
from tests.rest import rest

FAULT, ADVICE, WORDS = "The build broke", "Use the other compiler.\n\nAsk the lab.", "These words"
FROM = {
    Verb.CLAIM: "pending", Verb.APPROVE: "in_review", Verb.REQUEST_REVISION: "in_review", Verb.BLOCK: "pending",
    Verb.UNBLOCK: "blocked", Verb.FAIL: "active", Verb.RETRY: "failed", Verb.RELEASE: "active",
    Verb.CANCEL: "pending", Verb.REOPEN: "cancelled",
}  # fmt: skip

MOVES = set(ACTIONS) - set(LIFECYCLE)


def task_in(status: str, project: Project | None = None) -> Task:
    """Make a task that anyone may act on: an active one is held no longer."""
    project = project or make_project("shop")
    held: dict[str, Any] = {"lease_expires_at": timezone.now() - timedelta(hours=1)} if status == "active" else {}
    stopped = {"reason": FAULT} if status in ("failed", "blocked") else {}
    return make_task(project, parent=make_plan(project, 0), status=status, **held, **stopped)


def require_advised(task: Task) -> None:
    read = Task.objects.select_related("project").get(pk=task.pk)
    assert read.status == "pending"
    first = brief_of(read).text.split("\n\n## ")[0]
    assert first.startswith("## Answer")
    assert first.index(FAULT) < first.index("Use the other compiler.") < first.index("Ask the lab.")
    assert Event.objects.get(task=task, verb="retry").after["answer"] == ADVICE
    assert conversation(read).turns[-1].text == ADVICE


def require_kept_or_refused(task: Task, verb: Verb, *, refused: bool) -> None:
    said = [str(after) for after in Event.objects.filter(task=task, verb=verb).values_list("after", flat=True)]
    assert refused is not any(WORDS in after for after in said)
    assert refused is (Task.objects.get(pk=task.pk).status == FROM[verb])


@pytest.mark.parametrize("argument", ["answer", "reason", "comment"])
def test_advice_for_another_attempt_over_mcp(ada: Assistant, argument: str) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    ada.call("update_task", task_id=task, action="fail", reason=FAULT)
    ada.call("update_task", task_id=task, action="retry", **{argument: ADVICE})
    require_advised(Task.objects.get(public_id=task))
    ada.complete(task)
    assert Task.objects.get(public_id=task).answer == ""


@pytest.mark.django_db
def test_advice_over_rest() -> None:
    task = task_in("failed")
    rest().post(f"/tasks/{task.public_id}/retry", {"answer": ADVICE})
    require_advised(task)


def test_advice_on_a_page(client: Client, db: None) -> None:
    signed_in(client, is_staff=True)
    task = task_in("failed")
    address = reverse("act-verb", args=[task.public_id, "retry"])
    form = html_of(client.get(address))
    assert FAULT in form and "<textarea" in form
    client.post(address, {"reason": ADVICE.replace("\n", "\r\n")})
    require_advised(task)


def test_advice_in_the_admin(client: Client, db: None) -> None:
    signed_in(client, is_staff=True, is_superuser=True)
    task = task_in("failed")
    sent = {"action": "retry_tasks", "_selected_action": task.pk, "answer": ADVICE}
    client.post(reverse("admin:tasks_task_changelist"), sent)
    require_advised(task)


def test_a_retry_without_words_says_nothing(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    ada.call("update_task", task_id=task, action="fail", reason=FAULT)
    ada.call("update_task", task_id=task, action="retry")
    assert "## Answer" not in ada.call("execute_subtask", task_id=task)["brief"]


@pytest.mark.parametrize("verb", sorted(MOVES - {Verb.CLAIM}))
def test_over_mcp(ada: Assistant, verb: Verb) -> None:
    row = task_in(FROM[verb], ada.caller.project())
    outcome = ada.send("update_task", task_id=row.public_id, action=verb.value, reason=WORDS)
    require_kept_or_refused(row, verb, refused=outcome.is_error)
    assert outcome.is_error is (verb == Verb.REOPEN)


@pytest.mark.parametrize("verb", sorted(MOVES))
@pytest.mark.parametrize("name", ["reason", "answer"])
@pytest.mark.django_db
def test_over_rest(verb: Verb, name: str) -> None:
    task = task_in(FROM[verb])
    address = f"/tasks/{task.public_id}/{verb.value.replace('_', '-')}"
    response = rest().send("POST", address, {name: WORDS})
    require_kept_or_refused(task, verb, refused=response.status_code == 400)


@pytest.mark.parametrize("verb", [offer.verb for offer in OFFERS if offer.verb in MOVES])
def test_on_a_page(client: Client, db: None, verb: Verb) -> None:
    signed_in(client, is_staff=True)
    task = task_in(FROM[verb])
    response = client.post(reverse("act-verb", args=[task.public_id, verb.value]), {"reason": WORDS})
    require_kept_or_refused(task, verb, refused=response.status_code == 400)


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.UNBLOCK, Verb.RETRY, Verb.RELEASE, Verb.REOPEN])
def test_in_the_admin(client: Client, db: None, verb: Verb) -> None:
    signed_in(client, is_staff=True, is_superuser=True)
    task = task_in(FROM[verb])
    sent = {"action": f"{verb}_tasks", "_selected_action": task.pk, "answer": WORDS}
    page = html_of(client.post(reverse("admin:tasks_task_changelist"), sent, follow=True))
    require_kept_or_refused(task, verb, refused='<li class="error">' in page)


@pytest.mark.parametrize("how", ["rest", "page", "admin"])
def test_why_something_was_archived_and_restored_is_kept(client: Client, db: None, how: str) -> None:
    signed_in(client, is_staff=True, is_superuser=True)
    task = make_task(make_project())
    for verb in LIFECYCLE:
        if how == "rest":
            rest().send("POST", f"/tasks/{task.public_id}/{verb}", {"reason": WORDS})
        elif how == "page":
            client.post(reverse("act-verb", args=[task.public_id, verb.value]), {"reason": WORDS})
        else:
            sent = {"action": f"{verb}_tasks", "_selected_action": task.pk, "answer": WORDS}
            client.post(reverse("admin:tasks_task_changelist"), sent)
        assert Event.objects.get(task=task, verb=verb).after["reason"] == WORDS
        assert Task.objects.filter(pk=task.pk, archived_at=None).exists() is (verb == Verb.RESTORE)


def test_a_reason_beside_an_edit_or_an_answer_is_refused(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("update_task", task_id=task, title="B", reason=WORDS)["code"] == "invalid"
    ada.call("update_task", task_id=task, action="block", reason="Which?")
    both = {"answer": "This", "reason": "That"}
    assert ada.refused("update_task", task_id=task, action="unblock", **both)["code"] == "invalid"


def test_a_reason_of_a_completion_is_named_or_refused(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert any("reason" in note for note in ada.complete(task, reason=WORDS)["repaired"])
    other = ada.plan("B")["B"]
    body = {"summary": "Done", "detailed_work": "All", "reason": WORDS}
    assert rest().send("POST", f"/tasks/{other}/complete", body).status_code == 400
