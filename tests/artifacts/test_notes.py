"""What a delivery decided and learned: stored with it, shown with its task, and part of what makes two calls equal."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestrator_site.mcp import registry
from orchestrator_site.mcp.schema import input_schema
from tasks.models import Note, Task
from tests import factories
from tests.assistants import Assistant, completion
from tests.rest import Rest, rest

DECISION = {"text": "Use SQLite", "because": "It needs no server", "instead_of": "PostgreSQL"}


@pytest.fixture
def task_id(ada: Assistant) -> str:
    return ada.plan("Build")["Build"]


@pytest.fixture
def api(db: None) -> Rest:
    return rest()


@pytest.fixture
def path(api: Rest) -> str:
    """Return the URL of a planned task."""
    return f"/tasks/{api.plan(factories.make_project(), 'Build')['Build']}"


def test_decisions_and_lessons_are_stored_with_the_delivery(ada: Assistant, task_id: str) -> None:
    ada.complete(task_id, decisions=[DECISION, "Keep it small"], learned=["WAL needs a local disk"])
    rows = Note.objects.order_by("id").values_list("task__public_id", "kind", "text", "because", "instead_of")
    assert list(rows) == [
        (task_id, "decision", "Use SQLite", "It needs no server", "PostgreSQL"),
        (task_id, "decision", "Keep it small", "", ""),
        (task_id, "learned", "WAL needs a local disk", "", ""),
    ]
    assert set(Note.objects.values_list("session__public_id", flat=True)) != {None}


def test_what_a_stopped_attempt_learned_is_stored_too(ada: Assistant, task_id: str) -> None:
    ada.complete(task_id, next_action="blocked", reason="Which port?", learned=["8000 is taken"])
    assert Note.objects.get().text == "8000 is taken"


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({"decisions": [{"text": " "}]}, "decisions[0]"),
        ({"decisions": ["x" * 4_001]}, "decisions[0].text"),
        ({"decisions": [{"text": "A", "because": "y" * 4_001}]}, "decisions[0].because"),
        ({"learned": ["word"] * 21}, "learned"),
        ({"learned": ["\x00"]}, "learned[0]"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(
    ada: Assistant, task_id: str, said: dict[str, object], at: str
) -> None:
    problems = ada.refused("complete_subtask", **completion(task_id), **said)["details"]["problems"]
    assert at in [problem["at"] for problem in problems]
    assert not Note.objects.exists()


def test_a_repeated_call_stores_them_once_and_other_words_are_another_call(ada: Assistant, task_id: str) -> None:
    said = {**completion(task_id), "idempotency_key": "once", "decisions": [DECISION]}
    ada.call("complete_subtask", **said)
    assert ada.call("complete_subtask", **said)["replayed"]
    assert Note.objects.count() == 1
    assert ada.refused("complete_subtask", **{**said, "decisions": ["Another"]})["code"] == "conflict"


def test_they_are_not_listed_among_the_arguments(ada: Assistant) -> None:
    (tool,) = [each for each in registry.tools() if each.name == "orchestrator_complete_subtask"]
    assert not {"decisions", "learned"} & set(input_schema(tool.arguments)["properties"])


def test_rest_takes_and_shows_them(api: Rest, path: str) -> None:
    body = {"summary": "Done", "detailed_work": "All", "decisions": [DECISION, "Small"], "learned": ["Slow disk"]}
    api.post(f"{path}/complete", body)
    assert [(each["kind"], each["text"], each["because"]) for each in api.get(path)["notes"]] == [
        ("decision", "Use SQLite", "It needs no server"),
        ("decision", "Small", ""),
        ("learned", "Slow disk", ""),
    ]


def test_rest_names_a_decision_without_text(api: Rest, path: str) -> None:
    body = {"summary": "Done", "detailed_work": "All", "decisions": [{"because": "No text"}]}
    problem = api.refused(400, "POST", f"{path}/complete", body)
    assert "decisions" in str(problem["problems"])


def test_the_page_of_the_task_shows_them(ada: Assistant, task_id: str, client: Client) -> None:
    ada.complete(task_id, decisions=[DECISION], learned=["<b>bold</b>"])
    page = factories.html_of(factories.signed_in(client).get(f"/tasks/{task_id}/"))
    shown = page.partition('id="notes"')[2].partition("</section>")[0]
    assert "It needs no server" in shown
    assert "PostgreSQL" in shown
    assert "<b>bold" not in shown


def test_the_page_of_the_plan_shows_them_folded_with_their_task(ada: Assistant, client: Client) -> None:
    tasks = ada.plan("Build", "Test")
    ada.complete(tasks["Build"], decisions=[DECISION])
    ada.complete(tasks["Test"], learned=["Slow disk"])
    plan = Task.objects.get(is_leaf=False).public_id
    page = factories.html_of(factories.signed_in(client).get(f"/tasks/{plan}/"))
    assert '<details class="box" id="notes"><summary>' in page
    shown = page.partition('id="notes"')[2].partition("</details>")[0]
    decided, learned = (each.partition("</li>")[0] for each in shown.split("<li ")[1:])
    assert "Use SQLite" in decided and f"/tasks/{tasks['Build']}/" in decided
    assert "Slow disk" in learned and f"/tasks/{tasks['Test']}/" in learned


def test_a_plan_that_decided_nothing_has_no_place_for_it(ada: Assistant, task_id: str, client: Client) -> None:
    plan = Task.objects.get(is_leaf=False).public_id
    assert 'id="notes"' not in factories.html_of(factories.signed_in(client).get(f"/tasks/{plan}/"))
