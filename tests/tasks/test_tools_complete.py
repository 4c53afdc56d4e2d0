"""orchestrator_complete_subtask: the work is stored and the task ended in one step that holds or leaves nothing."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import pytest

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion, Content
from tasks.choices import Status
from tasks.models import Event, Task
from tests.assistants import Assistant, completion, subtask

WORK = "\n".join(f"Line {number} of detailed work with ünïcödé 漢字 🎉" for number in range(400))


def test_the_work_is_stored_exactly(ada: Assistant) -> None:
    assert len(WORK) > 12_534
    info = ada.complete(ada.plan("A")["A"], detailed_work=WORK, artifact_type="code")["artifact_info"]
    assert info["sha256"] == hashlib.sha256(WORK.encode()).hexdigest()
    assert (info["size_chars"], info["size_bytes"]) == (len(WORK), len(WORK.encode()))
    artifact = Artifact.objects.get(public_id=info["artifact_id"])
    assert artifact.kind == "code"
    assert storage.text_of(artifact.versions.get().content) == WORK


def test_large_work_goes_to_a_file_and_comes_back_exactly(ada: Assistant) -> None:
    work = WORK * 10
    info = ada.complete(ada.plan("A")["A"], detailed_work=work)["artifact_info"]
    content = Content.objects.get(sha256=info["sha256"])
    assert content.data is None
    assert storage.path_of(info["sha256"]).exists()
    assert storage.text_of(content) == work


def test_the_same_content_is_stored_once(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    ada.complete(ids["A"], detailed_work=WORK)
    ada.complete(ids["B"], detailed_work=WORK)
    assert Content.objects.count() == 1
    assert ArtifactVersion.objects.count() == 2


def test_the_answer_says_progress_what_it_unblocked_and_what_is_next(ada: Assistant) -> None:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    a, b = (row["task_id"] for row in made["subtasks"])
    answer = ada.complete(a)
    assert answer["status"] == Status.COMPLETED
    progress = answer["parent_task_progress"]
    assert (progress["completed_subtasks"], progress["total_subtasks"], progress["progress_percentage"]) == (1, 2, 50)
    assert [row["task_id"] for row in answer["unblocked"]] == [b]
    assert answer["next_recommended_task"]["task_id"] == b
    last = ada.complete(b)
    assert made["parent_task_id"] in last["next"]
    assert "orchestrator_synthesize_results" in last["next"]


def test_finishing_a_group_unblocks_what_waits_for_the_group(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[
            {"title": "G", "description": "g", "subtasks": [subtask("A"), subtask("B")]},
            subtask("C", dependencies=["G"]),
        ],
    )
    a, b, c = (Task.objects.get(title=title).public_id for title in "ABC")
    assert "unblocked" not in ada.complete(a)
    assert [row["task_id"] for row in ada.complete(b)["unblocked"]] == [c]


def test_a_refused_completion_stores_nothing(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    assert bob.refused("complete_subtask", **completion(task))["code"] == "conflict"
    assert not Artifact.objects.exists()
    assert not Content.objects.exists()


def test_work_that_cannot_be_stored_completes_nothing(ada: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    task = ada.plan("A")["A"]
    work = f"Never stored before: {uuid4()}\n" + WORK * 10
    monkeypatch.setattr("artifacts.storage.local.os.fsync", full)
    error = ada.refused("complete_subtask", **{**completion(task), "detailed_work": work})
    assert error["code"] == "unavailable"
    monkeypatch.undo()
    assert ada.complete(task, detailed_work=work)["status"] == Status.COMPLETED


def test_a_second_delivery_after_a_revision_is_the_next_version(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first = ada.complete(task, file_paths=["a.py"])["artifact_info"]
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    second = ada.complete(task, file_paths=["a.py"], detailed_work="Better")["artifact_info"]
    assert second["artifact_id"] == first["artifact_id"]
    assert (first["version"], second["version"]) == (1, 2)


def test_a_delivery_for_other_paths_is_another_artifact(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first = ada.complete(task, file_paths=["a.py"])["artifact_info"]
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    second = ada.complete(task, file_paths=["b.py"])["artifact_info"]
    assert second["artifact_id"] != first["artifact_id"]


def test_blocked_work_is_stored_and_its_reason_kept(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    answer = ada.complete(task, next_action="blocked", reason="No access")
    assert answer["status"] == Status.BLOCKED
    assert answer["artifact_info"]["artifact_id"]
    assert Task.objects.get(public_id=task).reason == "No access"
    assert answer["parent_task_progress"]["completed_subtasks"] == 0


def test_work_that_needs_revision_shows_its_reason_first_next_time(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    assert ada.complete(task, next_action="needs_revision", reason="Tests are missing")["status"] == "needs_revision"
    assert ada.call("execute_subtask", task_id=task)["brief"].startswith(
        "## Reviewer's comment: address this first\n> Tests are missing"
    )


def test_an_old_lease_number_is_refused_and_says_so(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    old = ada.call("execute_subtask", task_id=task)["lease_number"]
    bob.call("execute_subtask", task_id=task, take_over=True)
    error = ada.refused("complete_subtask", **completion(task), lease_number=old)
    assert "taken over" in error["message"]
    assert error["details"] == {"status": "active"}


def test_a_lease_number_of_the_future_is_refused(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    assert ada.refused("complete_subtask", **completion(task), lease_number=7)["code"] == "conflict"


def test_a_completion_sent_twice_with_one_key_delivers_once(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first = ada.complete(task, idempotency_key="k")
    again = ada.complete(task, idempotency_key="k")
    assert again == {**first, "replayed": True}
    assert ArtifactVersion.objects.count() == 1
    error = ada.refused("complete_subtask", **{**completion(task), "detailed_work": "Other"}, idempotency_key="k")
    assert error["code"] == "conflict"


def test_a_completion_without_a_key_is_not_repeated(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    error = ada.refused("complete_subtask", **completion(task))
    assert error["code"] == "conflict"
    assert error["details"]["status"] == "completed"


def test_a_completion_leaves_its_events(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    rows = Event.objects.filter(task__public_id=task).order_by("id")
    assert [row.verb for row in rows] == ["plan", "deliver", "claim", "complete"]
    complete = rows.last()
    assert complete is not None
    assert (complete.before, complete.after["status"]) == ({"status": "active"}, "completed")


def test_the_answer_stays_small_whatever_it_unblocked(ada: Assistant) -> None:
    many = [subtask(f"B{n} " + "x" * 250, dependencies=["A"]) for n in range(100)]
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), *many])
    outcome = ada.send("complete_subtask", **completion(made["subtasks"][0]["task_id"]))
    assert len(outcome.text.encode()) < 2048


def test_a_completion_is_complete_unless_it_says_otherwise(ada: Assistant) -> None:
    call = completion(ada.plan("A")["A"])
    del call["next_action"]
    assert ada.call("complete_subtask", **call)["status"] == Status.COMPLETED
