"""orchestrator_store_artifact: begin, append part by part, ask where to go on, commit or abort."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion, Upload
from artifacts.selectors.artifacts import version_of
from artifacts.services.abandon import abandon_uploads
from artifacts.storage import staging
from tests.assistants import Assistant

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


def begin(ada: Assistant, task: str, **more: Any) -> str:
    return str(ada.call("store_artifact", action="begin", task_id=task, **more)["upload_id"])


def append(ada: Assistant, upload: str, offset: int, text: str) -> int:
    return int(ada.call("store_artifact", action="append", upload_id=upload, offset=offset, text=text)["offset"])


def commit(ada: Assistant, upload: str) -> dict[str, Any]:
    return dict(ada.call("store_artifact", action="commit", upload_id=upload)["artifact_info"])


def stored(artifact_id: str) -> ArtifactVersion:
    return version_of(Artifact.objects.get(public_id=artifact_id))


def test_parts_of_text_and_of_base64_make_one_artifact(ada: Assistant, task: str) -> None:
    upload = begin(ada, task, summary="All", artifact_type="code", file_paths=["/src/../a.py"])
    offset = append(ada, upload, 0, "é\r\n\x00")
    raw = b64encode(b"\xff\xfe").decode()
    assert ada.call("store_artifact", action="append", upload_id=upload, offset=offset, base64=raw)["offset"] == 7
    info = commit(ada, upload)
    version = stored(info["artifact_id"])
    assert b"".join(storage.chunks(version.content)) == "é\r\n\x00".encode() + b"\xff\xfe"
    assert (version.summary, version.artifact.kind, version.artifact.task.public_id) == ("All", "code", task)
    assert [path.path for path in version.artifact.paths.all()] == ["a.py"]


def test_the_staged_bytes_go_with_the_commit(
    ada: Assistant, task: str, django_capture_on_commit_callbacks: Any
) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    with django_capture_on_commit_callbacks(execute=True):
        commit(ada, upload)
        assert staging.path_of(upload).exists()
    assert not staging.path_of(upload).exists()


def test_work_delivered_in_one_call_is_of_the_type_that_its_path_says(ada: Assistant) -> None:
    types = {"": "text/markdown", "a.md": "text/markdown", "a.py": "text/x-python", "a.ts": "text/plain"}
    types |= {"data:image/png,x": "text/plain"}
    for path, media_type in types.items():
        part = ada.plan("One part")["One part"]
        done = ada.complete(part, detailed_work="text", file_paths=[path] if path else [])
        assert stored(done["artifact_info"]["artifact_id"]).media_type == media_type


def test_the_bytes_decide_what_the_paths_leave_open(ada: Assistant, task: str) -> None:
    types = {"": "text/markdown", "a.html": "text/html", "a.ts": "text/plain", "a.json": "application/json"}
    for path, media_type in types.items():
        upload = begin(ada, task, file_paths=[path] if path else [])
        append(ada, upload, 0, f"text of {path}")
        assert stored(commit(ada, upload)["artifact_id"]).media_type == media_type
    upload = begin(ada, task, file_paths=["a.html"], media_type="text/x-own")
    append(ada, upload, 0, "again")
    assert stored(commit(ada, upload)["artifact_id"]).media_type == "text/x-own"


def test_a_wrong_offset_is_refused_with_the_right_one(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "12345")
    for offset, text in ((6, "x"), (0, "x"), (4, "xy")):
        rejection = ada.refused("store_artifact", action="append", upload_id=upload, offset=offset, text=text)
        assert (rejection["code"], rejection["details"]) == ("conflict", {"offset": 5})
        assert "offset=5" in rejection["next"]


def test_the_same_part_twice_is_harmless(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    assert append(ada, upload, 0, "12345") == append(ada, upload, 0, "12345") == 5
    assert append(ada, upload, 3, "4567") == 7
    assert commit(ada, upload)["size_bytes"] == 7


def test_another_assistant_goes_on_where_the_last_byte_stands(ada: Assistant, bob: Assistant, task: str) -> None:
    upload = begin(ada, task, expected_size=6)
    append(ada, upload, 0, "123")
    (row,) = bob.call("store_artifact", action="status", task_id=task)["uploads"]
    assert (row["upload_id"], row["task_id"], row["offset"], row["expected_size"]) == (upload, task, 3, 6)
    assert bob.call("store_artifact", action="status", upload_id=upload)["offset"] == 3
    assert append(bob, upload, 3, "456") == 6


def test_what_was_announced_is_checked(ada: Assistant, task: str) -> None:
    upload = begin(ada, task, expected_size=4, expected_sha256=sha256(b"good").hexdigest().upper())
    append(ada, upload, 0, "goo")
    rejection = ada.refused("store_artifact", action="commit", upload_id=upload)
    assert (rejection["code"], rejection["details"]) == ("conflict", {"offset": 3})
    rejection = ada.refused("store_artifact", action="append", upload_id=upload, offset=3, text="d!")
    assert (rejection["code"], rejection["details"]["expected_size"]) == ("invalid", 4)
    append(ada, upload, 3, "t")
    rejection = ada.refused("store_artifact", action="commit", upload_id=upload)
    assert rejection["details"]["sha256"] == sha256(b"goot").hexdigest()
    ada.call("store_artifact", action="abort", upload_id=upload)
    assert ada.refused("store_artifact", action="commit", upload_id=upload)["details"] == {"state": "aborted"}


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"action": "begin"}, "task_id"),
        ({"action": "append", "offset": 0, "text": "x"}, "upload_id"),
        ({"action": "append", "upload_id": "UPLOAD", "text": "x"}, "offset"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": 0}, "text"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": 0, "text": "x", "base64": "eA=="}, "text"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": 0, "text": "\ud800"}, "text"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": 0, "base64": "é"}, "base64"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": 0, "base64": "eA"}, "base64"),
        ({"action": "append", "upload_id": "UPLOAD", "offset": -1, "text": "x"}, "offset"),
        ({"action": "commit"}, "upload_id"),
        ({"action": "abort"}, "upload_id"),
        ({"action": "begin", "task_id": "TASK", "expected_size": -1}, "expected_size"),
        ({"action": "begin", "task_id": "TASK", "expected_sha256": "abc"}, "expected_sha256"),
        ({"action": "begin", "task_id": "TASK", "media_type": "text"}, "media_type"),
        ({"action": "begin", "task_id": "TASK", "file_paths": ["/"]}, "file_paths[0]"),
        ({"action": "start", "task_id": "TASK"}, "action"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(ada: Assistant, task: str, wrong: dict[str, Any], place: str) -> None:
    upload = begin(ada, task)
    arguments = {name: {"UPLOAD": upload, "TASK": task}.get(str(value), value) for name, value in wrong.items()}
    rejection = ada.refused("store_artifact", **arguments)
    assert rejection["code"] == "invalid"
    assert [problem["at"] for problem in rejection["details"]["problems"]] == [place]


def test_each_limit_has_an_error_of_its_own(ada: Assistant, task: str, settings: Settings) -> None:
    upload = begin(ada, task)
    part = {"action": "append", "upload_id": upload, "offset": 0}
    rejection = ada.refused("store_artifact", **part, text="é" * (512 * 1024) + "x")
    assert (rejection["code"], rejection["details"]) == ("too_large", {"limit_bytes": 1024 * 1024})
    assert append(ada, upload, 0, "é" * (512 * 1024)) == 1024 * 1024
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 1024 * 1024 + 2
    rejection = ada.refused("store_artifact", action="append", upload_id=upload, offset=1024 * 1024, text="xyz")
    assert (rejection["code"], rejection["details"]) == ("too_large", {"limit_bytes": 1024 * 1024 + 2})
    rejection = ada.refused("store_artifact", action="begin", task_id=task, expected_size=1024 * 1024 + 3)
    assert rejection["code"] == "too_large"
    settings.ORCHESTRATOR_MAX_OPEN_UPLOADS = 1
    rejection = ada.refused("store_artifact", action="begin", task_id=task)
    assert (rejection["code"], rejection["details"]) == ("conflict", {"limit": 1})
    settings.ORCHESTRATOR_KEEP_FREE_BYTES = 2**60
    rejection = ada.refused("store_artifact", action="append", upload_id=upload, offset=1024 * 1024, text="x")
    assert rejection["code"] == "unavailable"
    assert ada.refused("store_artifact", action="begin", task_id=task)["code"] == "unavailable"


def test_a_begin_that_is_sent_again_with_its_key_opens_nothing_more(ada: Assistant, task: str) -> None:
    assert begin(ada, task, **KEY) == begin(ada, task, **KEY)
    assert Upload.objects.count() == 1


def test_a_commit_that_is_sent_again_answers_the_same(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    assert commit(ada, upload) == commit(ada, upload)
    assert ArtifactVersion.objects.count() == 1
    status = ada.call("store_artifact", action="status", upload_id=upload)
    assert (status["state"], status["artifact_info"]["version"]) == ("committed", 1)
    assert ada.refused("store_artifact", action="abort", upload_id=upload)["code"] == "conflict"


def test_the_same_paths_again_make_the_next_version_also_before_the_task_is_done(ada: Assistant, task: str) -> None:
    for number, text in enumerate(("one", "two"), start=1):
        upload = begin(ada, task, file_paths=["a.md"])
        append(ada, upload, 0, text)
        assert commit(ada, upload)["version"] == number
    assert Artifact.objects.count() == 1


def test_a_subtask_is_completed_with_uploads_in_one_step(ada: Assistant, task: str) -> None:
    uploads = [begin(ada, task, file_paths=[f"{number}.md"]) for number in range(3)]
    for upload in uploads:
        append(ada, upload, 0, f"The work in {upload}")
    commit(ada, uploads[0])
    completion = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": uploads}
    done = ada.call("complete_subtask", **completion, **KEY)
    assert (done["status"], done["artifacts_total"]) == ("completed", 3)
    assert {each["version"] for each in (done["artifact_info"], *done["more_artifacts"])} == {1}
    assert ada.call("complete_subtask", **completion, **KEY)["artifact_info"] == done["artifact_info"]
    assert ArtifactVersion.objects.filter(summary="Done").count() == 2


def test_a_completion_that_is_refused_stores_none_of_the_uploads(ada: Assistant, bob: Assistant, task: str) -> None:
    uploads = [begin(ada, task) for _ in range(2)]
    append(ada, uploads[0], 0, "The work")
    completion = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": uploads}
    assert ada.refused("complete_subtask", **completion)["code"] == "invalid"  # the second is empty
    append(ada, uploads[1], 0, "More work")
    assert bob.send("complete_subtask", **completion).payload["code"] == "conflict"  # it is not bob's
    assert ArtifactVersion.objects.count() == 0
    assert ada.call("complete_subtask", **completion)["artifacts_total"] == 2


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, "detailed_work"),
        ({"detailed_work": "x", "upload_ids": ["UPLOAD"]}, "detailed_work"),
        ({"file_paths": ["a.md"], "upload_ids": ["UPLOAD"]}, "file_paths"),
        ({"upload_ids": ["UPLOAD", "UPLOAD"]}, "upload_ids"),
    ],
)
def test_a_work_comes_at_once_or_as_uploads(ada: Assistant, task: str, wrong: dict[str, Any], place: str) -> None:
    upload = begin(ada, task)
    more = {**wrong, "upload_ids": [upload for _ in wrong.get("upload_ids", ())]}
    rejection = ada.refused("complete_subtask", task_id=task, summary="Done", next_action="complete", **more)
    assert [problem["at"] for problem in rejection["details"]["problems"]] == [place]


def test_an_upload_of_another_task_completes_nothing(ada: Assistant, task: str) -> None:
    upload = begin(ada, ada.plan("Other")["Other"])
    append(ada, upload, 0, "Other work")
    completion = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": [upload]}
    assert "belongs to" in ada.refused("complete_subtask", **completion)["message"]


def test_work_is_not_slipped_under_what_another_holds_or_what_is_done(
    ada: Assistant, bob: Assistant, task: str
) -> None:
    assert bob.send("store_artifact", action="begin", task_id=task).payload["code"] == "conflict"
    upload = begin(ada, task)
    append(ada, upload, 0, "Late")
    assert bob.send("store_artifact", action="commit", upload_id=upload).payload["code"] == "conflict"
    ada.complete(task)
    rejection = ada.refused("store_artifact", action="commit", upload_id=upload)
    assert (rejection["code"], rejection["details"]) == ("conflict", {"status": "completed"})
    assert ada.refused("store_artifact", action="begin", task_id=task)["code"] == "conflict"


def test_an_upload_of_another_project_is_not_there(ada: Assistant, task: str, tmp_path_factory: Any) -> None:
    upload = begin(ada, task)
    eve = Assistant(tmp_path_factory.mktemp("elsewhere"))
    for action in (
        {"action": "append", "offset": 0, "text": "x"},
        *({"action": each} for each in ("status", "commit")),
    ):
        assert eve.send("store_artifact", upload_id=upload, **action).payload["code"] == "not_found"
    assert eve.call("store_artifact", action="status")["total"] == 0


def test_the_list_of_open_uploads_stays_small(ada: Assistant, task: str) -> None:
    for number in range(30):
        begin(ada, task, file_paths=[f"{number}/{'x' * 200}"])
    outcome = ada.send("store_artifact", action="status")
    assert outcome.payload["total"] == 30
    assert len(outcome.text.encode()) < 2000


def test_an_upload_goes_after_a_day_without_a_part(ada: Assistant, task: str) -> None:
    idle, busy, gone = (begin(ada, task) for _ in range(3))
    for upload in (idle, busy, gone):
        append(ada, upload, 0, "half")
    long_ago = timezone.now() - timedelta(hours=24, minutes=1)
    Upload.objects.filter(public_id__in=[idle]).update(last_append_at=long_ago)
    Upload.objects.filter(public_id=gone).delete()
    assert abandon_uploads() == 1
    assert [path.name for path in staging.folder().glob("upload_*")] == [busy]
    assert ada.refused("store_artifact", action="append", upload_id=idle, offset=4, text="x")["code"] == "conflict"
    assert append(ada, busy, 4, "more") == 8


def test_what_became_of_an_upload_is_forgotten_after_a_week(ada: Assistant, task: str) -> None:
    old, young, still_open = (begin(ada, task) for _ in range(3))
    for upload in (old, young):
        append(ada, upload, 0, f"Work of {upload}")
        commit(ada, upload)
    ada.complete(task)
    Upload.objects.filter(public_id=old).update(last_append_at=timezone.now() - timedelta(days=8))
    assert abandon_uploads() == 0
    assert set(Upload.objects.values_list("public_id", flat=True)) == {young, still_open}
    assert ArtifactVersion.objects.count() == 3


def test_staged_bytes_that_someone_removed_are_reported(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    staging.discard(upload)
    assert "are gone" in ada.refused("store_artifact", action="commit", upload_id=upload)["message"]
    assert "are gone" in ada.refused("store_artifact", action="append", upload_id=upload, offset=8, text="x")["message"]
