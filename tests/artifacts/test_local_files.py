"""An assistant on this machine stores a file of its project's folder, and has artifacts written to files there."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from io import FileIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Artifact, Content, Upload
from artifacts.services import local_files
from artifacts.storage import local
from tasks.models import Project
from tests.assistants import Assistant, subtask
from tests.mcp.http_client import FULL, served
from tests.mcp.stdio_client import connected

DATA = Random(1).randbytes(300_000)


@pytest.fixture(autouse=True)
def own_home(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path_factory.mktemp("home")


@pytest.fixture
def task(ada: Assistant) -> str:
    return ada.plan("Write")["Write"]


def put(ada: Assistant, path: str, data: bytes = DATA) -> Path:
    file = ada.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def commit(ada: Assistant, task: str, path: str, **more: Any) -> dict[str, Any]:
    return ada.call("store_artifact", action="commit", task_id=task, path=path, **more)


def not_committed(ada: Assistant, task: str, path: str, **more: Any) -> str:
    """Commit what must be refused without a trace, and return the code."""
    code = str(ada.refused("store_artifact", action="commit", task_id=task, path=path, **more)["code"])
    assert [each for each in local.folder().rglob("*") if each.is_file()] == []
    return code


def export(ada: Assistant, artifact: str, path: str, **more: Any) -> dict[str, Any]:
    return ada.call("export_artifact", artifact_id=artifact, path=path, **more)


def not_exported(ada: Assistant, artifact: str, path: str, **more: Any) -> str:
    """Export what must be refused, and return the code; no draft is left."""
    code = str(ada.refused("export_artifact", artifact_id=artifact, path=path, **more)["code"])
    assert list(ada.folder.rglob(".artifacts-*")) == []
    return code


@pytest.fixture
def artifact(ada: Assistant, task: str) -> str:
    """Return the id of an artifact that holds DATA."""
    begun = ada.call("store_artifact", action="begin", task_id=task, base64=b64encode(DATA).decode())
    stored = ada.call("store_artifact", action="commit", upload_id=begun["upload_id"])
    return str(stored["artifact_info"]["artifact_id"])


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_file_is_stored_where_it_lies(ada: Assistant, task: str, size: int) -> None:
    put(ada, "dist/till.tar.gz", DATA[:size])
    info = commit(ada, task, "dist/till.tar.gz", summary="Packed")["artifact_info"]
    assert (info["sha256"], info["size_bytes"]) == (sha256(DATA[:size]).hexdigest(), size)
    artifact = Artifact.objects.get()
    assert (artifact.summary, [each.path for each in artifact.paths.all()]) == ("Packed", ["dist/till.tar.gz"])
    assert b"".join(storage.chunks(Content.objects.get())) == DATA[:size]


def test_other_paths_and_what_was_announced_are_respected(ada: Assistant, task: str) -> None:
    put(ada, "out.bin")
    facts = {"expected_size": len(DATA), "expected_sha256": sha256(DATA).hexdigest().upper()}
    commit(ada, task, "out.bin", file_paths=["a/b.bin"], **facts)
    assert [each.path for each in Artifact.objects.get().paths.all()] == ["a/b.bin"]


@pytest.mark.parametrize("facts", [{"expected_size": 5}, {"expected_sha256": "0" * 64}])
def test_another_file_than_announced_is_refused(ada: Assistant, task: str, facts: dict[str, Any]) -> None:
    put(ada, "out.bin")
    assert not_committed(ada, task, "out.bin", **facts) == "conflict"


def test_a_subtask_ends_with_its_file(ada: Assistant, task: str) -> None:
    put(ada, "out.bin")
    upload = commit(ada, task, "out.bin")["upload_id"]
    call = {"task_id": task, "summary": "Done", "upload_ids": [upload]}
    assert ada.call("complete_subtask", **call)["status"] == "completed"
    assert (Upload.objects.get().state, Artifact.objects.get().version) == ("committed", 1)


def test_a_commit_with_a_key_is_done_once(ada: Assistant, task: str) -> None:
    file = put(ada, "out.bin")
    first = commit(ada, task, "out.bin", idempotency_key="once")
    assert commit(ada, task, "out.bin", idempotency_key="once") == first | {"replayed": True}
    file.write_bytes(b"other")
    call = {"action": "commit", "task_id": task, "path": "out.bin", "idempotency_key": "once"}
    assert ada.refused("store_artifact", **call)["code"] == "conflict"
    assert Upload.objects.count() == 1


def test_a_file_that_was_cut_off_is_reported(ada: Assistant, task: str) -> None:
    put(ada, "a.py", b"x = (\n")
    assert len(commit(ada, task, "a.py")["warnings"]) == 1


def linked_file(folder: Path, outside: Path) -> str:
    (folder / "link").symlink_to(outside / "secret")
    return "link"


def linked_folder(folder: Path, outside: Path) -> str:
    (folder / "way").symlink_to(outside)
    return "way/secret"


def pipe(folder: Path, outside: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


def a_folder(folder: Path, outside: Path) -> str:
    (folder / "sub").mkdir()
    return "sub"


def a_file_above(folder: Path, outside: Path) -> str:
    (folder / "file").touch()
    return "file/below"


WAYS: dict[str, tuple[Callable[[Path, Path], str], str]] = {
    "a link": (linked_file, "conflict"),
    "a link above": (linked_folder, "conflict"),
    "a pipe": (pipe, "conflict"),
    "a folder": (a_folder, "conflict"),
    "a file above": (a_file_above, "conflict"),
    "above the folder": (lambda folder, outside: f"../{outside.name}/secret", "invalid"),
    "above, and back": (lambda folder, outside: f"sub/../../{outside.name}/secret", "invalid"),
    "absolute": (lambda folder, outside: str(outside / "secret"), "invalid"),
    "absolute, inside": (lambda folder, outside: str(folder / "file"), "invalid"),
    "nothing": (lambda folder, outside: "/", "invalid"),
    "a zero byte": (lambda folder, outside: "a\0b", "invalid"),
    "a backslash": (lambda folder, outside: "..\\secret", "invalid"),
    "a name that is too long": (lambda folder, outside: "x" * 300, "invalid"),
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder beside the project's, with a file in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_a_plain_file_of_the_folder_is_stored(ada: Assistant, task: str, outside: Path, way: str) -> None:
    path, code = WAYS[way]
    assert not_committed(ada, task, path(ada.folder, outside)) == code


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_written_outside_or_over_what_is_no_file(
    ada: Assistant, artifact: str, outside: Path, way: str
) -> None:
    path, code = WAYS[way]
    before = sorted(outside.parent.rglob("*"))
    named = path(ada.folder, outside)
    made = sorted(outside.parent.rglob("*"))
    assert not_exported(ada, artifact, named, overwrite=True) == code
    assert sorted(outside.parent.rglob("*")) == made
    assert set(before) <= set(made)
    assert (outside / "secret").read_text() == "secret"


def test_what_is_missing_empty_or_too_large_is_refused(ada: Assistant, task: str, settings: Settings) -> None:
    put(ada, "empty", b"")
    put(ada, "large", b"x" * 11)
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 10
    codes = {path: not_committed(ada, task, path) for path in ("missing", "no/folder", "empty", "large")}
    assert list(codes.values()) == ["not_found", "not_found", "invalid", "too_large"]


@pytest.mark.parametrize("change", ["grown", "shrunk", "rewritten"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    ada: Assistant, task: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(ada, "out.bin")
    write = storage.Writer.write

    def changed_first(writer: storage.Writer, data: bytes) -> None:
        monkeypatch.setattr(storage.Writer, "write", write)
        with FileIO(file, "r+") as handle:
            if change == "grown":
                handle.seek(0, os.SEEK_END)
            elif change == "shrunk":
                handle.truncate(5)
            handle.write(b"other")
        write(writer, data)

    monkeypatch.setattr(local_files, "_CHUNK", 1000)
    monkeypatch.setattr(storage.Writer, "write", changed_first)
    assert not_committed(ada, task, "out.bin") == "conflict"
    commit(ada, task, "out.bin")


def test_a_file_is_only_for_a_task_that_one_may_deliver_for(ada: Assistant, bob: Assistant, task: str) -> None:
    put(ada, "out.bin")
    bob.call("execute_subtask", task_id=task)
    assert not_committed(ada, task, "out.bin") == "conflict"
    bob.complete(task)
    assert ada.refused("store_artifact", action="commit", task_id=task, path="out.bin")["code"] == "conflict"


@pytest.mark.parametrize(
    ("arguments", "at"),
    [
        ({"action": "commit", "path": "a"}, "task_id"),
        ({"action": "commit", "path": "a", "task_id": "t", "upload_id": "u"}, "upload_id"),
        ({"action": "commit", "path": "a", "task_id": "t", "text": "x"}, "text"),
        ({"action": "begin", "path": "a", "task_id": "t"}, "path"),
        ({"action": "commit", "upload_id": "u", "summary": "s"}, "summary"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(ada: Assistant, arguments: dict[str, Any], at: str) -> None:
    problems = ada.refused("store_artifact", **arguments)["details"]["problems"]
    assert at in [problem["at"] for problem in problems]


def test_our_own_data_is_no_file_of_a_project(ada: Assistant, task: str, artifact: str, settings: Settings) -> None:
    settings.ORCHESTRATOR_HOME = ada.folder / "data"
    put(ada, "data/secret.key")
    assert ada.refused("store_artifact", action="commit", task_id=task, path="data/secret.key")["code"] == "invalid"
    assert not_exported(ada, artifact, "data/more") == "invalid"


def test_a_whole_artifact_is_written_to_a_file(ada: Assistant, artifact: str) -> None:
    answer = export(ada, artifact, "in/new/folders.bin")
    assert (ada.folder / "in/new/folders.bin").read_bytes() == DATA
    assert answer == {
        "path": str(ada.folder / "in/new/folders.bin"),
        "written": True,
        "version": 1,
        "size_bytes": len(DATA),
        "sha256": sha256(DATA).hexdigest(),
    }
    assert export(ada, artifact, "in/new/folders.bin")["written"] is False


def test_an_older_version_is_replaced_and_anything_else_is_not(ada: Assistant, task: str) -> None:
    put(ada, "work.bin", b"one")
    artifact = commit(ada, task, "work.bin")["artifact_info"]["artifact_id"]
    put(ada, "work.bin", b"two")
    commit(ada, task, "work.bin")
    assert export(ada, artifact, "work.bin", version=1)["written"]
    assert export(ada, artifact, "work.bin")["version"] == 2
    file = put(ada, "work.bin", b"a person's")
    assert not_exported(ada, artifact, "work.bin") == "conflict"
    assert file.read_bytes() == b"a person's"
    assert export(ada, artifact, "work.bin", overwrite=True)["written"]
    assert file.read_bytes() == b"two"


def test_an_export_with_a_key_writes_the_same_version_again(ada: Assistant, task: str) -> None:
    put(ada, "work.bin", b"one")
    artifact = commit(ada, task, "work.bin")["artifact_info"]["artifact_id"]
    first = export(ada, artifact, "out.bin", idempotency_key="once")
    put(ada, "work.bin", b"two")
    commit(ada, task, "work.bin")
    again = export(ada, artifact, "out.bin", idempotency_key="once")
    assert again == first | {"written": False}
    call = {"artifact_id": artifact, "path": "other.bin", "idempotency_key": "once"}
    assert ada.refused("export_artifact", **call)["code"] == "conflict"


@pytest.mark.parametrize(
    "path", [".git/config", "a/.GIT/hooks/x", "HEAD", ".task_orchestrator/local/project", "con", ".artifacts-lock"]
)
def test_nothing_is_written_where_git_or_we_look(ada: Assistant, artifact: str, path: str) -> None:
    assert not_exported(ada, artifact, path, overwrite=True) == "invalid"


def test_damaged_bytes_leave_the_file_as_it_is(ada: Assistant, artifact: str) -> None:
    file = put(ada, "work.bin", b"a person's")
    local.path_of(sha256(DATA).hexdigest()).write_bytes(DATA[:-1] + b"x")
    ada.refused("export_artifact", artifact_id=artifact, path="work.bin", overwrite=True)
    assert [file.read_bytes(), [*ada.folder.glob(".artifacts-*")]] == [b"a person's", []]


def test_a_project_without_a_folder_here_has_no_files(ada: Assistant, task: str) -> None:
    project = Project.objects.get()
    ada.caller.working_directory = ""
    project.root_path = "/gone"
    project.save()
    assert not_committed(ada, task, "out.bin") == "invalid"


def test_in_a_worktree_its_own_files_are_meant(ada: Assistant, task: str, tmp_path: Path) -> None:
    tree, git = tmp_path / "tree", ada.folder / ".git"
    (git / "worktrees" / "tree").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "worktrees" / "tree" / "commondir").write_text("../..\n")
    (git / "worktrees" / "tree" / "gitdir").write_text(f"{tree / '.git'}\n")
    (tree / "sub").mkdir(parents=True)
    (tree / ".git").write_text(f"gitdir: {git / 'worktrees' / 'tree'}\n")
    (tree / "sub" / "out.bin").write_bytes(DATA)
    ada.caller.working_directory = str(tree / "sub")
    assert commit(ada, task, "sub/out.bin")["artifact_info"]["size_bytes"] == len(DATA)


@pytest.mark.parametrize("modern", [False, True])
def test_over_http_no_files_are_named(tmp_path: Path, modern: bool) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "out.bin").write_bytes(DATA)
    with served(tmp_path / "home", {"up": FULL}, ORCHESTRATOR_TOOLSETS="core,artifacts") as site:
        client = site.client("up", modern=modern)
        session = client.call("orchestrator_initialize_session", project_dir=str(folder))["session_id"]
        for name, arguments in (
            ("store_artifact", {"action": "commit", "task_id": "task_1", "path": "out.bin"}),
            ("export_artifact", {"artifact_id": "artifact_1", "path": "new.bin"}),
        ):
            answer = client.request(
                "tools/call", name=f"orchestrator_{name}", arguments={**arguments, "session_id": session}
            )
            assert answer["result"]["structuredContent"]["code"] == "forbidden"


def test_over_a_pipe_a_file_goes_in_and_out(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "in.bin").write_bytes(DATA)
    options = {"ORCHESTRATOR_PROJECT_DIR": str(folder)}
    with connected(tmp_path / "home", trial=False, toolsets="core,artifacts", **options) as pipe:
        plan = pipe.call(
            "orchestrator_plan_task",
            description="A job",
            subtasks=[subtask("A")],
        )
        task = plan["subtasks"][0]["task_id"]
        stored = pipe.call("orchestrator_store_artifact", action="commit", task_id=task, path="in.bin")
        artifact = stored["artifact_info"]["artifact_id"]
        answer = pipe.call("orchestrator_export_artifact", artifact_id=artifact, path="out.bin")
    assert (folder / "out.bin").read_bytes() == DATA
    assert answer["sha256"] == sha256(DATA).hexdigest()
