"""POST /tasks/{task_id}/complete: the whole work is stored and the task ended, in one step or not at all."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Artifact, Content
from artifacts.selectors import artifacts
from tasks.models import Event, Project
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def work(text: str = "The work", **more: Any) -> dict[str, Any]:
    return {"summary": "Done", "detailed_work": text, **more}


def test_the_work_is_kept_to_the_byte_and_the_task_is_done(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    text = " \r\n日本語 \x00 🎉\t\n" * 1000
    body = work(text, artifact_type="code", file_paths=["src/../a.py"], next_action="continue")
    answer = ada.post(f"/tasks/{ids['A']}/complete", body)
    info = answer["artifact_info"]
    assert info["sha256"] == sha256(text.encode()).hexdigest()
    assert (info["size_bytes"], info["size_chars"], info["version"]) == (len(text.encode()), len(text), 1)
    artifact = Artifact.objects.get(public_id=info["artifact_id"])
    assert storage.text_of(artifacts.version_of(artifact).content) == text
    assert (answer["task"]["status"], answer["task"]["artifacts"][0]["paths"]) == ("completed", ["a.py"])
    assert [row["task_id"] for row in answer["unblocked"]] == [ids["B"]]
    assert answer["plan_progress"]["progress_percentage"] == 50


def test_reviewed_work_waits(ada: Rest, project: Project) -> None:
    task = ada.plan(project, subtasks=[subtask("A", review=True)])["A"]
    answer = ada.post(f"/tasks/{task}/complete", work())
    assert (answer["task"]["status"], answer["unblocked"]) == ("in_review", [])


@pytest.mark.parametrize(("next_action", "status"), [("needs_revision", "needs_revision"), ("blocked", "blocked")])
def test_other_ends_need_a_reason(ada: Rest, project: Project, next_action: str, status: str) -> None:
    task = ada.plan(project, "A")["A"]
    ada.refused(400, "POST", f"/tasks/{task}/complete", work(next_action=next_action))
    answer = ada.post(f"/tasks/{task}/complete", work(next_action=next_action, reason="No access"))
    assert answer["task"]["status"] == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"summary": "Done"},
        {"detailed_work": "x"},
        work(""),
        work(" "),
        work("\ud800"),
        work(summary=" "),
        work(file_paths=["/"]),
        work(file_paths="a.py"),
        work(artifact_type="poem"),
        work(next_action="stop"),
        work(lease_number="1"),
    ],
)
def test_a_delivery_that_cannot_be_leaves_nothing(ada: Rest, project: Project, body: dict[str, Any]) -> None:
    task = ada.plan(project, "A")["A"]
    count = Event.objects.count()
    ada.refused(400, "POST", f"/tasks/{task}/complete", body)
    assert (Content.objects.count(), Event.objects.count()) == (0, count)


def test_a_work_above_the_limit_is_413(ada: Rest, project: Project, settings: Settings) -> None:
    settings.ORCHESTRATOR_MAX_DELIVERY_BYTES = 1000
    task = ada.plan(project, "A")["A"]
    problem = ada.refused(413, "POST", f"/tasks/{task}/complete", work("x" * 1001))
    assert problem["details"] == {"limit_bytes": 1000}
    ada.post(f"/tasks/{task}/complete", work("x" * 1000))


def test_a_work_larger_than_other_bodies_is_taken(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    text = "0123456789abcdef" * (5 * 65536)
    answer = ada.post(f"/tasks/{task}/complete", work(text))
    assert answer["artifact_info"]["size_bytes"] == 5 * 1024 * 1024


def test_work_that_waits_for_others_is_not_taken(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    assert ada.refused(409, "POST", f"/tasks/{ids['B']}/complete", work())["code"] == "not_ready"
    assert Content.objects.count() == 0


def test_a_second_delivery_for_the_same_paths_is_the_next_version(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    ada.post(f"/tasks/{task}/complete", work(file_paths=["a.py"]))
    ada.post(f"/tasks/{task}/request-revision", {"reason": "Fix it"})
    assert ada.post(f"/tasks/{task}/complete", work("Better", file_paths=["a.py"]))["artifact_info"]["version"] == 2
