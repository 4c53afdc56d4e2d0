"""What is answered when a task is unblocked comes first in its next brief, from every entry point."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from artifacts.reports.brief import brief_of
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services.steer import ANSWERS_LIMIT, block, unblock
from tests.assistants import Assistant
from tests.factories import html_of, make_plan, make_project, make_task, make_user
from tests.rest import rest

QUESTION, ANSWER = "Which tax rate?", "19 % since July.\n\nAsk the accounts for older ones."


def blocked_task() -> Task:
    return make_task(make_project("shop"), parent=make_plan(make_project(), 0), status="blocked", reason=QUESTION)


def first_section(task: Task) -> str:
    return brief_of(Task.objects.select_related("project").get(pk=task.pk)).text.split("\n\n## ")[0]


def require_answered(task: Task) -> None:
    section = first_section(task)
    for line in (QUESTION, "19 % since July.", "Ask the accounts for older ones."):
        assert line in section
    assert Event.objects.get(task=task, verb="unblock").after["answer"] == ANSWER


def blocked(ada: Assistant) -> str:
    task = ada.plan("A")["A"]
    ada.call("update_task", task_id=task, action="block", reason=QUESTION)
    return task


@pytest.mark.parametrize("argument", ["answer", "reason"])
def test_over_mcp(ada: Assistant, argument: str) -> None:
    task = blocked(ada)
    assert ada.call("update_task", task_id=task, action="unblock", **{argument: ANSWER})["status"] == "pending"
    require_answered(Task.objects.get(public_id=task))
    assert ada.call("execute_subtask", task_id=task)["brief"].startswith("## Answer")


def test_after_an_attempt_that_ended_blocked(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    ada.complete(task, next_action="blocked", reason=QUESTION)
    ada.call("update_task", task_id=task, action="unblock", answer=ANSWER)
    require_answered(Task.objects.get(public_id=task))


@pytest.mark.django_db
def test_over_rest() -> None:
    task = blocked_task()
    answered = rest().post(f"/tasks/{task.public_id}/unblock", {"answer": ANSWER})["task"]
    assert answered["status"] == "pending"
    assert ANSWER.splitlines()[0] in answered["answer"]
    require_answered(task)


def test_on_a_page(client: Client, db: None) -> None:
    client.force_login(make_user(is_staff=True))
    task = blocked_task()
    form = html_of(client.get(reverse("act-verb", args=[task.public_id, "unblock"])))
    assert QUESTION in form
    assert "<textarea" in form
    client.post(reverse("act-verb", args=[task.public_id, "unblock"]), {"reason": ANSWER.replace("\n", "\r\n")})
    require_answered(task)
    page = html_of(client.get(reverse("task", args=[task.public_id])))
    assert 'id="answer"' in page
    assert page.index(QUESTION) < page.index("19 % since July.")


def test_in_the_admin(client: Client, db: None) -> None:
    client.force_login(make_user(is_superuser=True, is_staff=True))
    task = blocked_task()
    sent = {"action": "unblock_tasks", "_selected_action": task.pk, "answer": ANSWER}
    client.post(reverse("admin:tasks_task_changelist"), sent, follow=True)
    require_answered(task)
    assert 'name="answer"' in html_of(client.get(reverse("admin:tasks_task_changelist")))


def test_unblocking_without_an_answer_says_nothing(ada: Assistant) -> None:
    task = blocked(ada)
    ada.call("update_task", task_id=task, action="unblock")
    assert "Answer" not in first_section(Task.objects.get(public_id=task))


def test_later_answers_come_first_and_keep_the_earlier(ada: Assistant) -> None:
    task = blocked(ada)
    ada.call("update_task", task_id=task, action="unblock", answer="First")
    ada.call("update_task", task_id=task, action="block", reason="And then?")
    ada.call("update_task", task_id=task, action="unblock", answer="Second")
    section = first_section(Task.objects.get(public_id=task))
    assert section.index("Second") < section.index("First")


def test_of_many_rounds_the_newest_answers_are_kept_whole_within_a_limit(db: None) -> None:
    task, actor = blocked_task(), Actor.person(make_user())
    for number in range(40):
        unblock(task=task, actor=actor, answer=f"begin {number} {'x' * 900} end {number}")
        block(task=task, actor=actor, reason=f"Question {number + 1}")
    kept = Task.objects.get(pk=task.pk).answer
    begun, ended = (re.findall(rf"{word} (\d+)", kept) for word in ("begin", "end"))
    assert begun == ended == [str(39 - number) for number in range(len(begun))]
    assert len(begun) > 5 and len(kept) <= ANSWERS_LIMIT
    assert Event.objects.filter(task=task, verb="unblock").count() == 40


def test_the_longest_answer_to_the_longest_question_reaches_the_brief(db: None) -> None:
    task, actor = blocked_task(), Actor.person(make_user())
    unblock(task=task, actor=actor, answer="Short")
    block(task=task, actor=actor, reason="q\n" * 5_000)
    unblock(task=task, actor=actor, answer=f"begin {'x' * 9_900} end")
    brief = brief_of(Task.objects.select_related("project").get(pk=task.pk), max_chars=20_000)
    assert "begin x" in brief.text and "x end" in brief.text and "Short" not in brief.text


def test_an_answer_goes_with_the_delivery(ada: Assistant) -> None:
    task = blocked(ada)
    ada.call("update_task", task_id=task, action="unblock", answer=ANSWER)
    ada.complete(task)
    ada.call("update_task", task_id=task, action="request_revision", reason="Better")
    assert "Answer" not in ada.call("execute_subtask", task_id=task)["brief"]


def test_an_answer_comes_before_a_reviewers_comment(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    ada.call("update_task", task_id=task, action="request_revision", reason="Better")
    ada.call("update_task", task_id=task, action="block", reason=QUESTION)
    ada.call("update_task", task_id=task, action="unblock", answer=ANSWER)
    brief = ada.call("execute_subtask", task_id=task)["brief"]
    assert brief.index("## Answer") < brief.index("## Reviewer")


def test_an_answer_is_only_for_unblock_and_has_a_limit(ada: Assistant) -> None:
    task = blocked(ada)
    assert ada.refused("update_task", task_id=task, action="unblock", answer="x" * 10_001)["code"] == "invalid"
    assert ada.refused("update_task", task_id=task, action="cancel", answer="x")["code"] == "invalid"
