"""/uploads: parts by PATCH with `Upload-Offset`, the offset by HEAD, and what may not be."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from artifacts.api.uploads import MEDIA_TYPE
from artifacts.models import Artifact, ArtifactVersion, Upload
from artifacts.storage import staging
from tasks.models import Project
from tests.factories import make_project
from tests.rest import API, Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_staging(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def task(ada: Rest, project: Project) -> str:
    return ada.plan(project, "A")["A"]


@pytest.fixture
def upload(ada: Rest, task: str) -> str:
    return str(ada.post("/uploads", {"task_id": task})["upload_id"])


def patch(who: Rest, upload: str, offset: object, data: bytes, media_type: str = MEDIA_TYPE) -> Any:
    address = f"{API}/uploads/{upload}"
    headers = {} if offset is None else {"Upload-Offset": str(offset)}
    return who.client.generic("PATCH", address, data, content_type=media_type, headers=headers)


def test_an_upload_goes_from_the_beginning_to_the_commit(ada: Rest, task: str) -> None:
    data = bytes(range(256)) * 10_000
    body = {"task_id": task, "file_paths": ["a.bin"], "artifact_type": "test", "summary": "Bytes"}
    expected = {"expected_size": len(data), "expected_sha256": sha256(data).hexdigest()}
    begun = ada.send("POST", "/uploads", {**body, **expected})
    assert (begun.status_code, begun["Upload-Offset"], begun["Upload-Length"]) == (201, "0", str(len(data)))
    upload = begun.json()["upload_id"]
    assert begun["Location"].endswith(f"{API}/uploads/{upload}")
    for start in range(0, len(data), 1_500_000):
        answer = patch(ada, upload, start, data[start : start + 1_500_000])
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer["Upload-Offset"] == str(min(start + 1_500_000, len(data)))
    info = ada.post(f"/uploads/{upload}/commit")
    assert info.pop("warnings") == []
    assert (info["sha256"], info["size_bytes"], info["version"]) == (sha256(data).hexdigest(), len(data), 1)
    artifact = Artifact.objects.get(public_id=info["artifact_id"])
    assert (artifact.task.public_id, artifact.kind, artifact.summary) == (task, "test", "Bytes")
    got = ada.send("GET", f"/artifacts/{artifact.public_id}/content")
    assert b"".join(got.streaming_content) == data
    assert ada.get(f"/uploads/{upload}")["artifact_info"] == info


def test_the_offset_is_reported_by_head_and_by_get(ada: Rest, upload: str) -> None:
    patch(ada, upload, 0, b"12345")
    head = ada.send("HEAD", f"/uploads/{upload}")
    assert (head.status_code, head["Upload-Offset"], head.content) == (200, "5", b"")
    assert ada.get(f"/uploads/{upload}")["offset"] == 5
    (row,) = ada.get("/uploads?project=shop&state=open")["results"]
    assert (row["upload_id"], row["offset"], row["state"]) == (upload, 5, "open")
    assert ada.get("/uploads?state=committed")["results"] == []


def test_a_wrong_offset_is_409_with_the_right_one(ada: Rest, upload: str) -> None:
    patch(ada, upload, 0, b"12345")
    for offset, data in ((6, b"x"), (10**15, b"x"), (1, b"x")):
        answer = patch(ada, upload, offset, data)
        assert (answer.status_code, answer["Upload-Offset"]) == (409, "5")
        assert (answer.json()["code"], answer.json()["details"]) == ("conflict", {"offset": 5})
    assert patch(ada, upload, 0, b"12345")["Upload-Offset"] == "5"


@pytest.mark.parametrize("offset", [None, "", "-1", "x", "1" * 17, "²"])
def test_a_part_needs_an_offset(ada: Rest, upload: str, offset: str | None) -> None:
    answer = patch(ada, upload, offset.encode().decode("latin-1") if offset else offset, b"x")
    assert (answer.status_code, answer.json()["problems"][0]["at"]) == (400, "Upload-Offset")


@pytest.mark.parametrize("media_type", ["application/json", "application/octet-stream", "text/plain"])
def test_a_part_is_of_the_type_that_tus_names(ada: Rest, upload: str, media_type: str) -> None:
    assert patch(ada, upload, 0, b"{}", media_type).status_code == 415
    assert Upload.objects.get().received == 0


def test_packed_bytes_are_not_taken_for_the_work(ada: Rest, upload: str) -> None:
    address, headers = f"{API}/uploads/{upload}", {"Upload-Offset": "0", "Content-Encoding": "gzip"}
    answer = ada.client.generic("PATCH", address, b"x", content_type=MEDIA_TYPE, headers=headers)
    assert (answer.status_code, "gzip" in answer.json()["detail"]) == (415, True)
    assert Upload.objects.get().received == 0


def test_more_than_an_upload_may_have_is_413_before_a_byte_is_kept(ada: Rest, upload: str, settings: Settings) -> None:
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 10
    answer = patch(ada, upload, 0, b"x" * 11)
    assert (answer.status_code, answer.json()["details"]) == (413, {"limit_bytes": 10})
    assert patch(ada, upload, 0, b"x" * 10).status_code == 204
    assert not staging.path_of(upload).stat().st_size > 10


def test_a_full_disk_is_503(ada: Rest, upload: str, task: str, settings: Settings) -> None:
    settings.ORCHESTRATOR_KEEP_FREE_BYTES = 2**60
    answer = patch(ada, upload, 0, b"x")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    ada.refused(503, "POST", "/uploads", {"task_id": task})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task_id": 5},
        {"expected_size": 0},
        {"expected_size": "5"},
        {"expected_sha256": "x"},
        {"media_type": "text"},
        {"file_paths": ["/"]},
        {"artifact_type": "poem"},
        {"size": 5},
    ],
)
def test_an_upload_that_cannot_be_is_refused(ada: Rest, task: str, body: dict[str, Any]) -> None:
    ada.refused(400, "POST", "/uploads", {"task_id": task, **body} if body else body)
    assert Upload.objects.count() == 0


def test_an_upload_for_no_task_is_404(ada: Rest) -> None:
    ada.refused(404, "POST", "/uploads", {"task_id": "task_00000000"})
    ada.refused(404, "GET", "/uploads/upload_000000000000")
    assert patch(ada, "upload_000000000000", 0, b"x").status_code == 404


def test_a_commit_is_whole_or_not_at_all(ada: Rest, task: str) -> None:
    upload = ada.post("/uploads", {"task_id": task, "expected_size": 4})["upload_id"]
    patch(ada, upload, 0, b"wor")
    assert ada.refused(409, "POST", f"/uploads/{upload}/commit", {})["details"] == {"offset": 3}
    patch(ada, upload, 3, b"k")
    assert ada.post(f"/uploads/{upload}/commit") == ada.post(f"/uploads/{upload}/commit")
    assert ArtifactVersion.objects.count() == 1
    ada.refused(409, "DELETE", f"/uploads/{upload}")


def test_a_request_that_is_sent_again_with_its_key_is_done_once(ada: Rest, task: str) -> None:
    first = ada.post("/uploads", {"task_id": task}, Idempotency_Key="begin")
    assert ada.post("/uploads", {"task_id": task}, Idempotency_Key="begin") == first
    patch(ada, first["upload_id"], 0, b"work")
    stored = [ada.post(f"/uploads/{first['upload_id']}/commit", Idempotency_Key="end") for _ in range(2)]
    assert stored[0] == stored[1]


def test_an_upload_is_thrown_away(ada: Rest, upload: str) -> None:
    patch(ada, upload, 0, b"some")
    for _ in range(2):
        assert ada.send("DELETE", f"/uploads/{upload}").status_code == 204
    assert not staging.path_of(upload).exists()
    assert patch(ada, upload, 4, b"more").status_code == 409
    assert ada.get(f"/uploads/{upload}")["state"] == "aborted"


def test_a_task_is_completed_with_uploads(ada: Rest, task: str, upload: str) -> None:
    patch(ada, upload, 0, b"\xff\x00 work")
    body = {"summary": "Done", "upload_ids": [upload]}
    ada.refused(400, "POST", f"/tasks/{task}/complete", {**body, "detailed_work": "x"})
    done = ada.post(f"/tasks/{task}/complete", body)
    assert (done["task"]["status"], done["artifact_info"]["size_bytes"]) == ("completed", 7)
    assert (done["artifact_info"]["size_chars"], len(done["artifacts"])) == (None, 1)


def test_reading_and_writing_need_their_scopes(ada: Rest, task: str, upload: str) -> None:
    reader = rest(scopes=("read",))
    assert reader.get(f"/uploads/{upload}")["upload_id"] == upload
    reader.refused(403, "POST", "/uploads", {"task_id": task})
    reader.refused(403, "POST", f"/uploads/{upload}/commit", {})
    reader.refused(403, "DELETE", f"/uploads/{upload}")
    assert patch(reader, upload, 0, b"x").status_code == 403
    assert Upload.objects.get().received == 0


def test_a_token_of_another_project_finds_nothing(ada: Rest, task: str, upload: str) -> None:
    stranger = rest(project=make_project("bank"))
    assert stranger.get("/uploads")["results"] == []
    stranger.refused(404, "GET", f"/uploads/{upload}")
    stranger.refused(404, "POST", "/uploads", {"task_id": task})
    stranger.refused(404, "POST", f"/uploads/{upload}/commit", {})
    stranger.refused(404, "DELETE", f"/uploads/{upload}")
    assert patch(stranger, upload, 0, b"x").status_code == 404


def test_nobody_is_let_in_without_credentials(upload: str, client: Any) -> None:
    assert patch(Rest(client), upload, 0, b"x").status_code == 401
