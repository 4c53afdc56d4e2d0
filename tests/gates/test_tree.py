"""The fingerprint of a folder's files: what changes it, what does not, and that nothing of a repository is run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import Conflict, TooLarge, Transient
from tasks.gates import tree
from tasks.gates.ignoring import rules_in
from tasks.gates.tree import key_of, read_tree
from tests.agents.supervised import git


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with some files, whose index says what they hold."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "src/till.py").write_text("till\n")
    (folder / "README").write_text("A shop\n")
    (folder / ".gitignore").write_text("build/\n*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    settle(folder)
    return folder


def settle(folder: Path) -> None:
    """Let the index be newer than the files, so that it is believed, and let Git read them again."""
    for file in folder.rglob("*"):
        if ".git" not in file.parts and file.is_file():
            os.utime(file, ns=(10**18, 10**18))
    git(folder, "update-index", "-q", "--refresh")


def fingerprint(folder: Path) -> str:
    return read_tree(folder).fingerprint


def test_staging_and_committing_changes_nothing(shop: Path) -> None:
    (shop / "src/till.py").write_text("a better till\n")
    (shop / "new.py").write_text("new\n")
    before = fingerprint(shop)
    git(shop, "add", ".")
    assert fingerprint(shop) == before
    git(shop, "commit", "-q", "-m", "Better")
    assert fingerprint(shop) == before


def test_the_commit_is_named(shop: Path) -> None:
    assert read_tree(shop).commit == git(shop, "rev-parse", "HEAD").strip()
    git(shop, "pack-refs", "--all")
    assert read_tree(shop).commit == git(shop, "rev-parse", "HEAD").strip()
    git(shop, "checkout", "-q", "--detach")
    assert read_tree(shop).commit == git(shop, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("echo x >> src/till.py", ["src/till.py"]),
        ("echo new > new.py", ["new.py"]),
        ("rm README", ["README"]),
        ("chmod +x README", ["README"]),
        ("mv README READ", ["READ", "README"]),
        ("ln -s README link", ["link"]),
        ("echo '*.py' >> .gitignore", [".gitignore"]),
    ],
)
def test_every_change_is_seen_and_named(shop: Path, change: str, changed: list[str]) -> None:
    before = read_tree(shop)
    subprocess.run(change, shell=True, cwd=shop, check=True)
    after = read_tree(shop)
    assert after.fingerprint != before.fingerprint
    assert before.changed_to(after) == changed


def test_a_change_that_keeps_size_and_time_is_seen(shop: Path) -> None:
    before, seen = fingerprint(shop), (shop / "README").stat()
    (shop / "README").write_text("B shop\n")
    os.utime(shop / "README", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert fingerprint(shop) != before


def test_what_git_shall_assume_is_looked_at(shop: Path) -> None:
    before = fingerprint(shop)
    git(shop, "update-index", "--assume-unchanged", "README")
    (shop / "README").write_text("Another shop\n")
    assert fingerprint(shop) != before


@pytest.mark.parametrize("file", ["build/x", "a.log", ".task_orchestrator/roles.yaml", "out/junit.xml"])
def test_what_is_built_and_reported_does_not_count(shop: Path, file: str) -> None:
    before = read_tree(shop, besides=["./out/junit.xml"]).fingerprint
    (shop / file).parent.mkdir(exist_ok=True)
    (shop / file).write_text("x")
    assert read_tree(shop, besides=["./out/junit.xml"]).fingerprint == before


def test_a_file_that_git_keeps_counts_although_it_is_ignored(shop: Path) -> None:
    (shop / "build").mkdir()
    (shop / "build/kept").write_text("1")
    git(shop, "add", "-f", "build/kept")
    before = fingerprint(shop)
    (shop / "build/other").write_text("1")
    assert fingerprint(shop) == before
    (shop / "build/kept").write_text("2")
    assert fingerprint(shop) != before


def test_a_folder_without_git_has_none(tmp_path: Path) -> None:
    assert read_tree(tmp_path) == tree.Tree()


def test_a_worktree_has_the_fingerprint_of_its_own_files(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", str(tmp_path / "beside"))
    assert fingerprint(tmp_path / "beside") == fingerprint(shop)
    assert key_of(tmp_path / "beside") != key_of(shop)
    (tmp_path / "beside/README").write_text("Another\n")
    assert fingerprint(tmp_path / "beside") != fingerprint(shop)


def test_any_folder_in_the_tree_means_all_of_it(shop: Path) -> None:
    assert read_tree(shop / "src", besides=["../README"]) == read_tree(shop, besides=["README"])
    assert key_of(shop / "src") == key_of(shop)


def test_a_repository_within_does_not_count_unless_it_is_a_submodule(shop: Path) -> None:
    before = fingerprint(shop)
    (shop / "other").mkdir()
    git(shop / "other", "init", "-q")
    (shop / "other/file").write_text("1")
    assert fingerprint(shop) == before
    git(shop / "other", "add", ".")
    git(shop / "other", "commit", "-q", "-m", "Other")
    git(shop, "add", "other")
    assert "other/file" in read_tree(shop).files


def test_conversion_of_line_ends_changes_nothing(shop: Path) -> None:
    (shop / ".gitattributes").write_text("* text eol=crlf\n")
    (shop / "README").write_bytes(b"A shop\r\n")
    before = fingerprint(shop)
    git(shop, "add", ".")
    git(shop, "commit", "-q", "-m", "Lines")
    settle(shop)
    assert fingerprint(shop) == before


def test_hashes_of_the_newer_kind_are_understood(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    (tmp_path / "README").write_text("A shop\n")
    before = fingerprint(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Begin")
    settle(tmp_path)
    assert fingerprint(tmp_path) == before


# Ignoring

_NAMES = st.sampled_from(["a", "b", "ab", "a.b", "x y", "[a]", "a*b"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_PARTS = st.sampled_from(["a", "b", "*", "?", "**", "a*", "*b", "[ab]", "[!a]", "[^b]", r"\*", r"a\*b", "*.b", "x y"])
_PATTERNS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "!"]),
        st.sampled_from(["", "/"]),
        st.lists(_PARTS, min_size=1, max_size=3).map("/".join),
        st.sampled_from(["", "/", " "]),
    ),
)


@settings(max_examples=60)
@given(paths=st.sets(_PATHS, min_size=1, max_size=8), rules=st.lists(_PATTERNS, max_size=5), inner=st.lists(_PATTERNS))
def test_the_same_files_are_ignored_as_by_git(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], rules: list[str], inner: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("ignoring")
    git(folder, "init", "-q")
    (folder / ".git/info/exclude").write_text("\n".join(rules))
    for path in paths:
        file = folder / path
        if not any(above.is_file() for above in file.parents) and not file.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x")
    if (folder / "a").is_dir():
        (folder / "a/.gitignore").write_text("\n".join(inner))
    listed = git(folder, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    assert set(read_tree(folder).files) == set(filter(None, listed))


def test_a_pattern_that_could_take_forever_does_not() -> None:
    rule = rules_in(b"*a" * 40 + b"b")[0]
    assert not rule.matches(["a" * 250], is_folder=False)
    deep = rules_in(b"**/a/" * 40 + b"b")[0]
    assert not deep.matches(["a"] * 200, is_folder=False)


def test_what_the_user_ignores_everywhere_does_not_count(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git/ignore").write_text("*.swp\n")
    before = fingerprint(shop)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (shop / ".README.swp").write_text("x")
    assert fingerprint(shop) == before


# Hostile repositories


def test_nothing_that_a_repository_names_is_run(shop: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "filter.bad.clean", "filter.bad.smudge", "filter.bad.process", "diff.bad.textconv"):
        git(shop, "config", key, f"touch {ran}; false")
    git(shop, "config", "include.path", "/dev/zero")
    for hook in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        (shop / ".git/hooks").mkdir(exist_ok=True)
        (shop / f".git/hooks/{hook}").write_text(f"#!/bin/sh\ntouch {ran}\n")
        (shop / f".git/hooks/{hook}").chmod(0o755)
    (shop / ".gitattributes").write_text("* filter=bad diff=bad\n")
    assert fingerprint(shop)
    assert not ran.exists()


@pytest.mark.parametrize(
    "name", [".gitignore", ".git/index", ".git/info/exclude", "README", ".git/HEAD", ".gitattributes"]
)
def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(shop: Path, name: str) -> None:
    (shop / name).unlink(missing_ok=True)
    os.mkfifo(shop / name)
    assert name not in read_tree(shop).files


def test_a_link_leads_nowhere(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/till.py").write_text("till\n")
    (shop / "src/till.py").unlink()
    (shop / "src").rmdir()
    (shop / "src").symlink_to(tmp_path / "elsewhere")
    assert "src/till.py" not in read_tree(shop).files
    before = fingerprint(shop)
    (tmp_path / "elsewhere/till.py").write_text("changed\n")
    assert fingerprint(shop) == before


def test_a_repository_behind_a_link_is_read(shop: Path, tmp_path: Path) -> None:
    before = fingerprint(shop)
    (shop / ".git").rename(tmp_path / "kept")
    (shop / ".git").symlink_to(tmp_path / "kept")
    assert fingerprint(shop) == before


def test_an_index_that_cannot_be_read_is_refused(shop: Path) -> None:
    (shop / ".git/index").write_bytes(b"DIRC" + b"\xff" * 60)
    with pytest.raises(Conflict):
        read_tree(shop)


def test_what_belongs_to_another_account_counts_as_closed(shop: Path) -> None:
    (shop / "closed").write_text("x")
    before = read_tree(shop)
    (shop / "closed").chmod(0)
    assert before.changed_to(read_tree(shop)) == ([] if os.getuid() == 0 else ["closed"])


def test_there_is_an_end_to_what_is_read(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "FILES_LIMIT", 2)
    with pytest.raises(TooLarge):
        read_tree(shop)
    monkeypatch.undo()
    monkeypatch.setattr(tree, "BYTES_LIMIT", 10)
    (shop / "large").write_text("x" * 100)
    with pytest.raises(TooLarge):
        read_tree(shop)


def test_folders_may_be_nested_deeply(shop: Path) -> None:
    deep = "/".join(["d"] * 600)
    subprocess.run(f"mkdir -p {deep} && touch {deep}/file", shell=True, cwd=shop, check=True)
    assert f"{deep}/file" in read_tree(shop).files
    subprocess.run(["rm", "-r", "d"], cwd=shop, check=True)  # what cleans up after tests goes less deep


def test_files_that_are_ignored_take_time_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".git/info/exclude").write_text("*\n")
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(tree, "SECONDS_LIMIT", -1)
    with pytest.raises(Transient):
        read_tree(tmp_path)


def test_a_folder_that_has_just_been_removed_is_left_out(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "doomed").mkdir()
    real = os.scandir

    def scan(path: str) -> Any:
        if path.endswith("doomed"):
            (shop / "doomed").rmdir()
        return real(path)

    before = read_tree(shop)
    monkeypatch.setattr(os, "scandir", scan)
    assert read_tree(shop) == before
