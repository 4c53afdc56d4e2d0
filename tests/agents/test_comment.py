"""Comments on what a run changed: the next attempt begins with them."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import scopes_of
from tasks.agents.brief import first_message
from tasks.agents.choices import RunState
from tasks.agents.models import RunMessage
from tasks.agents.services.comment import comment
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tests.agents.rows import make_run
from tests.factories import make_plan, make_project, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def task() -> Task:
    project = make_project("shop")
    return make_task(project, parent=make_plan(project, 0), title="Count the cart")


@pytest.fixture
def ada() -> Actor:
    user = make_user("ada", is_staff=True)
    return Actor.person(user, scopes_of(user))


def test_the_next_run_of_the_task_begins_with_the_comments(task: Task, ada: Actor) -> None:
    run = make_run(task, RunState.FAILED)
    comment(run=run, actor=ada, text="Multiply here.", path="cart.py", line=7, quote="  return price")
    comment(run=run, actor=ada, text="Where are its tests?", path="cart.py")
    message = first_message(make_run(task), resumes=False)
    order = ["cart.py, line 7:\n> return price\n\nMultiply here.", "cart.py:\n\nWhere are its tests?", "Count the cart"]
    assert sorted(order, key=message.index) == order
    assert Event.objects.filter(task=task, after__has_key="comment").count() == 2


def test_a_resumed_run_begins_with_them_too(task: Task, ada: Actor) -> None:
    run = make_run(task, RunState.KILLED)
    comment(run=run, actor=ada, text="Not like this.", path="cart.py")
    message = first_message(run, resumes=True)
    assert "Not like this." in message.split("Your run was interrupted")[0]


def test_what_was_sent_is_not_said_again(task: Task, ada: Actor) -> None:
    run = make_run(task, RunState.FAILED)
    made = comment(run=run, actor=ada, text="Not like this.", path="cart.py")
    RunMessage.objects.filter(pk=made.pk).update(sent_at=made.written_at)
    assert "Not like this." not in first_message(make_run(task), resumes=False)


def test_a_run_at_work_gets_messages_and_no_comments(task: Task, ada: Actor) -> None:
    with pytest.raises(Conflict):
        comment(run=make_run(task, RunState.RUNNING), actor=ada, text="No", path="cart.py")


@pytest.mark.parametrize("text", ["", "  ", "x" * 5_001, "a\x00b"])
def test_a_comment_that_says_nothing_or_too_much_is_refused(task: Task, ada: Actor, text: str) -> None:
    with pytest.raises(Invalid):
        comment(run=make_run(task, RunState.FAILED), actor=ada, text=text, path="cart.py")


def test_whoever_may_not_review_does_not_comment(task: Task) -> None:
    reader = make_user("eve")
    with pytest.raises(Forbidden):
        comment(run=make_run(task, RunState.FAILED), actor=Actor.person(reader, scopes_of(reader)), text="x", path="y")
