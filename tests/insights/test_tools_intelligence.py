"""The tool specialist_intelligence: each action with much, little and nothing to go by; it changes no task."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_site.kernel.identity import Scope, with_included
from tasks.insights.models import Suggestion
from tasks.insights.selectors import figures as counted
from tasks.models import Project, Task
from tests.assistants import Assistant, everything, subtask
from tests.factories import make_task
from tests.rest import rest

TOOL = "specialist_intelligence"
ACTIONS = ("analyze_performance", "suggest_assignment", "update_expertise", "get_workload", "next_task", "estimate")
WANTED = "Write unit tests for the parser\nCover every error."


@pytest.fixture
def done(ada: Assistant) -> list[str]:
    """Six tasks of the tester, done one by one."""
    made = ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask(f"Test part {number}", specialist_type="tester") for number in range(6)],
    )
    ids = [row["task_id"] for row in made["subtasks"]]
    for task_id in ids:
        ada.call("execute_subtask", task_id=task_id)
        ada.complete(task_id)
    return ids


def call(ada: Assistant, action: str, **more: Any) -> dict[str, Any]:
    return ada.call(TOOL, action=action, **more)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_answers_on_an_empty_board_and_says_what_to_do(ada: Assistant, action: str) -> None:
    assert call(ada, action, task_requirements=WANTED)["next"]


@pytest.mark.parametrize("action", ACTIONS)
def test_no_action_changes_the_board(ada: Assistant, done: list[str], action: str) -> None:
    before = everything()
    call(ada, action, task_id=done[0], specialist_type="tester")
    assert everything() == before


@pytest.mark.parametrize("action", ACTIONS)
def test_reading_is_enough(ada: Assistant, done: list[str], action: str) -> None:
    ada.caller.principal = ada.caller.principal.__class__("ada", scopes=with_included([Scope.READ]))
    assert call(ada, action, task_id=done[0])["next"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_specialist_that_is_unknown_or_was_deleted_is_answered(ada: Assistant, done: list[str], action: str) -> None:
    Task.objects.filter(public_id=done[0]).update(specialist="bookkeeper")
    for name in ("bookkeeper", "never was"):
        assert call(ada, action, task_id=done[0], specialist_type=name)["next"]


@pytest.mark.parametrize("action", ["suggest_assignment", "estimate"])
def test_an_unknown_task_is_not_found(ada: Assistant, action: str) -> None:
    assert ada.refused(TOOL, action=action, task_id="tester_ffffff")["code"] == "not_found"


@pytest.mark.parametrize("action", ["analyze_performance", "get_workload", "estimate"])
def test_where_figures_are_switched_off_it_says_so(ada: Assistant, done: list[str], action: str) -> None:
    ada.plan("A")
    Project.objects.update(settings={"metrics": {"daily": "off"}})
    assert "metrics.daily" in call(ada, action)["next"]


@pytest.mark.parametrize("action", ["analyze_performance", "get_workload", "estimate"])
def test_where_a_large_board_was_not_counted_yet_it_says_so(
    ada: Assistant, done: list[str], action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.plan("A")
    monkeypatch.setattr(counted, "FEW", 3)
    answer = call(ada, action)
    assert "not counted" in answer["next"]
    assert not any("finishes_per_day" in row for row in answer.get("specialists", []))


def test_a_suggestion_has_two_reasons_and_is_remembered(ada: Assistant) -> None:
    answer = call(ada, "suggest_assignment", task_requirements=WANTED)
    best, second = answer["suggestions"]
    assert best["specialist_type"] == "tester" and best["confidence"] >= second["confidence"]
    assert answer["factors"]
    shown = Suggestion.objects.get(public_id=answer["suggestion_id"])
    assert (shown.kind, shown.session) == ("specialist", ada.caller.session())


def test_a_suggestion_for_a_task_reads_its_words_and_never_assigns(ada: Assistant) -> None:
    task_id = ada.plan("Write unit tests for the parser")["Write unit tests for the parser"]
    assert call(ada, "suggest_assignment", task_id=task_id)["suggestions"][0]["specialist_type"] == "tester"
    assert Task.objects.get(public_id=task_id).specialist == "implementer"


def test_words_that_say_nothing_are_unsure(ada: Assistant) -> None:
    answer = call(ada, "suggest_assignment", task_requirements="Zzz 123")
    assert answer["unsure"] is True and len(answer["suggestions"]) == 2


def test_a_suggestion_needs_words_or_a_task(ada: Assistant) -> None:
    error = ada.refused(TOOL, action="suggest_assignment")
    assert error["details"]["problems"][0]["at"] == "task_requirements"


def test_where_suggestions_are_switched_off_none_is_made_or_kept(ada: Assistant) -> None:
    project = ada.caller.project()
    Project.objects.filter(pk=project.pk).update(settings={"routing": {"suggest": "off"}})
    answer = call(ada, "suggest_assignment", task_requirements=WANTED)
    assert "suggestions" not in answer and "suggestion_id" not in answer
    assert not Suggestion.objects.exists()


def test_success_is_shown_with_its_interval_and_number(ada: Assistant, done: list[str]) -> None:
    answer = call(ada, "analyze_performance")
    (row,) = [each for each in answer["success"] if each["of"] == "specialist"]
    assert (row["name"], row["n"], row["success"]) == ("tester", 6, 1.0)
    assert row["shrunk"] == 1.0
    assert 0 < row["interval"][0] < row["interval"][1] == 1.0
    figures = {each["name"]: each for each in answer["figures"]}
    assert figures["done"]["n"] == 6 and figures["success"]["value"] == 1.0


def test_too_few_have_no_rate(ada: Assistant) -> None:
    for task_id in list(ada.plan("A", "B").values())[:2]:
        ada.call("execute_subtask", task_id=task_id)
        ada.complete(task_id)
    rows = call(ada, "analyze_performance")["success"]
    assert rows and all(isinstance(each["success"], str) and "interval" not in each for each in rows)


def test_expertise_is_derived_and_says_so(ada: Assistant, done: list[str]) -> None:
    answer = call(ada, "update_expertise", specialist_type="tester")
    assert answer["updated"] is False
    assert {each["name"] for each in answer["success"]} == {"tester", "tester/moderate"}


def test_the_times_of_a_task_are_those_of_tasks_like_it(ada: Assistant, done: list[str]) -> None:
    answer = call(ada, "estimate", task_id=done[0])
    assert (answer["n"], answer["like"]) == (6, "tester, moderate")
    assert 0 <= answer["p50_minutes"] <= answer["p90_minutes"]
    assert call(ada, "estimate")["like"] == "every task of the project"


def test_the_times_for_a_text_are_those_of_the_specialist_it_is_surely_for(ada: Assistant, done: list[str]) -> None:
    assert call(ada, "estimate", task_requirements=WANTED)["like"] == "tester"
    assert call(ada, "estimate", task_requirements="Zzz 123")["like"] == "every task of the project"


def test_nothing_is_estimated_before_enough_has_finished(ada: Assistant) -> None:
    assert "p50_minutes" not in call(ada, "estimate", specialist_type="tester")


def test_the_next_task_is_the_one_that_a_claim_takes(ada: Assistant) -> None:
    made = ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("First"), subtask("Urgent", priority="urgent"), subtask("Later", dependencies=["First"])],
    )
    urgent = made["subtasks"][1]["task_id"]
    found = call(ada, "next_task")["tasks"]
    assert [each["title"] for each in found] == ["Urgent", "First"]
    assert all(each["reasons"] for each in found)
    assert ada.call("execute_subtask")["task_id"] == urgent


def test_the_next_task_of_a_specialist_is_one_of_it(ada: Assistant) -> None:
    ada.plan("A")
    assert "tasks" not in call(ada, "next_task", specialist_type="tester")
    assert len(call(ada, "next_task", specialist_type="implementer")["tasks"]) == 1


def test_where_nothing_is_next_it_is_said_why_as_a_claim_does(ada: Assistant) -> None:
    ada.plan("A")
    Task.objects.leaves().update(for_client="codex")
    answer, refused = call(ada, "next_task"), ada.refused("execute_subtask")
    assert answer["why"].startswith(refused["message"])
    assert answer["details"]["meant_for_others"] == refused["details"]["meant_for_others"] == 1


def test_the_workload_of_one_specialist_is_shown_alone(ada: Assistant, done: list[str]) -> None:
    ada.plan("A", "B")
    assert [each["specialist_type"] for each in call(ada, "get_workload")["specialists"]] == ["implementer", "tester"]
    (row,) = call(ada, "get_workload", specialist_type="implementer")["specialists"]
    assert (row["ready"], row["load"]) == (2, "too few")


@pytest.mark.parametrize("action", ACTIONS)
def test_answers_stay_small(ada: Assistant, done: list[str], action: str) -> None:
    project = ada.caller.project()
    for number in range(60):
        make_task(project, specialist=f"{'s' * 50}-{number}", title="t" * 300, is_ready=True)
    answer = ada.send(TOOL, action=action, task_requirements=f"{'x' * 300}\n{'word ' * 500}")
    assert not answer.is_error and len(answer.text.encode()) <= 2000


def test_unknown_actions_and_arguments_are_named(ada: Assistant) -> None:
    wrong = ada.refused(TOOL, action="dance")["details"]["problems"][0]
    assert set(wrong["allowed"]) == set(ACTIONS)
    assert "task_id" in ada.refused(TOOL, action="next_task", person="ada")["details"]["problems"][0]["allowed"]


def test_success_is_the_same_by_tool_and_rest(ada: Assistant, done: list[str]) -> None:
    answer = rest().get(f"/projects/{ada.caller.project().slug}/success")
    by_rest = {each["key"]: each for each in answer["results"]}
    rows = call(ada, "analyze_performance")["success"]
    assert rows
    for row in rows:
        assert (row["n"], row["success"]) == (by_rest[row["name"]]["n"], round(by_rest[row["name"]]["rate"], 2))
