"""Next tasks and rebalancing that were shown are kept, with what was chosen then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tasks.insights.choices import Kind, Outcome
from tasks.insights.jobs import learn
from tasks.insights.models import Suggestion
from tasks.models import Project, Task
from tests.assistants import Assistant, subtask
from tests.factories import html_of, make_plan, make_task, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(ada: Assistant) -> list[str]:
    made = ada.call("plan_task", description="A job", subtasks=[subtask(name) for name in ("One", "Two", "Three")])
    return [row["task_id"] for row in made["subtasks"]]


def ask(ada: Assistant) -> Suggestion:
    ada.call("specialist_intelligence", action="next_task")
    return Suggestion.objects.get(kind=Kind.NEXT_TASK)


def after(row: Suggestion) -> tuple[str, str]:
    learn()
    row.refresh_from_db()
    return row.outcome, row.chosen


def test_what_is_shown_as_next_is_kept_with_the_reasons(ada: Assistant, ready: list[str]) -> None:
    Task.objects.filter(public_id=ready[0]).update(unblocks=2)
    row = ask(ada)
    assert [each["value"] for each in row.answer] == ready
    assert [each["kind"] for each in row.factors] == ["unblocks"]
    assert after(row) == (Outcome.OPEN, "")


@pytest.mark.parametrize(("number", "outcome"), [(0, Outcome.ACCEPTED), (1, Outcome.OTHER)])
def test_what_the_session_claims_then_is_its_choice(
    ada: Assistant, ready: list[str], number: int, outcome: Outcome
) -> None:
    row = ask(ada)
    ada.call("execute_subtask", task_id=ready[number])
    ada.call("execute_subtask", task_id=ready[2])
    assert after(row) == (outcome, ready[number])


def test_claims_before_it_and_those_of_others_are_none(ada: Assistant, bob: Assistant, ready: list[str]) -> None:
    ada.call("execute_subtask", task_id=ready[0])
    row = ask(ada)
    bob.call("execute_subtask", task_id=ready[1])
    assert after(row) == (Outcome.OPEN, "")


def test_a_claim_a_day_later_is_none(ada: Assistant, ready: list[str]) -> None:
    row = ask(ada)
    Suggestion.objects.update(created_at=timezone.now() - timedelta(days=2))
    ada.call("execute_subtask", task_id=ready[0])
    assert after(row) == (Outcome.OPEN, "")


def test_the_page_says_how_many_took_the_first(client: Client, ada: Assistant, ready: list[str]) -> None:
    ask(ada)
    ada.call("execute_subtask", task_id=ready[0])
    learn()
    page = html_of(signed_in(client).get(f"/projects/{Project.objects.get().slug}/insights/"))
    assert 'id="taken" data-accepted="1" data-decided="1"' in page


def test_asked_twice_it_is_kept_once(ada: Assistant, ready: list[str]) -> None:
    assert ask(ada) == ask(ada)


def test_a_rebalancing_that_was_shown_is_accepted_by_applying_it(ada: Assistant) -> None:
    project = Project.objects.get()
    make_task(project, parent=make_plan(project, 0), specialist="tester", is_ready=True, unblocks=3, chain=2)
    found = ada.call("workload_manager", action="suggest_rebalancing")
    row = Suggestion.objects.get(kind=Kind.CHANGE)
    assert (row.outcome, row.answer) == (Outcome.OPEN, [{"value": found["plan_token"]}])
    ada.call("workload_manager", action="apply", plan_token=found["plan_token"])
    row.refresh_from_db()
    assert (row.outcome, row.chosen) == (Outcome.ACCEPTED, found["plan_token"])
