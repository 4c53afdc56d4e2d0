"""orchestrator_execute_subtask: the claim, and the brief that a specialist starts from."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from tasks.choices import Status
from tasks.models import Event, Session, Specialist, Task
from tests.assistants import Assistant, subtask


def run_out(task_id: str) -> None:
    """Let a lease run out."""
    Task.objects.filter(public_id=task_id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_the_best_ready_task_is_the_most_urgent_then_the_first(ada: Assistant, bob: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("A"), subtask("B", priority="high"), subtask("C", priority="urgent", dependencies=["A"])],
    )
    taken = [Task.objects.get(public_id=each.call("execute_subtask")["task_id"]).title for each in (ada, bob)]
    assert taken == ["B", "A"]


def test_only_tasks_of_a_specialist_are_taken_where_one_is_named(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", specialist_type="tester")])
    answer = ada.call("execute_subtask", specialist_type="tester")
    assert answer["task_id"].startswith("tester_")
    assert ada.refused("execute_subtask", specialist_type="tester")["code"] == "not_ready"
    assert ada.refused("execute_subtask", specialist_type="wizard")["code"] == "invalid"


def test_a_named_task_of_another_specialist_is_invalid(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("execute_subtask", task_id=task, specialist_type="tester")["code"] == "invalid"


def test_the_brief_holds_role_plan_task_and_how_to_deliver(ada: Assistant) -> None:
    ada.call("plan_task", description="Build a shop", context="Python only", subtasks=[subtask("A")])
    answer = ada.call("execute_subtask")
    for part in (
        "senior developer",
        "Build a shop",
        "Python only",
        "Do A",
        "Expertise:",
        "Approach:",
        "Output format:",
    ):
        assert part in answer["brief"]
    assert answer["lease_number"] == 1
    assert answer["lease_expires_at"] > timezone.now().isoformat()
    assert "orchestrator_complete_subtask" in answer["next"]


def test_the_brief_names_what_dependencies_delivered_and_how_to_read_it(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    first = ada.call("execute_subtask")
    info = ada.complete(first["task_id"], summary="Chose SQLite", detailed_work="x" * 12_534, file_paths=["design.md"])
    brief = ada.call("execute_subtask")["brief"]
    artifact = info["artifact_info"]["artifact_id"]
    assert "Chose SQLite" in brief
    assert f"orchestrator_read_artifact(artifact_id='{artifact}')" in brief
    assert "design.md" in brief
    assert "12,534 characters" in brief


def test_the_reviewers_comment_comes_first(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A", review=True)])
    task = ada.call("execute_subtask")["task_id"]
    ada.complete(task)
    ada.call("update_task", task_id=task, action="request_revision", reason="Handle the empty basket")
    brief = ada.call("execute_subtask")["brief"]
    assert brief.startswith("## Reviewer's comment: address this first\n> Handle the empty basket")
    assert "Delivered for this task before" in brief


def test_the_comment_is_still_there_after_the_task_was_given_back(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    ada.call("update_task", task_id=task, action="request_revision", reason="Handle the empty basket")
    ada.call("execute_subtask")
    ada.call("update_task", task_id=task, action="release")
    assert "Handle the empty basket" in ada.call("execute_subtask")["brief"]


def test_what_does_not_fit_is_named(ada: Assistant) -> None:
    ada.call("plan_task", description="A job\n" + "word " * 5000, subtasks=[subtask("A")])
    answer = ada.call("execute_subtask", max_chars=3000)
    assert len(answer["brief"]) <= 3000
    (omitted,) = answer["omitted"]
    assert omitted.startswith("Plan: ")
    whole = ada.call("execute_subtask", task_id=answer["task_id"], max_chars=50_000)
    assert "omitted" not in whole


def test_a_brief_of_a_task_with_many_dependencies_stays_in_its_length(ada: Assistant) -> None:
    titles = [f"Part {number}" for number in range(150)]
    ada.call("plan_task", description="A job", subtasks=[*map(subtask, titles), subtask("Last", dependencies=titles)])
    for task in Task.objects.filter(title__startswith="Part "):
        ada.complete(task.public_id, summary="s" * 500)
    answer = ada.call("execute_subtask")
    assert len(answer["brief"]) <= 12_000
    assert answer["omitted"]


def test_a_second_execute_by_the_holder_renews_and_answers_the_brief_again(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first = ada.call("execute_subtask", task_id=task)
    again = ada.call("execute_subtask", task_id=task)
    assert again["renewed"] is True
    assert again["lease_number"] == first["lease_number"]
    assert again["brief"] == first["brief"]


def test_a_lease_that_ran_out_is_free_at_once(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    run_out(task)
    answer = bob.call("execute_subtask")
    assert (answer["task_id"], answer["lease_number"]) == (task, 2)
    verbs = list(Event.objects.filter(task__public_id=task).order_by("id").values_list("verb", flat=True))
    assert verbs == ["plan", "claim", "release", "claim"]


def test_the_holder_of_a_lease_that_ran_out_may_still_complete_while_nobody_took_it(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    number = ada.call("execute_subtask", task_id=task)["lease_number"]
    run_out(task)
    assert ada.complete(task, lease_number=number)["status"] == Status.COMPLETED


def test_every_call_of_the_holder_renews_its_leases(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    soon = timezone.now() + timedelta(minutes=2)
    Task.objects.filter(public_id=task).update(lease_expires_at=soon)
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    ada.call("get_status")
    assert Task.objects.get(public_id=task).lease_expires_at > soon


def test_the_call_of_another_session_renews_nothing(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    before = Task.objects.get(public_id=task).lease_expires_at
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    bob.call("get_status")
    assert Task.objects.get(public_id=task).lease_expires_at == before


def test_nothing_ready_says_what_is_waited_for(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask")
    yours = ada.refused("execute_subtask")
    assert (yours["hint"], yours["details"]["yours"]) == ("finish_yours", [task])
    assert bob.refused("execute_subtask")["hint"] == "wait"
    ada.complete(task)
    assert ada.refused("execute_subtask")["hint"] == "synthesize"


def test_what_waits_for_a_cancelled_task_says_how_to_go_on(ada: Assistant) -> None:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    a, b = (row["task_id"] for row in made["subtasks"])
    ada.call("update_task", task_id=a, action="cancel")
    error = ada.refused("execute_subtask", task_id=b)
    assert error["details"]["waits_for"] == [{"task_id": a, "status": "cancelled"}]
    assert error["hint"] == "remove_dependency"
    ada.call("update_task", task_id=b, remove_dependencies=[a])
    ada.call("execute_subtask", task_id=b)


def test_an_execute_sent_twice_with_one_key_claims_once(ada: Assistant) -> None:
    ada.plan("A", "B")
    first = ada.call("execute_subtask", idempotency_key="k")
    again = ada.call("execute_subtask", idempotency_key="k")
    assert again["task_id"] == first["task_id"]
    assert Task.objects.filter(status=Status.ACTIVE, is_leaf=True).count() == 1


def test_a_role_of_the_projects_own_takes_effect_on_the_next_call(ada: Assistant) -> None:
    roles = ada.folder / ".task_orchestrator" / "roles"
    roles.mkdir(parents=True)
    (roles / "shop.yaml").write_text("pricer:\n  role_definition: You know what things cost.\n")
    ada.call("plan_task", description="A job", subtasks=[subtask("A", specialist_type="pricer")])
    answer = ada.call("execute_subtask")
    assert answer["task_id"].startswith("pricer_")
    assert "You know what things cost." in answer["brief"]
    (roles / "shop.yaml").write_text("pricer:\n  role_definition: You know every price by heart.\n")
    assert "every price by heart" in ada.call("execute_subtask", task_id=answer["task_id"])["brief"]


def test_a_broken_role_file_is_reported_and_the_next_source_is_used(ada: Assistant) -> None:
    roles = ada.folder / ".task_orchestrator" / "roles"
    roles.mkdir(parents=True)
    (roles / "shop.yaml").write_text("implementer:\n  role_definition: Mine\n  expertize: []\n")
    ada.plan("A")
    answer = ada.call("execute_subtask")
    assert "senior developer" in answer["brief"]
    (problem,) = answer["role_problems"]
    assert problem.startswith(str(Path(".task_orchestrator/roles/shop.yaml")) + ", line 3: implementer: unknown key")


def test_roles_edited_in_the_browser_stand_between_files_and_defaults(ada: Assistant) -> None:
    Specialist.objects.create(name="implementer", role_definition="Of the site")
    ada.plan("A", "B", "C")
    assert "Of the site" in ada.call("execute_subtask")["brief"]
    Specialist.objects.create(name="implementer", role_definition="Of the project", project=ada.caller.project())
    assert "Of the project" in ada.call("execute_subtask")["brief"]
    roles = ada.folder / ".task_orchestrator" / "roles"
    roles.mkdir(parents=True)
    (roles / "a.yaml").write_text("implementer: {role_definition: Of the file}\n")
    assert "Of the file" in ada.call("execute_subtask")["brief"]


def test_an_empty_project_says_to_plan(ada: Assistant) -> None:
    assert ada.refused("execute_subtask")["hint"] == "plan"


def test_a_specialist_without_work_is_reported_that_others_have_some(ada: Assistant) -> None:
    ada.plan("A")
    assert ada.refused("execute_subtask", specialist_type="debugger")["hint"] == "any_specialist"


def test_failed_work_is_pointed_at(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    ada.call("update_task", task_id=task, action="fail", reason="Broke")
    error = ada.refused("execute_subtask")
    assert (error["hint"], error["details"]["counts"]) == ("list_tasks", {"failed": 1})
