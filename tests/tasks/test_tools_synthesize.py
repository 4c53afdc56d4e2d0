"""orchestrator_synthesize_results: every part in dependency order, and the truth about what is missing."""

from __future__ import annotations

from tasks.models import Task
from tests.assistants import Assistant, subtask


def test_a_finished_plan_is_reported_with_every_summary_and_artifact(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    artifacts = [
        ada.complete(ids[title], summary=f"Summary of {title}")["artifact_info"]["artifact_id"] for title in "AB"
    ]
    answer = ada.call("synthesize_results", parent_task_id=ids["plan"])
    assert answer["complete"] is True
    for text in ("Summary of A", "Summary of B", *artifacts, "2 of 2 parts are completed."):
        assert text in answer["report"]


def test_parts_come_after_what_they_build_on(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[
            subtask("Last", dependencies=["G"]),
            {"title": "G", "description": "g", "subtasks": [subtask("Middle", dependencies=["First"])]},
            subtask("First"),
        ],
    )
    report = ada.call("synthesize_results", parent_task_id=Task.objects.get(parent=None).public_id)["report"]
    assert report.index("First") < report.index("Middle") < report.index("Last")


def test_what_is_missing_is_named(ada: Assistant) -> None:
    ids = ada.plan("A", "B", "C", "D")
    ada.complete(ids["A"])
    ada.call("update_task", task_id=ids["B"], action="block", reason="No access")
    ada.call("update_task", task_id=ids["C"], action="cancel", reason="Not needed")
    answer = ada.call("synthesize_results", parent_task_id=ids["plan"])
    assert "complete" in answer
    assert answer["complete"] is False
    assert answer["counts"] == {"pending": 1, "blocked": 1, "completed": 1, "cancelled": 1}
    for text in (
        "1 of 3 parts are completed",
        "blocked\nReason:\n> No access",
        "cancelled\nReason:\n> Not needed",
        "1 pending",
    ):
        assert text in answer["report"]
    assert "execute_subtask" in answer["next"]


def test_an_untouched_plan_claims_no_success(ada: Assistant) -> None:
    answer = ada.call("synthesize_results", parent_task_id=ada.plan("A")["plan"])
    assert answer["complete"] is False
    assert "0 of 1 parts are completed" in answer["report"]


def test_a_group_is_reported_by_itself(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[{"title": "G", "description": "g", "subtasks": [subtask("A")]}, subtask("B")],
    )
    ada.complete(Task.objects.get(title="A").public_id)
    answer = ada.call("synthesize_results", parent_task_id=Task.objects.get(title="G").public_id)
    assert answer["complete"] is True
    assert answer["counts"] == {"completed": 1}


def test_a_large_plan_says_how_many_parts_are_not_shown(ada: Assistant) -> None:
    ids = ada.plan(*[f"T{n:03}" for n in range(200)])
    brief = ada.send("synthesize_results", parent_task_id=ids["plan"])
    assert len(brief.text.encode()) < 10_000
    shown = brief.payload["report"].count("## ")
    assert brief.payload["parts_not_shown"] == 200 - shown
    full = ada.call("synthesize_results", parent_task_id=ids["plan"], detail="full")
    assert "parts_not_shown" not in full
