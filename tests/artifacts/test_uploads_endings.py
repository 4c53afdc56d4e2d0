"""Uploads that end while someone still works on them, or leave something behind."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from artifacts.models import ArtifactVersion, Upload
from artifacts.services import upload as services
from artifacts.services.abandon import abandon_uploads
from artifacts.services.commit import commit, prepare_upload
from artifacts.storage import local, staging
from artifacts.truncation import warnings_of
from orchestrator_site.kernel.errors import Conflict, NotFound, Unavailable
from tasks.identity.actor import Actor
from tests.artifacts.test_tools_store import append, begin
from tests.artifacts.test_tools_store import commit as commit_by_tool
from tests.assistants import Assistant


@pytest.fixture(autouse=True)
def empty_staging(settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path


@pytest.fixture
def task(ada: Assistant) -> str:
    """Return the id of a task that ada works on."""
    task_id = ada.plan("Write")["Write"]
    ada.call("execute_subtask", task_id=task_id)
    return task_id


def row(upload: str) -> Upload:
    return Upload.objects.select_related("task", "project").get(public_id=upload)


def before_the_bytes_are_read(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Have something happen between the look at an upload and the look at its staged bytes."""
    locked = staging.locked

    def late(public_id: str, **given: Any) -> AbstractContextManager[FileIO]:
        monkeypatch.setattr(staging, "locked", locked)
        act()
        return locked(public_id, **given)

    monkeypatch.setattr(staging, "locked", late)


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_comes_second_finds_the_version_where_the_bytes_were(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    before_the_bytes_are_read(monkeypatch, lambda: commit(arrived=prepare_upload(row(upload)), actor=Actor.system()))
    assert commit(arrived=prepare_upload(row(upload)), actor=Actor.system()).number == 1
    assert ArtifactVersion.objects.count() == 1


def test_a_commit_of_what_was_aborted_by_now_says_so(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    before_the_bytes_are_read(monkeypatch, lambda: services.abort(upload=row(upload), actor=Actor.system()))
    with pytest.raises(Conflict, match="was aborted"):
        prepare_upload(row(upload))


def test_a_part_for_an_upload_that_is_gone_by_now_is_not_found(ada: Assistant, task: str) -> None:
    known = row(begin(ada, task))
    append(ada, known.public_id, 0, "some")
    Upload.objects.all().delete()
    with pytest.raises(NotFound, match=known.public_id):
        services.append(upload=known, offset=4, data=b"more")
    with pytest.raises(NotFound, match=known.public_id):
        prepare_upload(known)
    with pytest.raises(NotFound, match=known.public_id):
        services.abort(upload=known, actor=Actor.system())


def test_an_upload_that_goes_while_a_part_is_written_is_not_found(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, write = row(begin(ada, task)), staging.write

    def and_gone(*given: Any) -> None:
        write(*given)
        Upload.objects.all().delete()

    monkeypatch.setattr(staging, "write", and_gone)
    with pytest.raises(NotFound):
        services.append(upload=known, offset=0, data=b"some")


@pytest.mark.django_db(transaction=True)
def test_a_part_that_comes_too_late_leaves_no_file_and_is_refused(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    commit_by_tool(ada, upload)
    rejection = ada.refused("store_artifact", action="append", upload_id=upload, offset=8, text=" and more")
    assert (rejection["code"], rejection["details"]) == ("conflict", {"state": "committed"})
    assert "new upload" in rejection["next"]
    assert staging.names() == []


@pytest.mark.django_db(transaction=True)
def test_staged_bytes_that_cannot_be_removed_do_not_fail_the_commit(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    arrived = prepare_upload(row(upload))
    staging.path_of(upload).unlink()
    staging.path_of(upload).mkdir()  # nobody unlinks a folder
    assert commit(arrived=arrived, actor=Actor.system()).number == 1


def test_staged_bytes_that_cannot_be_removed_hold_up_no_sweep(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    (staging.folder() / "upload_000000000000").mkdir()
    (staging.folder() / "upload_zzzzzzzzzzzz").touch()
    assert abandon_uploads() == 0
    assert staging.names() == ["upload_000000000000", upload]


def test_a_commit_leaves_the_disk_what_the_site_needs(ada: Assistant, task: str, settings: Settings) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    settings.ORCHESTRATOR_KEEP_FREE_BYTES = 2**60
    with pytest.raises(Unavailable):
        prepare_upload(row(upload))
    settings.ORCHESTRATOR_KEEP_FREE_BYTES = 0
    assert prepare_upload(row(upload)).prepared


def test_what_was_committed_ends_its_task_however_late(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    commit_by_tool(ada, upload)
    Upload.objects.update(last_append_at=timezone.now() - timedelta(days=30))
    abandon_uploads()
    completion = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": [upload]}
    assert ada.call("complete_subtask", **completion)["status"] == "completed"
    abandon_uploads()
    assert not Upload.objects.exists()


def test_an_upload_for_what_another_holds_is_not_thrown_away(ada: Assistant, bob: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    outcome = bob.send("store_artifact", action="abort", upload_id=upload)
    assert (outcome.payload["code"], row(upload).state) == ("conflict", "open")
    assert ada.call("store_artifact", action="abort", upload_id=upload)["state"] == "aborted"
    assert bob.call("store_artifact", action="abort", upload_id=upload)["state"] == "aborted"  # once more is harmless


@pytest.mark.parametrize("action", ["append", "abort"])
def test_who_was_replaced_changes_no_upload(ada: Assistant, bob: Assistant, task: str, action: str) -> None:
    upload = begin(ada, task, lease_number=1)
    bob.call("execute_subtask", task_id=task, take_over=True)
    part = {"offset": 0, "text": "late"} if action == "append" else {}
    rejection = ada.refused("store_artifact", action=action, upload_id=upload, lease_number=1, **part)
    assert (rejection["code"], "was replaced" in rejection["message"]) == ("conflict", True)


def kept() -> list[Path]:
    """Return the files of stored content, also of what no row names."""
    return [path for path in local.folder().rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", ["commit", "complete"])
def test_a_refused_delivery_leaves_no_bytes_behind(ada: Assistant, bob: Assistant, task: str, way: str) -> None:
    wrong = begin(ada, task, expected_sha256="0" * 64)
    right = begin(ada, task)
    for upload in (wrong, right):
        append(ada, upload, 0, "".join(map(chr, range(0x4E00, 0x9FFF))) * 5)

    def deliver(who: Assistant, upload: str) -> str:
        if way == "commit":
            return str(who.send("store_artifact", action="commit", upload_id=upload).payload.get("code"))
        call = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": [upload]}
        return str(who.send("complete_subtask", **call).payload.get("code"))

    assert (deliver(ada, wrong), deliver(bob, right), kept()) == ("conflict", "conflict", [])
    assert (deliver(ada, right), len(kept())) == ("None", 1)
    ada.send("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=[right])
    assert (deliver(ada, wrong), len(kept())) == ("conflict", 1)


def test_staged_bytes_that_the_disk_does_not_read_are_an_error_of_their_own(ada: Assistant, task: str) -> None:
    upload = begin(ada, task)
    append(ada, upload, 0, "The work")
    staging.path_of(upload).unlink()
    staging.path_of(upload).mkdir()  # no folder is read as a file
    with pytest.raises(Unavailable):
        prepare_upload(row(upload))
    assert warnings_of(None, uploads=[row(upload)]) == []
