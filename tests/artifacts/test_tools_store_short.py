"""orchestrator_store_artifact in few calls: the first part with begin, pages of what is open, no word silently lost."""

from __future__ import annotations

from base64 import b64encode, encodebytes
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Artifact, Upload
from artifacts.selectors.artifacts import version_of
from artifacts.storage import staging
from orchestrator_site.kernel.errors import Transient
from tests.assistants import Assistant

MIB = 1024 * 1024
KEY = {"idempotency_key": "once"}


@pytest.fixture(autouse=True)
def empty_staging(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


@pytest.fixture
def task(ada: Assistant) -> str:
    """Return the id of a task that ada works on."""
    task_id = ada.plan("Write")["Write"]
    ada.call("execute_subtask", task_id=task_id)
    return task_id


def send(ada: Assistant, action: str, **more: Any) -> dict[str, Any]:
    return ada.call("store_artifact", action=action, **more)


def bytes_of(info: dict[str, Any]) -> bytes:
    return b"".join(storage.chunks(version_of(Artifact.objects.get(public_id=info["artifact_id"])).content))


def test_a_work_of_one_part_is_stored_in_two_calls(ada: Assistant, task: str) -> None:
    text = "é\r\n" * 100_000
    begun = send(ada, "begin", task_id=task, text=text, file_paths=["a.md"])
    assert (begun["offset"], begun["state"]) == (400_000, "open")
    stored = send(ada, "commit", upload_id=begun["upload_id"])
    assert bytes_of(stored["artifact_info"]) == text.encode()


def test_a_subtask_is_completed_with_what_begin_brought(ada: Assistant, task: str) -> None:
    uploads = [send(ada, "begin", task_id=task, base64=b64encode(bytes([n])).decode()) for n in range(40)]
    ids = [upload["upload_id"] for upload in uploads]
    done = ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=ids)
    assert (done["status"], done["artifacts_total"]) == ("completed", 40)


def test_more_parts_follow_the_first(ada: Assistant, task: str) -> None:
    begun = send(ada, "begin", task_id=task, text="123", expected_size=6)
    assert "offset=3" in begun["next"]
    last = send(ada, "append", upload_id=begun["upload_id"], offset=3, text="456")
    assert (last["offset"], "commit" in last["next"]) == (6, True)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"text": "x" * (MIB + 1)}, "too_large"),
        ({"text": "1234", "expected_size": 3}, "invalid"),
        ({"text": "x", "base64": "eA=="}, "invalid"),
        ({"text": "\ud800"}, "invalid"),
        ({"base64": "?"}, "invalid"),
        ({"text": "x", "offset": 1}, "invalid"),
    ],
)
def test_a_first_part_that_cannot_be_opens_nothing(ada: Assistant, task: str, wrong: dict[str, Any], code: str) -> None:
    assert ada.refused("store_artifact", action="begin", task_id=task, **wrong)["code"] == code
    assert not Upload.objects.exists()


def test_a_begin_that_is_sent_again_with_its_key_brings_its_part_once(ada: Assistant, task: str) -> None:
    begun = send(ada, "begin", task_id=task, text="123", **KEY)
    assert send(ada, "begin", task_id=task, text="123", **KEY) == {**begun, "replayed": True}
    send(ada, "append", upload_id=begun["upload_id"], offset=3, text="456")
    assert send(ada, "begin", task_id=task, text="123", **KEY)["offset"] == 6
    send(ada, "commit", upload_id=begun["upload_id"])
    assert send(ada, "begin", task_id=task, text="123", **KEY)["state"] == "committed"


def test_a_first_part_that_the_disk_refuses_is_reported_with_the_upload(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise Transient("The part could not be stored.")

    call = {"action": "begin", "task_id": task, "text": "123", **KEY}
    with monkeypatch.context() as patched:
        patched.setattr(staging, "write", full)
        rejection = ada.send("store_artifact", **call).payload
    upload = Upload.objects.get()
    assert (rejection["code"], rejection["details"]["upload_id"]) == ("transient", upload.public_id)
    assert upload.public_id in rejection["next"]
    assert ada.call("store_artifact", **call)["offset"] == 3  # the same call goes on with it
    assert Upload.objects.count() == 1


def test_base64_may_stand_in_lines(ada: Assistant, task: str) -> None:
    raw = bytes(range(256)) * 4
    begun = send(ada, "begin", task_id=task, base64=encodebytes(raw).decode().replace("\n", "\r\n"))
    assert bytes_of(send(ada, "commit", upload_id=begun["upload_id"])["artifact_info"]) == raw


@pytest.mark.parametrize(
    ("action", "unwanted"),
    [
        ("append", {"summary": "All"}),
        ("append", {"expected_sha256": "0" * 64}),
        ("commit", {"text": "the last part"}),
        ("commit", {"file_paths": ["a.md"]}),
        ("commit", {"expected_size": 5}),
        ("status", {"base64": "eA=="}),
        ("abort", {"media_type": "text/plain"}),
        ("commit", {"cursor": "1"}),
    ],
)
def test_what_an_action_would_not_look_at_is_refused(
    ada: Assistant, task: str, action: str, unwanted: dict[str, Any]
) -> None:
    upload = send(ada, "begin", task_id=task, text="The work")["upload_id"]
    needed = {"offset": 8, "text": "more"} if action == "append" else {}
    rejection = ada.refused("store_artifact", action=action, upload_id=upload, **needed, **unwanted)
    (problem,) = rejection["details"]["problems"]
    assert (problem["at"], action in problem["problem"]) == (next(iter(unwanted)), True)


def test_all_open_uploads_are_found_again_page_by_page(ada: Assistant, task: str) -> None:
    began = [send(ada, "begin", task_id=task, file_paths=[f"{n}/{'x' * 200}"])["upload_id"] for n in range(45)]
    found: list[str] = []
    page: dict[str, Any] = {"cursor": None}
    while "cursor" in page:
        page = send(ada, "status", task_id=task, cursor=page["cursor"])
        found += [row["upload_id"] for row in page["uploads"]]
        assert page["total"] == 45
    assert found == began


def test_a_cursor_that_is_none_is_refused(ada: Assistant, task: str) -> None:
    for cursor in ("x", "-1", "9" * 30, "²"):
        rejection = ada.refused("store_artifact", action="status", cursor=cursor)
        assert (rejection["code"], "cursor" in rejection["message"]) == ("invalid", True)


def test_a_commit_that_is_sent_again_with_its_key_repeats_its_warnings(ada: Assistant, task: str) -> None:
    upload = send(ada, "begin", task_id=task, text="x = [1\n", file_paths=["a.py"])["upload_id"]
    first = send(ada, "commit", upload_id=upload, **KEY)
    assert first["warnings"] == ["a.py: The '[' in line 1 is not closed."]
    assert send(ada, "commit", upload_id=upload, **KEY) == {**first, "replayed": True}
    assert ada.refused("store_artifact", action="begin", task_id=task, **KEY)["code"] == "conflict"


def test_the_answers_tell_a_commit_from_an_end(ada: Assistant, task: str) -> None:
    begun = send(ada, "begin", task_id=task)
    assert "commit" in begun["next"] and "orchestrator_complete_subtask(upload_ids=" in begun["next"]
    send(ada, "append", upload_id=begun["upload_id"], offset=0, text="x")
    stored = send(ada, "commit", upload_id=begun["upload_id"])
    assert "the task is not ended" in stored["next"]


def test_a_text_too_large_for_one_call_is_sent_on_to_parts(ada: Assistant, task: str, settings: Settings) -> None:
    settings.ORCHESTRATOR_MAX_DELIVERY_BYTES = 10
    call = {"task_id": task, "summary": "Done", "next_action": "complete", "detailed_work": "x" * 11}
    rejection = ada.refused("complete_subtask", **call)
    assert rejection["code"] == "too_large"
    assert "orchestrator_store_artifact" in rejection["next"] and "upload_ids" in rejection["next"]
