"""A specialist that is suggested on the form of a task: shown with its reasons, chosen by a person, never by itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.insights.choices import Outcome
from tasks.insights.models import Suggestion
from tasks.insights.routing.words import fingerprint
from tasks.models import Project, Task
from tests.factories import html_of, make_project, make_task, sent, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(client: Client) -> Task:
    signed_in(client, is_staff=True)
    return make_task(make_project(), title="Test the parser", specialist="")


def form_of(client: Client, task: Task) -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/edit/"))


def send(client: Client, task: Task, page: str, **fields: Any) -> Any:
    return client.post(f"/tasks/{task.public_id}/edit/", {**sent(page), **fields})


def offered(page: str) -> list[str]:
    return re.findall(r'name="use" value="(\w+)"', page)


def words_of(page: str) -> str:
    return page.partition('id="suggested"')[2].partition("</p>")[0]


def chosen_in(page: str) -> str:
    return str(sent(page)["specialist"][0])


def test_a_task_without_a_specialist_shows_one_with_the_reason(client: Client, task: Task) -> None:
    page = form_of(client, task)
    assert offered(page) == ["tester"]
    assert "because" in words_of(page)
    assert chosen_in(page) == ""


def test_a_task_that_has_it_already_shows_nothing(client: Client, task: Task) -> None:
    Task.objects.update(specialist="tester")
    assert offered(form_of(client, task)) == []


def test_the_reason_names_the_words_of_the_title_that_met_a_rule(client: Client, task: Task) -> None:
    Task.objects.update(title="Fix the crash of the parser")
    assert "\u201cfix\u201d" in words_of(form_of(client, task))


def test_where_it_is_unsure_both_are_offered_and_no_reason_is_made_up(client: Client, task: Task) -> None:
    Task.objects.update(title="Xyzzy")
    page = form_of(client, task)
    assert len(offered(page)) == 2 and "because" not in words_of(page)


def test_using_it_fills_the_form_in_and_saves_nothing(client: Client, task: Task) -> None:
    page = html_of(send(client, task, form_of(client, task), use="tester", title="Test it all"))
    assert (chosen_in(page), sent(page)["title"]) == ("tester", ["Test it all"])
    task.refresh_from_db()
    assert (task.specialist, task.title) == ("", "Test the parser")


def test_saving_it_records_what_was_shown_and_that_it_was_taken(client: Client, task: Task) -> None:
    page = html_of(send(client, task, form_of(client, task), use="tester"))
    send(client, task, page, save="1")
    row = Suggestion.objects.get()
    assert (row.task, row.chosen, row.outcome, row.actor_name) == (task, "tester", Outcome.ACCEPTED, "ada")
    task.refresh_from_db()
    assert task.specialist == "tester"


def test_saving_another_records_that_too(client: Client, task: Task) -> None:
    send(client, task, form_of(client, task), specialist="reviewer", save="1")
    row = Suggestion.objects.get()
    assert (row.answer[0]["value"], row.chosen, row.outcome) == ("tester", "reviewer", Outcome.OTHER)


def test_what_is_recorded_is_what_the_form_showed_for_what_was_typed(client: Client, task: Task) -> None:
    page = html_of(send(client, task, form_of(client, task), look="1", title="Fix the crash"))
    assert offered(page) == ["debugger"]
    send(client, task, page, specialist="debugger", save="1")
    row = Suggestion.objects.get()
    assert (row.answer[0]["value"], row.outcome) == ("debugger", Outcome.ACCEPTED)
    assert row.input_sha256 == fingerprint("Fix the crash")


@pytest.mark.parametrize("shown", ["1", "", "e30:1sFake:made-up"])
def test_what_no_form_showed_is_not_recorded(client: Client, task: Task, shown: str) -> None:
    send(client, task, form_of(client, task), specialist="reviewer", save="1", suggested=shown)
    assert not Suggestion.objects.exists()
    assert Task.objects.get().specialist == "reviewer"


def test_a_suggestion_for_another_task_is_not_recorded(client: Client, task: Task) -> None:
    other = make_task(task.project, title="Fix the crash", specialist="")
    shown = sent(form_of(client, other))["suggested"]
    send(client, task, form_of(client, task), specialist="reviewer", save="1", suggested=shown)
    assert not Suggestion.objects.exists()


def test_keeping_a_specialist_beside_a_suggestion_is_recorded_as_a_choice(client: Client, task: Task) -> None:
    Task.objects.update(specialist="reviewer")
    send(client, task, form_of(client, task), description="All of it.", save="1")
    row = Suggestion.objects.get()
    assert (row.answer[0]["value"], row.chosen, row.outcome) == ("tester", "reviewer", Outcome.OTHER)


def test_saving_where_nothing_was_suggested_records_nothing(client: Client, task: Task) -> None:
    Task.objects.update(specialist="tester")
    send(client, task, form_of(client, task), description="All of it.", save="1")
    assert not Suggestion.objects.exists()


def test_saving_other_fields_chooses_nothing(client: Client, task: Task) -> None:
    send(client, task, form_of(client, task), description="All of it.", save="1")
    assert not Suggestion.objects.exists()
    assert Task.objects.get().specialist == ""


def test_looking_at_the_form_changes_nothing(client: Client, task: Task) -> None:
    form_of(client, task)
    assert not Suggestion.objects.exists()


def test_a_specialist_that_does_not_exist_is_not_taken(client: Client, task: Task) -> None:
    send(client, task, form_of(client, task), use="weigher")
    assert chosen_in(html_of(send(client, task, form_of(client, task), use="weigher"))) == ""


def test_switched_off_it_shows_nothing_and_costs_no_query(client: Client, task: Task) -> None:
    form_of(client, task)
    with CaptureQueriesContext(connection) as on:
        form_of(client, task)
    Project.objects.update(settings={"routing": {"suggest": "off"}})
    with CaptureQueriesContext(connection) as off:
        page = form_of(client, task)
    assert offered(page) == [] and 'name="suggested"' not in page
    assert not any("insights_" in each["sql"] for each in off.captured_queries)
    assert len(off) < len(on)


def test_a_hostile_title_is_suggested_for_like_any_other(client: Client, task: Task) -> None:
    Task.objects.update(title="<b>Test</b> \u202eit\u202c", description="<script>" * 9_000)
    assert "<b>Test" not in form_of(client, task).partition('id="suggested"')[2].partition("</div>")[0]
