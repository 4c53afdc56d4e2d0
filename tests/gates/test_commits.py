"""Commits as evidence: what is read of a repository, and that nothing of it is run, whatever it holds."""

from __future__ import annotations

import os
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from orchestrator_site.kernel.errors import NotReady
from tasks.choices import Status
from tasks.gates.commits import Answer, Question, look_up
from tasks.gates.definition import Gate, gates_of
from tasks.gates.pieces import Piece
from tasks.models import Task
from tasks.services.look import look_at_commits
from tasks.services.review import request_revision
from tasks.services.verify_commit import verify_commit
from tests.agents.supervised import git
from tests.factories import make_project, make_task
from tests.gates.given import assistant, complete, person

COMMIT_GATE = {"name": "commit", "kind": "commit", "rung": "verified"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "README")
    return folder


def commit(folder: Path, *files: str) -> str:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(f"{file} {os.urandom(4).hex()}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Work", "--allow-empty")
    return git(folder, "rev-parse", "HEAD").strip()


def ask(folder: Path, name: str, *paths: str, base: str = "", since: int = 0) -> Answer:
    return look_up(Question(str(folder), name, paths, True, base, since))


@pytest.mark.parametrize("length", [7, 12, 40])
def test_a_commit_is_found_by_its_name_or_the_beginning_of_it(shop: Path, length: int) -> None:
    made = commit(shop, "src/till.py")
    assert ask(shop, made[:length]) == Answer(made)


@pytest.mark.parametrize("packed", [False, True])
def test_it_has_to_touch_one_of_the_paths(shop: Path, packed: bool) -> None:
    made = commit(shop, "src/till.py", "docs/till.md")
    if packed:
        git(shop, "gc", "-q")
        git(shop, "pack-refs", "--all")
    for paths in [("src",), ("./src/",), ("src/till.py",), ("src/*.py",), ("tests", "docs"), ()]:
        assert ask(shop, made, *paths).problem == ""
    for paths in [("tests",), ("sr",), ("src/till",), ("*.py",)][:3]:
        assert ask(shop, made, *paths).problem


def test_a_commit_that_touches_nothing_does_not_count(shop: Path) -> None:
    made = commit(shop)
    assert ask(shop, made).problem
    assert ask(shop, made, ".").problem


@pytest.mark.parametrize("path", [".", "./", "./."])
def test_the_folder_itself_holds_every_path(shop: Path, path: str) -> None:
    assert ask(shop, commit(shop, "src/till.py"), path).problem == ""


@pytest.mark.parametrize("name", ["HEAD", "main", "0" * 40, "dead00", "--help", "../..", "z" * 40, ""])
def test_what_is_no_commit_is_refused(shop: Path, name: str) -> None:
    found = ask(shop, name)
    assert (found.commit, bool(found.problem)) == ("", True)


def test_trees_and_files_are_no_commits(shop: Path) -> None:
    for revision in ("HEAD^{tree}", "HEAD:README"):
        assert ask(shop, git(shop, "rev-parse", revision).strip()).commit == ""


def test_it_has_to_be_on_a_branch_or_checked_out(shop: Path, tmp_path: Path) -> None:
    made = commit(shop, "src/till.py")
    git(shop, "reset", "-q", "--hard", "HEAD~1")
    assert ask(shop, made).problem
    git(shop, "worktree", "add", "-q", "--detach", str(tmp_path / "beside"), made)
    assert ask(shop, made).problem == ""
    git(shop, "worktree", "remove", str(tmp_path / "beside"))
    git(shop, "branch", "feature/till", made)
    assert ask(shop, made).problem == ""


def test_it_has_to_descend_from_the_base(shop: Path) -> None:
    base = git(shop, "rev-parse", "HEAD").strip()
    made = commit(shop, "src/till.py")
    last = commit(shop, "README")
    assert ask(shop, last, "src", base=base).problem == ""
    assert ask(shop, base, base=made).problem
    assert ask(shop, last, "src", base=made).problem


def test_it_must_not_be_older_than_the_task(shop: Path) -> None:
    made = commit(shop, "src/till.py")
    at = int(git(shop, "log", "-1", "--format=%ct"))
    assert ask(shop, made, since=at).problem == ""
    assert ask(shop, made, since=at + 1).problem


def test_a_replaced_commit_is_read_as_it_is(shop: Path) -> None:
    made = commit(shop, "src/till.py")
    other = commit(shop, "docs/till.md")
    git(shop, "replace", made, other)
    assert ask(shop, made, "src").problem == ""
    assert ask(shop, made, "docs").problem


def test_objects_of_another_repository_are_found_where_they_are_borrowed(shop: Path, tmp_path: Path) -> None:
    made = commit(shop, "src/till.py")
    git(tmp_path, "clone", "-q", "--shared", str(shop), str(tmp_path / "borrowing"))
    assert ask(tmp_path / "borrowing", made, "src").problem == ""


def test_a_shallow_clone_ends_where_it_ends(shop: Path, tmp_path: Path) -> None:
    commit(shop, "src/till.py")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{shop}", str(tmp_path / "shallow"))
    made = git(tmp_path / "shallow", "rev-parse", "HEAD").strip()
    assert ask(tmp_path / "shallow", made).problem == ""
    assert ask(tmp_path / "shallow", made, base="1" * 40).problem


# The service, which reads in a process of its own


@pytest.fixture
def task(shop: Path, db: None) -> Task:
    project = make_project(root_path=str(shop))
    return make_task(project, gates=[COMMIT_GATE], created_at=timezone.now() - timedelta(days=1))


def gate_with(**fields: object) -> Gate:
    return gates_of([{**COMMIT_GATE, **fields}])[0]


def test_the_service_says_what_it_found(task: Task, shop: Path) -> None:
    made = commit(shop, "src/till.py")
    found = verify_commit(task=task, gate=gate_with(paths=["src"]), commit=f" {made[:10].upper()} ")
    assert found and (found.passed, found.commit) == (True, made)
    missed = verify_commit(task=task, gate=gate_with(paths=["docs"]), commit=made)
    assert missed and not missed.passed and "docs" in missed.summary


def test_without_paths_it_has_to_touch_what_the_task_plans_to_change(task: Task, shop: Path) -> None:
    made = commit(shop, "src/till.py")
    task.paths = ["docs"]
    missed = verify_commit(task=task, gate=gate_with(), commit=made)
    assert missed and not missed.passed
    task.paths = ["src/till.py", "docs"]
    found = verify_commit(task=task, gate=gate_with(), commit=made)
    assert found and found.passed


@pytest.mark.parametrize("planned", ["*", "src/*.py", "src/?ill.py", "[s]rc/till.py"])
def test_what_a_task_plans_to_change_is_no_pattern(task: Task, shop: Path, planned: str) -> None:
    made, literal = commit(shop, "src/till.py"), commit(shop, planned)
    task.paths = [planned]
    for name, passed in ((made, False), (literal, True)):
        found = verify_commit(task=task, gate=gate_with(), commit=name)
        assert found and found.passed is passed


def test_a_commit_that_was_there_before_the_task_does_not_count(task: Task, shop: Path) -> None:
    made = commit(shop, "src/till.py")
    task.created_at = timezone.now() + timedelta(minutes=1)
    found = verify_commit(task=task, gate=gate_with(), commit=made)
    assert found and not found.passed


def test_a_commit_is_looked_at_for_each_of_the_gates_that_it_is_sent_for(task: Task, shop: Path) -> None:
    made = commit(shop, "src/till.py")
    task.gates = [{**COMMIT_GATE, "name": name, "paths": [name]} for name in ("src", "docs")]
    seen = look_at_commits(task=task, pieces=[Piece(gate=name, commit=made) for name in ("docs", "src")]).commits
    assert seen["src", made] == "" and "docs" in seen["docs", made]


def test_a_commit_of_an_earlier_attempt_does_not_count_again(task: Task, shop: Path) -> None:
    ada = assistant(task.project)
    Task.objects.filter(pk=task.pk).update(is_ready=True, requires_review=True)
    first = commit(shop, "src/till.py")
    assert complete(task, ada, Piece(commit=first)).status == Status.IN_REVIEW
    request_revision(task=task, actor=person(), reason="Round it")
    for name in (first, first[:9].upper()):
        with pytest.raises(NotReady) as error:
            complete(task, ada, Piece(commit=name, summary="Again"))
        assert "earlier attempt" in error.value.details["gates"][0]["why_not"]
    assert complete(task, ada, Piece(commit=commit(shop, "src/till.py"))).status == Status.IN_REVIEW


def test_without_a_repository_here_nothing_can_be_said(task: Task, tmp_path: Path) -> None:
    for root in ("", str(tmp_path / "gone"), str(tmp_path)):
        task.project.root_path = root
        assert verify_commit(task=task, gate=gate_with(), commit="0" * 40) is None


def test_nothing_that_a_repository_names_is_run(task: Task, shop: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    made = commit(shop, "src/till.py")
    with (shop / ".git/config").open("a") as config:
        config.write(
            f'[core]\nfsmonitor = "touch {ran}"\nsshCommand = "touch {ran}"\nalternateRefsCommand = "touch {ran}"\n'
        )
        config.write(
            f'[extensions]\npartialClone = origin\n[remote "origin"]\nurl = "ext::touch {ran}"\npromisor = true\n'
        )
        config.write("[include]\npath = /dev/zero\n")
    (shop / ".git/objects/info/alternates").write_text(f"{tmp_path}\n/dev\n/proc/self\n")
    found = verify_commit(task=task, gate=gate_with(), commit=made)
    assert found and found.passed
    missing = verify_commit(task=task, gate=gate_with(), commit="1" * 40)
    assert missing and not missing.passed
    assert not ran.exists()


def test_an_object_that_would_fill_the_memory_is_none(task: Task, shop: Path) -> None:
    """It would be a commit, were it not so large."""
    name = "ab" + "1" * 38
    content = git(shop, "cat-file", "commit", "HEAD").encode() + b"x" * 70 * 1024**2
    (shop / ".git/objects/ab").mkdir(exist_ok=True)
    (shop / ".git/objects/ab" / name[2:]).write_bytes(zlib.compress(b"commit %d\0" % len(content) + content))
    (shop / ".git/refs/heads/large").write_text(f"{name}\n")
    found = verify_commit(task=task, gate=gate_with(), commit=name)
    assert found and not found.passed


def test_what_never_ends_is_given_up(task: Task, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = commit(shop, "src/till.py")
    monkeypatch.setattr("tasks.services.verify_commit._SECONDS", 1)
    os.mkfifo(shop / ".git/packed-refs")
    found = verify_commit(task=task, gate=gate_with(), commit=made)
    assert found and not found.passed


@pytest.mark.parametrize("content", [b"", b"garbage", zlib.compress(b"commit 3\0abc"), zlib.compress(b"tree 9\0")])
def test_a_damaged_object_is_no_commit(task: Task, shop: Path, content: bytes) -> None:
    folder = shop / ".git/objects/cd"
    folder.mkdir(exist_ok=True)
    (folder / ("2" * 38)).write_bytes(content)
    found = verify_commit(task=task, gate=gate_with(), commit="cd" + "2" * 38)
    assert found and not found.passed
