"""Works that arrive in parts for one task stay works of their own: none becomes an old version of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from artifacts.models import Artifact
from tests.assistants import Assistant


@pytest.fixture(autouse=True)
def empty_staging(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


@pytest.fixture
def task(ada: Assistant) -> str:
    return ada.plan("Write")["Write"]


def begin(ada: Assistant, task: str, text: str, *paths: str) -> str:
    begun = ada.call("store_artifact", action="begin", task_id=task, text=text, file_paths=list(paths))
    return str(begun["upload_id"])


def commit(ada: Assistant, upload: str) -> dict[str, Any]:
    return dict(ada.call("store_artifact", action="commit", upload_id=upload)["artifact_info"])


def complete(ada: Assistant, task: str, *uploads: str) -> None:
    ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=list(uploads))


def versions(task: str) -> list[int]:
    """Return how many versions each artifact of a task has."""
    return list(Artifact.objects.filter(task__public_id=task).order_by("pk").values_list("version", flat=True))


def test_artifacts_without_a_path_of_one_delivery_are_one_artifact_each(ada: Assistant, task: str) -> None:
    complete(ada, task, *(begin(ada, task, f"work {number}") for number in range(3)))
    assert versions(task) == [1, 1, 1]
    ada.call("update_task", task_id=task, action="request_revision", reason="Again")
    complete(ada, task, *(begin(ada, task, f"better work {number}") for number in range(4)))
    assert versions(task) == [2, 2, 2, 1]


def test_an_artifact_at_more_paths_replaces_no_other_of_its_delivery(ada: Assistant, task: str) -> None:
    complete(ada, task, begin(ada, task, "one", "a.md"), begin(ada, task, "two", "a.md", "b.md"))
    assert versions(task) == [1, 1]


def test_the_same_path_twice_in_one_delivery_is_an_artifact_and_its_next_version(ada: Assistant, task: str) -> None:
    complete(ada, task, begin(ada, task, "one", "a.md"), begin(ada, task, "two", "a.md"))
    assert versions(task) == [2]


def test_each_commit_without_a_path_is_an_artifact_of_its_own(ada: Assistant, task: str) -> None:
    first, second = begin(ada, task, "one"), begin(ada, task, "two")
    assert commit(ada, first)["artifact_id"] != commit(ada, second)["artifact_id"]
    complete(ada, task, first, begin(ada, task, "three"), second)
    assert versions(task) == [1, 1, 1]


def test_the_kind_of_a_completion_is_that_of_artifacts_that_brought_none(ada: Assistant, task: str) -> None:
    uploads = [begin(ada, task, "x = 1\n", "a.py")]
    reported = ada.call(
        "store_artifact", action="begin", task_id=task, text="y", artifact_type="test", file_paths=["b.py"]
    )
    uploads.append(reported["upload_id"])
    call = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": uploads}
    ada.call("complete_subtask", **call, artifact_type="code")
    assert list(Artifact.objects.order_by("pk").values_list("kind", flat=True)) == ["code", "test"]


def test_a_size_that_a_completion_with_uploads_would_not_look_at_is_refused(ada: Assistant, task: str) -> None:
    call = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": [begin(ada, task, "x")]}
    rejection = ada.refused("complete_subtask", **call, expected_size=5)
    assert [problem["at"] for problem in rejection["details"]["problems"]] == ["expected_size"]
