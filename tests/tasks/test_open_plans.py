"""A fresh context finds its plan: the open plans in every answer that says where a project stands."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestrator_site.kernel.identity import Principal
from tasks.models import Project, Task
from tasks.selectors.find import project_of_task
from tasks.services.caller import Caller
from tasks.tools.extras import project_status, resume_prompt
from tests.assistants import Assistant, completion, subtask
from tests.factories import make_plan, make_project
from tests.rest import rest


def plan(ada: Assistant, description: str, *subtasks: dict[str, Any], **more: Any) -> str:
    return str(ada.call("plan_task", description=description, subtasks=list(subtasks), **more)["parent_task_id"])


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [row["task_id"] for row in answer["open_plans"]]


@pytest.fixture
def chain(ada: Assistant) -> dict[str, str]:
    made = ada.call(
        "plan_task", description="Export invoices", subtasks=[subtask("A"), subtask("B", dependencies=["A"])]
    )
    return {row["title"]: row["task_id"] for row in made["subtasks"]} | {"plan": made["parent_task_id"]}


@pytest.mark.parametrize("tool", ["initialize_session", "get_status"])
def test_a_plan_has_its_id_title_progress_and_what_it_waits_for(
    ada: Assistant, chain: dict[str, str], tool: str
) -> None:
    ada.complete(chain["A"])
    assert ada.call(tool)["open_plans"] == [
        {
            "task_id": chain["plan"],
            "title": "Export invoices",
            "completed_subtasks": 1,
            "total_subtasks": 2,
            "waits_for": {"ready": 1},
        }
    ]


def test_a_plan_is_named_to_an_assistant_that_has_never_seen_it(ada: Assistant, chain: dict[str, str]) -> None:
    stranger = Assistant(ada.folder)
    (named,) = ids_of(stranger.call("initialize_session"))
    assert stranger.call("synthesize_results", parent_task_id=named)["complete"] is False


def test_the_last_active_ones_come_first_and_the_others_are_counted(ada: Assistant) -> None:
    plans = [plan(ada, f"Job {number}", subtask(f"T{number}")) for number in range(7)]
    assert ids_of(ada.call("get_status")) == plans[:1:-1]
    ada.call("execute_subtask", task_id=Task.objects.get(title="T0").public_id)
    ada.call("execute_subtask", task_id=Task.objects.get(title="T3").public_id)
    answer = ada.call("initialize_session")
    assert ids_of(answer) == [plans[3], plans[0], plans[6], plans[5], plans[4]]
    assert answer["open_plans_total"] == 7


def test_a_change_deep_in_a_plan_makes_it_the_last_active(ada: Assistant) -> None:
    group = {"title": "Outer", "description": "x", "subtasks": [{"title": "Inner", "description": "x"}]}
    group["subtasks"][0]["subtasks"] = [subtask("Deep"), subtask("Deeper")]  # type: ignore[index]
    first = plan(ada, "First", group)
    second = plan(ada, "Second", subtask("Flat"))
    for title in ("Deep", "Deeper"):
        ada.call("execute_subtask", task_id=Task.objects.get(title="Flat").public_id)
        ada.call("update_task", task_id=Task.objects.get(title="Flat").public_id, action="release")
        assert ids_of(ada.call("get_status")) == [second, first]
        ada.call("execute_subtask", task_id=Task.objects.get(title=title).public_id)
        assert ids_of(ada.call("get_status")) == [first, second]


def test_planning_more_below_a_plan_makes_it_the_last_active(ada: Assistant) -> None:
    first = plan(ada, "First", subtask("A"))
    second = plan(ada, "Second", subtask("B"))
    plan(ada, "More", subtask("C"), parent_task_id=first)
    assert ids_of(ada.call("get_status")) == [first, second]


def test_an_edit_of_a_plan_is_not_refused_because_its_subtasks_moved(ada: Assistant, chain: dict[str, str]) -> None:
    before = Task.objects.get(public_id=chain["plan"]).updated_at
    ada.call("execute_subtask", task_id=chain["A"])
    started = Task.objects.get(public_id=chain["plan"]).updated_at
    ada.complete(chain["A"])
    ada.call("execute_subtask", task_id=chain["B"])
    assert before < started == Task.objects.get(public_id=chain["plan"]).updated_at


def test_what_a_plan_waits_for_is_counted_by_kind(ada: Assistant, bob: Assistant) -> None:
    parts = [subtask("A", review=True), subtask("B"), subtask("C"), subtask("D"), subtask("E", dependencies=["B"])]
    plan(ada, "Job", *parts)
    ids = dict(Task.objects.values_list("title", "public_id"))
    ada.complete(ids["A"])
    ada.call("update_task", task_id=ids["B"], action="block", reason="No access")
    ada.call("execute_subtask", task_id=ids["C"])
    (row,) = ada.call("get_status")["open_plans"]
    assert row["waits_for"] == {"ready": 1, "active": 1, "in_review": 1, "blocked": 1}
    ada.call("update_task", task_id=ids["D"], action="cancel")
    ada.call("update_task", task_id=ids["C"], action="cancel")
    bob.call("update_task", task_id=ids["A"], action="approve")
    ada.call("update_task", task_id=ids["B"], action="cancel")
    (row,) = ada.call("get_status")["open_plans"]
    assert row["waits_for"] == {"dependencies": 1}
    assert (row["completed_subtasks"], row["total_subtasks"]) == (1, 2)


def test_deferred_tasks_are_counted_apart(ada: Assistant, chain: dict[str, str]) -> None:
    other = plan(ada, "Beside", subtask("C"), subtask("D"), subtask("E", review=True))
    ada.complete(Task.objects.get(title="E").public_id)
    later = timezone.now() + timedelta(days=1)
    Task.objects.filter(title__in=["A", "C"]).update(not_before=later, is_ready=False)
    Task.objects.filter(public_id=chain["plan"]).update(not_before=later)
    Task.objects.filter(title="E").update(not_before=later)
    waits = {row["task_id"]: row["waits_for"] for row in ada.call("get_status")["open_plans"]}
    assert waits == {chain["plan"]: {"deferred": 1}, other: {"ready": 1, "in_review": 1, "deferred": 1}}


def test_where_nothing_is_ready_for_a_session_it_learns_what_says_why(ada: Assistant, chain: dict[str, str]) -> None:
    Task.objects.filter(title="A").update(for_client="codex")
    assert "orchestrator_execute_subtask" in ada.call("initialize_session")["next"]
    assert ada.refused("execute_subtask")["details"]["meant_for_others"] == 1


def test_finished_cancelled_and_archived_plans_are_not_open(ada: Assistant) -> None:
    done, dropped, kept = (plan(ada, name, subtask(f"{name} part")) for name in ("Done", "Dropped", "Kept"))
    ada.complete(Task.objects.get(title="Done part").public_id)
    ada.call("update_task", task_id=dropped, action="cancel")
    Task.objects.filter(root__public_id=kept).update(archived_at="2026-01-01T00:00Z", is_ready=False)
    Task.objects.filter(public_id=kept).update(archived_at="2026-01-01T00:00Z")
    answer = ada.call("get_status")
    assert "open_plans" not in answer
    assert "open_plans_total" not in answer
    assert done in ada.call("initialize_session")["next"]


def test_plans_of_other_projects_are_not_named(ada: Assistant) -> None:
    make_plan(make_project("other"), 2)
    assert "open_plans" not in ada.call("initialize_session")


def test_answers_stay_small_with_many_plans_of_long_titles(ada: Assistant) -> None:
    for number in range(30):
        plan(ada, f"漢字 {number} " + "漢" * 300, *[subtask("漢" * 200 + str(part), review=True) for part in range(4)])
    for task in Task.objects.filter(is_leaf=True)[:60]:
        ada.complete(task.public_id)
    for task in Task.objects.filter(is_leaf=True)[60:90]:
        ada.call("update_task", task_id=task.public_id, action="block", reason="漢" * 300)
    for task in Task.objects.filter(is_leaf=True)[90:110]:
        ada.call("execute_subtask", task_id=task.public_id)
    welcome, status = ada.send("initialize_session"), ada.send("get_status", limit=100)
    assert len(welcome.text.encode()) <= 3000
    assert len(status.text.encode()) <= 2000
    for outcome in (welcome, status):
        assert outcome.payload["open_plans_total"] == 30
        assert outcome.payload["open_plans"]


def test_the_status_resource_and_the_prompt_name_them(ada: Assistant, chain: dict[str, str]) -> None:
    assert ids_of(json.loads(project_status(ada.caller))) == [chain["plan"]]
    assert chain["plan"] in resume_prompt(ada.caller)


@pytest.mark.django_db
def test_the_prompt_works_before_the_project_is_known() -> None:
    stranger = Caller(Principal("ada", token_id="laptop"))
    assert "orchestrator_initialize_session" in resume_prompt(stranger)


@pytest.mark.django_db
def test_rest_names_them() -> None:
    project: Project = make_project("shop")
    api = rest()
    ids = api.plan(project, "A", "B")
    api.post(f"/tasks/{ids['A']}/claim")
    status = api.get("/projects/shop/status")
    assert [(row["task_id"], row["waits_for"]) for row in status["open_plans"]] == [
        (ids["plan"], {"ready": 1, "active": 1})
    ]
    assert (status["open_plans"][0]["completed_subtasks"], status["open_plans"][0]["total_subtasks"]) == (0, 2)
    assert status["open_plans_total"] == 1


def test_a_later_page_does_not_repeat_them(ada: Assistant) -> None:
    plan(ada, "Job", *[subtask(f"T{number}") for number in range(5)])
    first = ada.call("get_status", limit=2)
    assert "open_plans" not in ada.call("get_status", limit=2, cursor=first["cursor"])


def test_completing_the_last_part_still_names_the_plan(ada: Assistant, chain: dict[str, str]) -> None:
    ada.complete(chain["A"])
    ada.call("complete_subtask", **completion(chain["B"]))
    assert project_of_task(chain["plan"]) is not None
    assert chain["plan"] in Assistant(ada.folder).call("initialize_session")["next"]
