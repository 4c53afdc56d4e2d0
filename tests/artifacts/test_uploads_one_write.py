"""The staged file of an upload becomes stored content without being written again, and never changes as such."""

from __future__ import annotations

import base64
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Content, Upload
from artifacts.services import upload as services
from artifacts.services.commit import commit, prepare_upload
from artifacts.services.sweep import remove_orphans
from artifacts.storage import arriving, local, staging
from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tests.artifacts.processes import Uploader, uploader
from tests.assistants import Assistant
from tests.homes import make_home

LARGE = Random(1).randbytes(300_000)
MORE = Random(2).randbytes(200_000)


def both(first: bytes, second: bytes) -> str:
    return sha256(first + second).hexdigest()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("one-write") / "home")


@pytest.fixture(scope="module")
def processes(home: Path) -> Iterator[Uploader]:
    with uploader(home) as running:
        yield running


def contents(home: Path) -> dict[int, bytes]:
    """Return every stored file by its inode."""
    files = [path for path in (home / "content").glob("??/??/*") if path.is_file()]
    return {path.stat().st_ino: path.read_bytes() for path in files}


def begun(processes: Uploader, data: bytes) -> str:
    upload = str(processes.do("begin")["upload"])
    assert processes.append(upload, 0, data) == {"offset": len(data)}
    return upload


def test_the_staged_file_is_the_stored_one(processes: Uploader, home: Path) -> None:
    upload = begun(processes, Random(3).randbytes(300_000))
    assert processes.do("commit", upload=upload, die="committed") == {"killed": True}
    assert (home / "staging" / upload).stat().st_ino in contents(home)


@pytest.mark.parametrize("point", ["linked", "kept", "in the transaction"])
def test_an_upload_goes_on_beside_what_a_dead_commit_has_kept(processes: Uploader, home: Path, point: str) -> None:
    first, second = Random(point).randbytes(300_000), MORE
    upload = begun(processes, first)
    assert processes.do("commit", upload=upload, die=point) == {"killed": True}
    before = contents(home)
    assert processes.append(upload, len(first), second) == {"offset": 500_000}
    assert contents(home) == before
    assert processes.do("commit", upload=upload)["sha256"] == both(first, second)
    assert processes.do("read", upload=upload)["sha256"] == both(first, second)
    assert before.items() <= contents(home).items()


@pytest.mark.parametrize("point", ["half written", "not acknowledged"])
def test_what_a_dead_append_left_is_not_stored(processes: Uploader, point: str) -> None:
    first = Random(point).randbytes(300_000)
    upload = begun(processes, first)
    assert processes.append(upload, len(first), MORE, point) == {"killed": True}
    assert processes.do("commit", upload=upload)["size"] == len(first)
    assert processes.do("read", upload=upload)["sha256"] == sha256(first).hexdigest()


def test_of_an_append_and_a_commit_at_once_the_content_is_one_of_the_two(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(20):
            first = Random(turn).randbytes(300_000)
            upload = begun(processes, first)
            others.start("append", upload=upload, offset=len(first), data=encoded(MORE))
            stored = processes.do("commit", upload=upload)
            appended = others.answer()
            if stored.get("sha256") == sha256(first).hexdigest():
                assert appended["state"] == "committed"
            else:
                assert appended == {"offset": 500_000}
                assert processes.do("commit", upload=upload)["sha256"] == both(first, MORE)
            assert processes.do("read", upload=upload)["size"] == (300_000 if "state" in appended else 500_000)


def test_an_append_goes_on_where_the_commit_removes_the_copy_that_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    staging.require_room(0)
    with staging.locked(name := "upload_00000000cafe") as handle:
        staging.write(handle, 0, MORE)
    os.link(staging.path_of(name), kept := staging.path_of("kept"))

    def removed_first(*_: object) -> None:
        monkeypatch.undo()
        staging.discard(name)

    monkeypatch.setattr(shutil, "copyfileobj", removed_first)
    with staging.locked(name) as handle:
        assert handle.read() == b""
    assert kept.read_bytes() == MORE
    kept.unlink()
    staging.discard(name)


def test_two_appends_after_a_dead_commit_go_to_one_copy(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(10):
            first = Random(f"copy {turn}").randbytes(300_000)
            upload = begun(processes, first)
            processes.do("commit", upload=upload, die="kept")
            for each in (processes, others):
                each.start("append", upload=upload, offset=len(first), data=encoded(MORE))
            assert [processes.answer(), others.answer()] == [{"offset": 500_000}] * 2
            assert processes.do("commit", upload=upload)["sha256"] == both(first, MORE)


def test_two_commits_at_once_of_a_large_upload_make_one_version(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(10):
            upload = begun(processes, Random(f"commits {turn}").randbytes(300_000))
            for each in (processes, others):
                each.start("commit", upload=upload)
            assert processes.answer() == others.answer()
            assert processes.do("status", upload=upload)["artifacts"] == 1
            assert processes.do("read", upload=upload)["size"] == 300_000


@pytest.fixture
def upload(ada: Assistant, settings: Settings, tmp_path: Path) -> Upload:
    settings.ORCHESTRATOR_HOME = tmp_path / "home"
    task = ada.plan("Write")["Write"]
    begun = ada.call("store_artifact", action="begin", task_id=task)
    return Upload.objects.select_related("task", "project").get(public_id=begun["upload_id"])


def append(upload: Upload, data: bytes) -> None:
    services.append(upload=upload, offset=upload.received, data=data)


def stored(upload: Upload) -> bytes:
    version = commit(arrived=prepare_upload(upload), actor=Actor.system())
    return b"".join(storage.chunks(version.content))


def test_what_was_counted_on_arrival_is_not_read_again(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    append(upload, LARGE)
    append(upload, MORE)
    monkeypatch.setattr(staging, "chunks", None)
    assert stored(upload) == LARGE + MORE


def test_a_process_that_has_counted_a_part_only_reads_all(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    append(upload, LARGE)
    with monkeypatch.context() as another_process:
        another_process.setattr(arriving, "_tallies", OrderedDict())
        append(upload, MORE)
    append(upload, LARGE)
    assert stored(upload) == LARGE + MORE + LARGE


def test_a_part_that_was_not_acknowledged_is_not_counted(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    append(upload, LARGE)
    with monkeypatch.context() as failing:
        failing.setattr(services, "_acknowledge", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            services.append(upload=upload, offset=len(LARGE), data=MORE)
    upload.refresh_from_db()
    append(upload, MORE[::-1])
    assert stored(upload) == LARGE + MORE[::-1]


def test_few_uploads_are_counted_at_once(upload: Upload) -> None:
    for number in range(40):
        with arriving.counted(f"upload_{number}", 0, b"x"):
            pass
    append(upload, LARGE)
    assert len(arriving._tallies) <= 32
    assert stored(upload) == LARGE


def test_where_no_links_are_possible_the_bytes_are_copied(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refused)
    append(upload, LARGE)
    prepared = prepare_upload(upload).prepared
    assert prepared
    (file,) = (path for path in local.folder().glob("??/??/*"))
    assert not file.samefile(staging.path_of(upload.public_id))
    append(upload, MORE)
    assert file.read_bytes() == LARGE
    assert stored(upload) == LARGE + MORE


def test_bytes_that_arrived_long_ago_are_not_swept_before_their_row_is_there(upload: Upload) -> None:
    append(upload, LARGE)
    os.utime(staging.path_of(upload.public_id), (0, 0))
    arrived = prepare_upload(upload)
    assert remove_orphans() == 0
    assert commit(arrived=arrived, actor=Actor.system()).content.size_bytes == len(LARGE)


def test_another_sha256_than_announced_keeps_no_bytes(upload: Upload) -> None:
    Upload.objects.update(expected_sha256="0" * 64)
    append(upload, LARGE)
    with pytest.raises(Conflict):
        prepare_upload(upload)
    assert [path for path in local.folder().rglob("*") if path.is_file()] == []
    assert staging.path_of(upload.public_id).stat().st_nlink == 1


def test_the_same_bytes_again_keep_nothing_new(upload: Upload, ada: Assistant) -> None:
    task = upload.task.public_id
    append(upload, LARGE)
    stored(upload)
    call = {"action": "begin", "task_id": task, "base64": encoded(LARGE), "file_paths": ["again"]}
    again = Upload.objects.select_related("task", "project").get(
        public_id=ada.call("store_artifact", **call)["upload_id"]
    )
    assert stored(again) == LARGE
    assert (Content.objects.count(), len(list(local.folder().rglob("*-*")))) == (1, 1)


def test_the_copy_that_a_dead_process_left_goes_with_its_upload(upload: Upload, ada: Assistant) -> None:
    append(upload, LARGE)
    copy = staging.path_of(upload.public_id).with_suffix(".copy")
    copy.write_bytes(b"some")
    assert staging.names() == [upload.public_id]
    ada.call("store_artifact", action="abort", upload_id=upload.public_id)
    assert list(staging.folder().iterdir()) == []
