"""What a run left is collected whole, and nothing of it is run."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import NotFound, TooLarge
from tasks.agents.worktrees import Link, Worktree, collecting, copy_ignored, remove, restore, tampering, trusted
from tasks.agents.worktrees.git import opened
from tests.agents.repositories import Canary, Shop, gather, make_canary, make_shop, write
from tests.properties import one_in


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return make_canary(tmp_path)


def test_what_was_added_changed_and_deleted_is_collected(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed", "new/c.txt": "c", "noise.log": "x"})
    Path(made.folder, "lib/b.txt").unlink()
    found = gather(made)
    assert {(each.path, each.change, each.bytes) for each in found.files} == {
        ("a.txt", "modified", 7),
        ("new/c.txt", "added", 1),
        ("lib/b.txt", "deleted", 0),
    }
    assert (found.files_total, found.bytes, found.tampered, found.left_out) == (3, 8, [], [])
    assert shop.git("rev-parse", made.branch) == found.head
    assert shop.git("rev-parse", f"{made.branch}^") == made.base_commit
    assert set(shop.files(str(found.head))) == {"a.txt", ".gitignore", "new/c.txt"}


def test_nothing_is_collected_where_nothing_changed(shop: Shop) -> None:
    made = shop.run()
    os.utime(Path(made.folder, "a.txt"), (1, 1))
    assert gather(made).head is None
    assert shop.git("rev-parse", made.branch) == made.base_commit


def test_collecting_again_changes_nothing(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    assert gather(made) == gather(made)


def test_what_an_agent_committed_is_kept_with_what_it_did_not(shop: Shop) -> None:
    made = shop.run()
    shop.commit("Mine", at=Path(made.folder), committed="1")
    write(Path(made.folder), loose="2")
    found = gather(made)
    assert {each.path for each in found.files} == {"committed", "loose"}
    assert shop.git("log", "--format=%s", f"{made.base_commit}..{found.head}").splitlines() == ["Do it", "Mine"]


def test_an_agent_that_committed_all_itself_gets_no_further_commit(shop: Shop) -> None:
    made = shop.run()
    mine = shop.commit("Mine", at=Path(made.folder), new="1")
    assert gather(made).head == mine


def test_ignored_files_that_an_agent_committed_are_kept(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"built.log": "1"})
    shop.git("add", "--force", "built.log", at=Path(made.folder))
    shop.commit("Mine", at=Path(made.folder))
    write(Path(made.folder), new="1")
    assert {each.path for each in gather(made).files} == {"built.log", "new"}


def test_an_agent_that_committed_on_another_branch_loses_nothing(shop: Shop) -> None:
    made = shop.run()
    shop.git("checkout", "--quiet", "-b", "feature", at=Path(made.folder))
    shop.commit("Mine", at=Path(made.folder), new="1")
    found = gather(made)
    assert [each.path for each in found.files] == ["new"]
    assert found.tampered == []


def test_a_branch_that_no_longer_continues_its_base_is_collected_from_the_base(shop: Shop) -> None:
    made = shop.run()
    shop.git("checkout", "--quiet", "--orphan", "x", at=Path(made.folder))
    orphan = shop.commit("Orphan", at=Path(made.folder), new="1")
    shop.git("update-ref", f"refs/heads/{made.branch}", orphan)
    found = gather(made)
    assert [each.path for each in found.files] == ["new"]
    assert shop.git("rev-parse", f"{found.head}^") == made.base_commit


def test_a_branch_that_was_deleted_is_made_again(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    shop.git("update-ref", "-d", f"refs/heads/{made.branch}")
    found = gather(made)
    assert shop.git("rev-parse", made.branch) == found.head


def test_unusual_names_are_collected(shop: Shop) -> None:
    made = shop.run()
    names = ["-rf", "--output=x", "a\nb", " ", "ü★", ":(top)x", "*", "a\\b", '"quoted"', "x" * 200, "#c", "~"]
    write(Path(made.folder), **dict.fromkeys(names, "1"))
    Path(os.fsdecode(os.fsencode(made.folder) + b"/\xff\xfe")).write_text("1")
    found = gather(made)
    assert {each.path for each in found.files} == {*names, "\ufffd\ufffd"}
    found_names = shop.git("ls-tree", "-z", "--name-only", str(found.head)).split("\0")
    assert set(names) <= set(found_names)


def test_names_that_git_does_not_allow_are_left_out_and_named(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"git~1": "1", "s/.GIT/config": "[core]", "fine": "1"})
    found = gather(made)
    assert [each.path for each in found.files] == ["fine"]
    assert found.left_out == ["git~1", "s/.GIT/config"]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_does_not_hold_up(shop: Shop, kind: str) -> None:
    made = shop.run()
    Path(made.folder, "a.txt").unlink()
    for name in ("a.txt", "other"):
        if kind == "pipe":
            os.mkfifo(Path(made.folder, name))
        else:
            os.mknod(Path(made.folder, name), 0o140644)
    assert [(each.path, each.change) for each in gather(made).files] == [("a.txt", "deleted")]


def test_a_file_that_became_a_folder_is_collected_and_the_reverse(shop: Shop) -> None:
    made = shop.run()
    Path(made.folder, "a.txt").unlink()
    shutil.rmtree(Path(made.folder, "lib"))
    write(Path(made.folder), **{"a.txt/inner": "1", "lib": "now a file"})
    assert set(shop.files(str(gather(made).head))) == {".gitignore", "a.txt/inner", "lib"}


def test_links_are_collected_as_links_and_listed(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "secrets", key="private")
    made = shop.run()
    Path(made.folder, "in").symlink_to("lib/b.txt")
    Path(made.folder, "lib/up").symlink_to("../a.txt")
    Path(made.folder, "out").symlink_to(tmp_path / "secrets" / "key")
    Path(made.folder, "lib/over").symlink_to("../../shop/a.txt")
    Path(made.folder, "inside").symlink_to(".git")
    found = gather(made)
    assert found.symlinks == [
        Link("in", "lib/b.txt", leaves=False),
        Link("inside", ".git", leaves=True),
        Link("lib/over", "../../shop/a.txt", leaves=True),
        Link("lib/up", "../a.txt", leaves=False),
        Link("out", str(tmp_path / "secrets" / "key"), leaves=True),
    ]
    assert "private" not in shop.files(str(found.head)).values()


def test_a_folder_that_became_a_link_brings_nothing_from_outside(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "secrets", **{"b.txt": "private", "more": "private"})
    made = shop.run()
    shutil.rmtree(Path(made.folder, "lib"))
    Path(made.folder, "lib").symlink_to(tmp_path / "secrets")
    found = gather(made)
    assert {(each.path, each.change) for each in found.files} == {("lib", "added"), ("lib/b.txt", "deleted")}
    assert "private" not in shop.files(str(found.head)).values()


def test_an_ignored_link_in_place_of_a_folder_brings_nothing_either(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "secrets", **{"b.txt": "private"})
    made = shop.run()
    shutil.rmtree(Path(made.folder, "lib"))
    Path(made.folder, "lib").symlink_to(tmp_path / "secrets")
    write(Path(made.folder), **{".gitignore": "lib\n"})
    found = gather(made)
    assert ("lib/b.txt", "deleted") in {(each.path, each.change) for each in found.files}


def test_repositories_within_the_tree_are_named_and_left_out(shop: Shop) -> None:
    made = shop.run()
    make_shop(Path(made.folder, "inner"))
    write(Path(made.folder), new="1")
    found = gather(made)
    assert [each.path for each in found.files] == ["new"]
    assert found.gitlinks == found.left_out == ["inner/shop"]


def test_links_to_commits_that_an_agent_committed_are_listed(shop: Shop) -> None:
    made = shop.run()
    make_shop(Path(made.folder, "inner"))
    shop.commit("Mine", at=Path(made.folder))
    assert gather(made).gitlinks == ["inner/shop"]


def test_folders_that_git_takes_for_a_repository_are_listed(shop: Shop) -> None:
    made = shop.run()
    shop.git("init", "--quiet", "--bare", str(Path(made.folder, "docs/x")))
    write(Path(made.folder), **{"config": "1", "HEAD": "1", "lib/config": "1"})
    assert gather(made).gitlinks == ["docs/x"]


def test_more_than_the_limit_is_refused_before_it_is_stored(shop: Shop) -> None:
    made = shop.run()
    with Path(made.folder, "huge").open("wb") as file:
        file.truncate(20 * 1024**3)
    write(Path(made.folder), small="1")
    with pytest.raises(TooLarge) as refused:
        gather(made)
    assert refused.value.details["largest"][0] == {"path": "huge", "bytes": 20 * 1024**3}
    assert shop.git("rev-parse", made.branch) == made.base_commit
    Path(made.folder, "huge").unlink()
    assert [each.path for each in gather(made).files] == ["small"]


def test_the_limit_counts_what_an_agent_committed(shop: Shop) -> None:
    made = shop.run()
    shop.commit("Mine", at=Path(made.folder), big="x" * 5000)
    with pytest.raises(TooLarge):
        gather(made, limit_bytes=4000)


def test_what_was_copied_in_is_not_collected_whatever_is_ignored_now(shop: Shop) -> None:
    write(shop.top, **{".env": "SECRET", "vendor/x": "1"})
    made = shop.run()
    copy_ignored(made, [".env", "vendor/"], source=shop.top, limit_bytes=1000)
    write(Path(made.folder), **{".gitignore": "!.env\n!vendor/\n", ".env": "SECRET changed", "new": "1"})
    found = gather(made, leave_out=[".env", "vendor/"])
    assert {each.path for each in found.files} == {".gitignore", "new"}
    assert found.left_out == []


def test_a_user_who_is_unknown_to_git_can_collect(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shop.git("config", "--unset", "user.name")
    shop.git("config", "--unset", "user.email")
    assert shop.collected(1, new="1").head


def test_a_worktree_that_is_gone_is_not_found(shop: Shop) -> None:
    made = shop.run()
    remove(made)
    with pytest.raises(NotFound):
        gather(made)


def test_a_repository_that_is_gone_is_not_found(shop: Shop, tmp_path: Path) -> None:
    made = shop.run()
    shop.top.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound):
        gather(made)


def test_line_endings_and_modes_are_collected_as_git_would(shop: Shop) -> None:
    shop.git("config", "core.autocrlf", "input")
    shop.git("config", "core.safecrlf", "true")
    made = shop.run()
    Path(made.folder, "crlf").write_bytes(b"a\r\nb\r\n")
    Path(made.folder, "a.txt").chmod(0o755)
    found = gather(made)
    assert shop.git("cat-file", "blob", f"{found.head}:crlf") == "a\nb"
    assert "100755" in shop.git("ls-tree", str(found.head), "a.txt")


NAMES = st.sampled_from(["a.txt", "lib/b.txt", "lib", "new", "new/deep/er", "x.log", "vendor/z", "-n", "ü"])
CONTENT = st.one_of(st.none(), st.binary(max_size=8))


@one_in(5)
@given(steps=st.lists(st.tuples(NAMES, CONTENT), max_size=6))
def test_a_collected_commit_is_what_lies_there_without_what_is_ignored(steps: list[tuple[str, bytes | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = make_shop(Path(folder))
        made = shop.run()
        for name, content in steps:
            _apply(Path(made.folder), name, content)
        found = gather(made)
        expected = _files_below(Path(made.folder))
        remove(made)
        assert _files_below(Path(restore(made).folder)) == expected
        assert (found.head is None) == (found.files_total == 0)


def _apply(top: Path, name: str, content: bytes | None) -> None:
    path = top / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True) if path.parent.is_dir() else None
    if content is not None:
        for each in reversed(path.relative_to(top).parents):
            if (top / each).is_file():
                (top / each).unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _files_below(top: Path) -> dict[str, bytes]:
    files = {str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()}
    return {name: files[name] for name in files if name not in (".git", "x.log") and not name.startswith("vendor/")}


# Attacks. Each run is that of an agent without a jail, which can write to the repository as the user can.


@pytest.mark.parametrize("attack", ["fsmonitor", "filter", "hook", "submodule", "git"])
def test_the_canary_sings_where_git_is_run_as_usual(shop: Shop, canary: Canary, tmp_path: Path, attack: str) -> None:
    theirs = _repository_of_theirs(tmp_path / "theirs", canary)
    shop.add_submodule(make_shop(tmp_path / "sub"), "lib2")
    if attack == "fsmonitor":
        shop.git("config", "core.fsmonitor", str(canary.program))
    made = shop.run()
    top = Path(made.folder)
    write(top, **{"a.txt": "changed"})
    if attack == "filter":
        shop.git("config", "filter.evil.clean", str(canary.program))
        write(top, **{".gitattributes": "* filter=evil\n"})
    elif attack == "hook":
        canary.as_hook(shop.top / ".git/hooks/post-index-change")
    elif attack == "submodule":
        shutil.copytree(theirs, top / "lib2", dirs_exist_ok=True)
    elif attack == "git":
        (top / ".git").write_text(f"gitdir: {theirs}/.git\n")
    canary.trace.unlink(missing_ok=True)
    shop.git("add", "--all", at=top, check=False)
    assert canary.has_sung


def _set(shop: Shop, made: Worktree, canary: Canary, key: str) -> None:
    shop.git("config", key, str(canary.program))
    write(Path(made.folder), **{"a.txt": "changed", ".gitattributes": "* filter=evil merge=evil diff=evil\n"})


@pytest.mark.parametrize(
    "key",
    [
        "core.fsmonitor",
        "core.hooksPath",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "core.askPass",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "credential.helper",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.process",
        "filter.evil.smudge",
        "gpg.program",
        "merge.evil.driver",
        "interactive.diffFilter",
        "url.evil:.insteadOf",
        "branch.main.remote",
        "filter.lfs.clean",
    ],
)
def test_a_changed_setting_is_tampering(shop: Shop, canary: Canary, key: str) -> None:
    made = shop.run()
    _set(shop, made, canary, key)
    found = gather(made)
    assert found.head is None and len(found.tampered) == 1
    assert shop.git("rev-parse", made.branch) == made.base_commit
    assert not canary.has_sung


@pytest.mark.parametrize("key", ["filter.evil.clean", "filter.evil.process", "filter.lfs.clean", "core.fsmonitor"])
def test_programs_of_a_configuration_are_not_run_even_if_they_were_there_before(
    shop: Shop, canary: Canary, key: str
) -> None:
    shop.git("config", key, str(canary.program))
    shop.git("config", key.rpartition(".")[0] + ".required", "true")
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed", ".gitattributes": "* filter=evil\n*.txt filter=lfs\n"})
    assert gather(made).head
    remove(made)
    restore(made)
    assert not canary.has_sung


def test_a_filter_with_a_strange_name_is_not_run(shop: Shop, canary: Canary) -> None:
    shop.git("config", "filter.a=b.c d.clean", str(canary.program))
    shop.git("config", "filter.X.clean", str(canary.program))
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed", ".gitattributes": "* filter=X\n*.txt filter=a=b.c\n"})
    assert gather(made).head
    assert not canary.has_sung


HOOKS = (
    "post-checkout",
    "reference-transaction",
    "pre-commit",
    "post-index-change",
    "post-commit",
    "fsmonitor-watchman",
)


def test_hooks_that_a_user_has_are_not_run(shop: Shop, canary: Canary) -> None:
    for name in HOOKS:
        canary.as_hook(shop.top / ".git/hooks" / name)
    assert shop.collected(1, new="1").head
    assert not canary.has_sung


def test_hooks_within_the_tree_are_not_run(shop: Shop, canary: Canary) -> None:
    shop.git("config", "core.hooksPath", ".husky")
    made = shop.run()
    for name in HOOKS:
        canary.as_hook(Path(made.folder, ".husky", name))
    assert gather(made).head
    remove(made)
    restore(made)
    assert not canary.has_sung


def test_changed_hooks_are_tampering(shop: Shop, canary: Canary) -> None:
    made = shop.run()
    canary.as_hook(shop.top / ".git/hooks/post-checkout")
    assert len(gather(made).tampered) == 1
    assert not canary.has_sung


@pytest.mark.parametrize("name", ["exclude", "attributes", "grafts"])
def test_changed_rules_of_the_repository_are_tampering(shop: Shop, name: str) -> None:
    made = shop.run()
    write(shop.top / ".git/info", **{name: "package.json\n"})
    assert len(gather(made).tampered) == 1


def test_a_link_in_place_of_a_rule_is_tampering(shop: Shop, tmp_path: Path) -> None:
    made = shop.run()
    (shop.top / ".git/info/exclude").unlink()
    os.mkfifo(shop.top / ".git/info/exclude")
    assert len(tampering(made)) == 1


def test_a_setting_in_a_file_that_is_included_is_tampering(shop: Shop, canary: Canary, tmp_path: Path) -> None:
    shop.git("config", "include.path", str(tmp_path / "more"))
    made = shop.run()
    (tmp_path / "more").write_text(f"[core]\n\tfsmonitor = {canary.program}\n")
    assert len(gather(made).tampered) == 1
    assert not canary.has_sung


def test_the_users_own_settings_count_too(
    shop: Shop, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = shop.run()
    (tmp_path / ".gitconfig").write_text(f"[core]\n\tfsmonitor = {canary.program}\n")
    assert len(gather(made).tampered) == 1


def test_a_configuration_of_the_worktree_is_tampering(shop: Shop, canary: Canary) -> None:
    made = shop.run()
    shop.git("config", "extensions.worktreeConfig", "true")
    shop.git("config", "--worktree", "core.fsmonitor", str(canary.program), at=Path(made.folder))
    found = gather(made)
    assert found.head is None and len(found.tampered) == 2
    assert not canary.has_sung


def test_a_configuration_that_git_cannot_read_is_tampering(shop: Shop) -> None:
    made = shop.run()
    (shop.top / ".git/config").write_text("[core\n")
    found = gather(made)
    assert found.head is None and len(found.tampered) == 1


def _repository_of_theirs(folder: Path, canary: Canary) -> Path:
    theirs = make_shop(folder)
    theirs.git("config", "core.fsmonitor", str(canary.program))
    theirs.git("config", "filter.evil.clean", str(canary.program))
    for name in HOOKS:
        canary.as_hook(theirs.top / ".git/hooks" / name)
    canary.trace.unlink(missing_ok=True)
    return theirs.top


@pytest.mark.parametrize("how", ["folder", "file", "link", "gone", "commondir", "gitdir", "worktree"])
def test_a_replaced_git_is_tampering_and_not_read(shop: Shop, canary: Canary, tmp_path: Path, how: str) -> None:
    theirs = _repository_of_theirs(tmp_path / "theirs", canary)
    made = shop.run()
    own, pointer = Path(shop.repository, "worktrees", "1"), Path(made.folder, ".git")
    if how == "worktree":
        shutil.rmtree(made.folder)
        Path(made.folder).symlink_to(theirs)
    elif how in ("commondir", "gitdir"):
        (own / how).write_text(f"{theirs}/.git\n")
    else:
        pointer.unlink()
    if how == "folder":
        shutil.copytree(theirs / ".git", pointer)
    elif how == "file":
        pointer.write_text(f"gitdir: {theirs}/.git\n")
    elif how == "link":
        pointer.symlink_to(theirs / ".git")
    write(Path(made.folder), **{".gitattributes": "* filter=evil\n"})
    found = gather(made)
    assert found.head is None and len(found.tampered) == 1
    remove(made)
    assert not canary.has_sung
    assert theirs.is_dir()


@pytest.mark.parametrize("how", ["new", "tracked", "submodule", "bare"])
def test_repositories_of_theirs_within_the_tree_run_nothing(
    shop: Shop, canary: Canary, tmp_path: Path, how: str
) -> None:
    theirs = _repository_of_theirs(tmp_path / "theirs", canary)
    if how == "submodule":
        shop.add_submodule(make_shop(tmp_path / "sub"), "lib2")
    made = shop.run()
    place = Path(made.folder, {"new": "inner", "tracked": "lib", "submodule": "lib2", "bare": "inner"}[how])
    shutil.copytree(theirs if how != "bare" else theirs / ".git", place, dirs_exist_ok=True)
    write(place, **{"a.txt": "changed", ".gitattributes": "* filter=evil\n"})
    write(Path(made.folder), **{"a.txt": "changed"})
    found = gather(made)
    assert found.head and found.tampered == []
    assert not canary.has_sung


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/other", "refs/tags/v1"])
def test_a_moved_branch_or_tag_is_tampering(shop: Shop, ref: str) -> None:
    shop.git("branch", "other")
    shop.git("tag", "v1")
    made = shop.run()
    evil = shop.commit("Evil", at=Path(made.folder), new="1")
    shop.git("update-ref", ref, evil)
    found = gather(made)
    assert found.head is None and len(found.tampered) == 1


def test_a_deleted_branch_is_tampering(shop: Shop) -> None:
    shop.git("branch", "other")
    made = shop.run()
    shop.git("branch", "--delete", "other")
    assert len(gather(made).tampered) == 1


def test_a_branch_of_the_run_that_leads_to_another_is_tampering_and_moves_nothing(shop: Shop) -> None:
    made = shop.run()
    before = shop.git("rev-parse", "main")
    shop.git("symbolic-ref", f"refs/heads/{made.branch}", "refs/heads/main")
    write(Path(made.folder), new="1")
    assert len(gather(made, jailed=True).tampered) == 1
    assert shop.git("rev-parse", "main") == before


def test_replaced_objects_are_tampering(shop: Shop) -> None:
    made = shop.run()
    evil = shop.commit("Evil", at=Path(made.folder), new="1")
    shop.git("replace", made.base_commit, evil)
    assert len(gather(made).tampered) == 1


def test_what_others_do_with_branches_is_no_tampering(shop: Shop) -> None:
    first, second = shop.run(1), shop.run(2)
    shop.git("branch", "feature")
    shop.git("tag", "v2")
    shop.git("config", "branch.feature.remote", "origin")
    shop.git("update-ref", "refs/remotes/origin/main", "main")
    shop.git("gc", "--quiet")
    shop.collected(3, other="1")
    write(Path(first.folder), new="1")
    assert gather(first).tampered == gather(second).tampered == []


def test_a_branch_that_the_caller_moved_is_no_tampering(shop: Shop) -> None:
    made = shop.run()
    merged = shop.commit("Merged", new="1")
    assert tampering(made, moved={"main": merged}) == []
    assert len(tampering(made, moved={"main": made.base_commit})) == 1


def test_a_jailed_run_did_not_move_what_moved(shop: Shop) -> None:
    made = shop.run()
    shop.commit("The user's", new="1")
    assert gather(made, jailed=True).tampered == []


def test_a_person_can_trust_a_run_again(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    shop.git("config", "remote.origin.url", "https://example.org/shop")
    assert gather(made).tampered
    assert gather(trusted(made)).head


def test_bits_in_the_worktrees_index_hide_nothing(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed"})
    shop.git("update-index", "--assume-unchanged", "a.txt", at=Path(made.folder))
    shop.git("update-index", "--skip-worktree", "lib/b.txt", at=Path(made.folder))
    write(Path(made.folder), **{"lib/b.txt": "changed"})
    assert {each.path for each in gather(made).files} == {"a.txt", "lib/b.txt"}


def test_a_program_in_the_worktree_is_not_taken_for_one_of_git(
    shop: Shop, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.configure_lfs()
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}:")
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed", ".gitattributes": "*.txt filter=lfs\n"})
    canary.as_hook(Path(made.folder, "git-lfs"))
    canary.as_hook(Path(made.folder, "git"))
    assert gather(made).head
    assert not canary.has_sung


def test_git_lfs_is_let_through_as_it_installs_itself(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.configure_lfs()
    write(tmp_path / "bin", **{"git-lfs": '#!/bin/sh\necho "pointer by $1"\n'})
    (tmp_path / "bin" / "git-lfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    made = shop.run()
    write(Path(made.folder), **{"big.bin": "content", ".gitattributes": "*.bin filter=lfs\n"})
    assert shop.files(str(gather(made).head))["big.bin"] == "pointer by clean"


def test_missing_objects_are_not_fetched_by_a_program(shop: Shop, canary: Canary) -> None:
    shop.git("config", "core.repositoryFormatVersion", "1")
    shop.git("config", "extensions.partialClone", "origin")
    shop.git("config", "remote.origin.promisor", "true")
    shop.git("config", "remote.origin.url", f"ext::{canary.program}")
    shop.git("config", "protocol.ext.allow", "always")
    made = shop.run()
    blob = shop.git("rev-parse", "main:a.txt")
    (shop.top / ".git/objects" / blob[:2] / blob[2:]).unlink()
    write(Path(made.folder), new="1")
    assert gather(made).head
    assert not canary.has_sung


def test_variables_of_the_supervisor_lead_git_nowhere(
    shop: Shop, canary: Canary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_TRACE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(canary.program))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(canary.program))
    repository = str(shop.top / ".git")
    made = Worktree(repository, "", "", "", {})
    with monkeypatch.context() as inner:
        inner.delenv("GIT_DIR")
        inner.delenv("GIT_INDEX_FILE")
        inner.delenv("GIT_OBJECT_DIRECTORY")
        inner.delenv("GIT_COMMON_DIR")
        made = shop.run()
    write(Path(made.folder), new="1")
    assert gather(made).head
    assert not canary.has_sung and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", "lib/.gitignore", "lib/.gitattributes", "x/.git"])
def test_a_pipe_that_git_would_wait_for_holds_nothing_up(shop: Shop, name: str) -> None:
    made = shop.run()
    path = Path(made.folder, name)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    write(Path(made.folder), **{"new": "1", "lib/new": "1"})
    assert {"new", "lib/new"} <= {each.path for each in gather(made).files}


def test_a_pipe_in_place_of_the_settings_is_tampering(shop: Shop) -> None:
    made = shop.run()
    (shop.top / ".git/config").unlink()
    os.mkfifo(shop.top / ".git/config")
    assert len(gather(made).tampered) == 1


def test_closed_files_and_folders_are_collected(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"closed/new": "1", "own": "1"})
    Path(made.folder, "own").chmod(0)
    Path(made.folder, "closed").chmod(0)
    assert {each.path for each in gather(made).files} == {"closed/new", "own"}
    assert Path(made.folder, "own").stat().st_mode & 0o777 == 0o400


def test_more_files_than_allowed_are_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_FILES_LIMIT", 3)
    made = shop.run()
    write(Path(made.folder), **dict.fromkeys("abcd", "1"))
    with pytest.raises(TooLarge):
        gather(made)


def test_a_listing_that_is_too_long_is_refused_and_not_cut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop.run()
    write(Path(made.folder), **dict.fromkeys("abcd", "1"))
    with opened(made.repository, Path(made.folder)) as git, pytest.raises(TooLarge):
        git.run("ls-files", "-z", "--others", limit=5)
