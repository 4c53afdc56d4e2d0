"""Worktrees of runs: made, restored, removed, and what they take."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import Conflict, Invalid, NotFound, OrchestratorError, Transient, Unavailable
from orchestrator_site.kernel.polling import poll
from tasks.agents.worktrees import (
    Size,
    Worktree,
    clear_locks,
    copy_ignored,
    current,
    discard,
    forecast,
    git,
    locate,
    make,
    making,
    remove,
    restore,
    sizes,
    sweepable,
)
from tests.agents.repositories import Shop, gather, make_shop, write


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path)


def test_a_worktree_has_the_files_of_its_base_on_a_branch_of_its_own(shop: Shop) -> None:
    made = shop.run()
    assert Path(made.folder, "a.txt").read_text() == "one\ntwo\nthree\n"
    assert shop.git("symbolic-ref", "HEAD", at=Path(made.folder)) == "refs/heads/orchestrator/t/1"
    assert made.base_commit == shop.git("rev-parse", "main")


def test_a_worktree_survives_in_a_row(shop: Shop) -> None:
    made = shop.run()
    assert Worktree(**json.loads(json.dumps(asdict(made)))) == made


def test_a_worktree_is_locked_at_birth(shop: Shop) -> None:
    made = shop.run()
    shop.git("worktree", "prune", "--expire", "now")
    assert shop.git("worktree", "remove", "--force", made.folder, check=False) == ""
    assert Path(made.folder).is_dir()


def test_the_users_checkout_is_not_touched(shop: Shop) -> None:
    write(shop.top, **{"a.txt": "mine", "new.txt": "mine"})
    before = shop.state()
    gather(shop.run())
    assert shop.state() == before


def test_a_repository_is_found_from_a_subfolder_and_from_a_worktree(shop: Shop) -> None:
    made = shop.run()
    assert locate(shop.top / "lib") == locate(Path(made.folder)) == str(shop.top / ".git")


def test_a_folder_outside_of_repositories_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        locate(tmp_path)


@pytest.mark.parametrize("base", ["", "nowhere", "--output=x", "main^{tree}", "\n"])
def test_a_base_that_is_no_commit_is_not_found(shop: Shop, base: str) -> None:
    with pytest.raises(NotFound):
        shop.run(base=base)


@pytest.mark.parametrize("base", ["HEAD", "main", "refs/heads/main", "v1"])
def test_a_base_is_any_revision(shop: Shop, base: str) -> None:
    shop.git("tag", "v1")
    assert shop.run(base=base).base_commit == shop.git("rev-parse", "main")


def test_a_branch_that_has_commits_is_not_taken_again(shop: Shop) -> None:
    remove(shop.run())
    shop.git("branch", "--force", "orchestrator/t/1", shop.commit(**{"a.txt": "later"}))
    with pytest.raises(Conflict):
        shop.run(base="main~1")


def test_a_folder_in_use_is_left_alone(shop: Shop) -> None:
    write(shop.worktrees / "1", kept="mine")
    with pytest.raises(Conflict):
        shop.run()
    assert (shop.worktrees / "1" / "kept").read_text() == "mine"
    assert shop.git("branch", "--list", "orchestrator/*") == ""


def test_a_live_worktree_is_not_made_twice(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    with pytest.raises(Conflict):
        shop.run()
    assert Path(made.folder, "new").exists()


def test_what_a_killed_make_left_is_cleared(shop: Shop) -> None:
    made = shop.run()
    Path(shop.repository, "worktrees", "1", "locked").write_text("orchestrator: being made\n")
    Path(shop.repository, "worktrees", "1", "index.lock").touch()
    Path(made.folder, "a.txt").unlink()
    again = shop.run()
    assert Path(again.folder, "a.txt").exists()
    assert gather(again).head is None


def test_a_branch_that_a_killed_make_left_alone_is_taken(shop: Shop) -> None:
    shop.git("branch", "orchestrator/t/1", "main")
    assert Path(shop.run().folder).is_dir()


def test_a_branch_of_another_worktree_is_not_cleared(shop: Shop) -> None:
    shop.run()
    with pytest.raises(Conflict):
        make(shop.repository, folder=shop.worktrees / "2", branch="orchestrator/t/1", base="main")
    assert shop.git("branch", "--list", "orchestrator/*") != ""


def test_eight_are_made_and_collected_at_once(shop: Shop) -> None:
    def whole(number: int) -> str | None:
        made = shop.run(number)
        write(Path(made.folder), **{f"new{number}": str(number)})
        return gather(made).head

    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(whole, range(8)))
    assert [shop.files(str(head))[f"new{number}"] for number, head in enumerate(heads)] == list("01234567")


def test_worktrees_come_and_go_at_once(shop: Shop) -> None:
    def rounds(number: int) -> list[int]:
        return [once(number + each) for each in range(0, 40, 8)]

    def once(number: int) -> int:
        made = shop.run(number)
        write(Path(made.folder), new="1")
        found = gather(made)
        remove(made)
        return found.files_total

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rounds, range(8))) == [[1] * 5] * 8
    assert len(shop.git("worktree", "list").splitlines()) == 1


def test_removing_leaves_the_branch_and_nothing_else(shop: Shop) -> None:
    made = shop.run()
    (Path(made.folder) / "closed").mkdir()
    write(Path(made.folder), **{"closed/file": "1"})
    (Path(made.folder) / "closed").chmod(stat.S_IRUSR | stat.S_IXUSR)
    remove(made)
    assert not Path(made.folder).exists()
    assert len(shop.git("worktree", "list").splitlines()) == 1
    assert shop.git("rev-parse", made.branch) == made.base_commit
    remove(made)


def test_removing_follows_no_link(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "precious", file="1")
    made = shop.run()
    Path(made.folder, "link").symlink_to(tmp_path / "precious")
    remove(made)
    assert (tmp_path / "precious" / "file").exists()


def test_a_worktree_that_became_a_link_is_removed_as_a_link(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "precious", file="1")
    made = shop.run()
    Path(made.folder).rename(tmp_path / "aside")
    Path(made.folder).symlink_to(tmp_path / "precious")
    remove(made)
    assert (tmp_path / "precious" / "file").exists()


def test_other_worktrees_are_left_when_one_is_removed(shop: Shop) -> None:
    first, second = shop.run(1), shop.run(2)
    remove(first)
    assert gather(second).tampered == []


def test_the_users_own_checkout_is_never_removed_or_collected(shop: Shop) -> None:
    own = current(shop.top)
    assert own.base_commit == shop.git("rev-parse", "HEAD")
    with pytest.raises(Invalid):
        remove(own)
    with pytest.raises(Invalid):
        remove(replace(shop.run(), folder=str(shop.top)))
    assert gather(own).head is None


def test_a_removed_worktree_is_restored_with_what_was_collected(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    head = gather(made).head
    remove(made)
    back = restore(made)
    assert (back.folder, back.base_commit) == (made.folder, made.base_commit)
    assert Path(back.folder, "new").read_text() == "1"
    assert gather(back).head == head


def test_a_worktree_that_is_there_is_not_restored_over(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    with pytest.raises(Conflict):
        restore(made)
    assert gather(made).head


def test_what_a_killed_restore_left_is_cleared(shop: Shop) -> None:
    made = shop.run()
    Path(shop.repository, "worktrees", "1", "locked").write_text("orchestrator: being made\n")
    Path(made.folder, "a.txt").unlink()
    assert gather(restore(made)).files == []


def test_a_half_removed_worktree_is_not_taken_for_what_a_run_left(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop.run()

    def killed(folder: Path) -> None:
        (folder / "a.txt").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(making, "delete", killed)
        remove(made)
    assert gather(made).head is None
    remove(made)
    assert not Path(made.folder).exists()


@pytest.mark.parametrize("where", ["separate", "submodule", 'a:b "c" ü\\'])
def test_repositories_that_lie_elsewhere_will_do(shop: Shop, tmp_path: Path, where: str) -> None:
    if where == "separate":
        own = Shop(tmp_path / "own", shop.worktrees)
        shop.git("clone", "--quiet", "--separate-git-dir", str(tmp_path / "git"), str(shop.top), str(own.top))
    elif where == "submodule":
        shop.add_submodule(make_shop(tmp_path / "other"), "libs/other")
        own = Shop(shop.top / "libs/other", shop.worktrees)
    else:
        own = make_shop(tmp_path / where)
    first, second = (own.collected(number, **{"a.txt": f"{number}\n"}) for number in (1, 2))
    heads = {"1": str(first.head), "2": str(second.head)}
    assert len(forecast(own.repository, target="main", heads=heads).clashes) == 1
    assert own.git("status", "--porcelain") == ""


def test_a_worktree_without_its_branch_is_not_restored(shop: Shop) -> None:
    made = shop.run()
    remove(made)
    assert discard(made, head=made.base_commit)
    with pytest.raises(NotFound):
        restore(made)


def test_a_branch_that_moved_is_not_discarded(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    head = gather(made).head
    remove(made)
    assert not discard(made, head=made.base_commit)
    assert head and discard(made, head=head)


def test_a_resumed_agent_finds_a_clean_worktree_after_collecting(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), **{"a.txt": "changed", "new": "1"})
    gather(made)
    assert shop.git("status", "--porcelain", at=Path(made.folder)) == ""


def test_locks_of_killed_processes_are_cleared(shop: Shop) -> None:
    made = shop.run()
    Path(shop.repository, "worktrees", "1", "index.lock").touch()
    Path(shop.repository, "refs", "heads", "orchestrator", "t", "1.lock").touch()
    write(Path(made.folder), new="1")
    assert sorted(clear_locks(made)) == ["1.lock", "index.lock"]
    assert gather(made).head


def test_a_lock_that_another_holds_passes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(git._OVERRIDES, "core.filesRefLockTimeout", "1")
    made = shop.run()
    Path(shop.repository, "refs", "heads", "orchestrator", "t", "1.lock").touch()
    write(Path(made.folder), new="1")
    with pytest.raises(Transient):
        gather(made)


def test_submodules_are_named(shop: Shop, tmp_path: Path) -> None:
    shop.add_submodule(make_shop(tmp_path / "other"), "libs/other")
    made = shop.run()
    assert made.submodules == ["libs/other"]
    assert gather(made) == replace(gather(made), head=None, gitlinks=[], left_out=[])


def test_a_sparse_checkout_loses_nothing(shop: Shop) -> None:
    shop.git("sparse-checkout", "set", "lib")
    made = shop.run()
    assert Path(made.folder, "lib/b.txt").exists()
    assert gather(made).files == []


def test_a_missing_git_is_told_apart(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repository = shop.repository
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable):
        make(repository, folder=shop.worktrees / "1", branch="orchestrator/t/1", base="main")


def test_an_old_git_is_told_apart(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repository = shop.repository
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\necho git version 2.37.9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as refused:
        make(repository, folder=shop.worktrees / "1", branch="orchestrator/t/1", base="main")
    assert "2.37" in refused.value.message and "2.38" in refused.value.next


def test_a_git_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    program, pid = tmp_path / "git", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {pid}\nsleep 1000\n")
    program.chmod(0o755)
    with pytest.raises(Transient):
        git.Git(str(program), str(tmp_path), tmp_path, tmp_path).run("status", seconds=3)
    assert poll(lambda: not pid.exists() or not is_running(int(pid.read_text())), seconds=30)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_error_holds_no_path_of_the_server(shop: Shop) -> None:
    with pytest.raises(OrchestratorError) as refused:
        make(shop.repository, folder=shop.worktrees / "1", branch="orchestrator/..", base="main")
    assert str(shop.top.parent) not in refused.value.message


def test_what_worktrees_take_is_measured_without_following_links(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "precious", big="x" * 4_000_000)
    first, second = shop.run(1), shop.run(2)
    Path(first.folder, "link").symlink_to(tmp_path / "precious")
    write(Path(second.folder), big="x" * 1_000_000)
    found = sizes(shop.worktrees)
    assert [Path(each.folder).name for each in found] == ["2", "1"]
    assert 1_000_000 <= found[0].bytes < 1_200_000 and found[1].bytes < 200_000


def test_a_root_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert sizes(tmp_path / "none") == []


FOUND = st.lists(
    st.builds(
        Size,
        folder=st.integers(0, 30).map(str),
        bytes=st.integers(0, 1000),
        changed_at=st.integers(0, 1000).map(float),
    ),
    max_size=12,
    unique_by=lambda size: size.folder,
)


@given(found=FOUND, age=st.integers(0, 1000), quota=st.integers(0, 5000), keep=st.sets(st.integers(0, 30).map(str)))
def test_a_sweep_keeps_what_is_to_be_kept_and_takes_no_more_than_it_must(
    found: list[Size], age: int, quota: int, keep: set[str]
) -> None:
    chosen = sweepable(found, now=1000, max_age_seconds=age, quota_bytes=quota, keep=keep)
    left = [each for each in found if each not in chosen]
    free = [each for each in left if each.folder not in keep]
    young = [each for each in chosen if 1000 - each.changed_at <= age]
    assert not {each.folder for each in chosen} & keep
    assert all(1000 - each.changed_at <= age for each in free)
    assert not free or sum(each.bytes for each in left) <= quota
    if young:
        last = max(young, key=lambda each: each.changed_at)
        assert sum(each.bytes for each in left) + last.bytes > quota or last.bytes == 0
    assert all(one.changed_at <= other.changed_at for one in young for other in free)


def test_ignored_files_are_copied_by_pattern(shop: Shop) -> None:
    write(shop.top, **{".env": "SECRET=1", "lib/.env": "SECRET=2", "x.log": "1", "vendor/deep/x.js": "x"})
    made = shop.run()
    copied = copy_ignored(made, [".env", "vendor"], source=shop.top, limit_bytes=1000)
    assert (copied.files, copied.bytes, copied.left_out) == (3, 17, [])
    assert Path(made.folder, "lib/.env").read_text() == "SECRET=2"
    assert Path(made.folder, "vendor/deep/x.js").read_text() == "x"
    assert not Path(made.folder, "x.log").exists()


def test_patterns_may_hold_any_letters(shop: Shop) -> None:
    write(shop.top, **{"übersicht/★.md": "1"})
    made = shop.run()
    assert copy_ignored(made, ["übersicht/*.md", "\udc80"], source=shop.top, limit_bytes=1000).files == 1
    assert Path(made.folder, "übersicht/★.md").exists()


def test_copying_nothing_copies_nothing(shop: Shop) -> None:
    assert copy_ignored(shop.run(), [], source=shop.top, limit_bytes=1000).files == 0


def test_copies_keep_their_modes(shop: Shop) -> None:
    write(shop.top, **{"vendor/run": "#!/bin/sh"})
    (shop.top / "vendor/run").chmod(0o750)
    made = shop.run()
    copy_ignored(made, ["vendor/"], source=shop.top, limit_bytes=1000)
    assert stat.S_IMODE(Path(made.folder, "vendor/run").stat().st_mode) == 0o750


def test_copying_stops_at_its_limit(shop: Shop) -> None:
    write(shop.top, **{"vendor/a": "x" * 600, "vendor/b": "x" * 600, ".env": "1"})
    made = shop.run()
    copied = copy_ignored(made, [".env", "vendor/"], source=shop.top, limit_bytes=1000)
    assert (copied.files, copied.bytes, copied.left_out) == (2, 601, ["vendor/b"])


def test_copying_follows_no_link_and_never_leaves_the_trees(shop: Shop, tmp_path: Path) -> None:
    write(tmp_path / "secrets", key="private")
    write(shop.top, **{"vendor/real": "1"})
    (shop.top / "vendor/inside").symlink_to("real")
    (shop.top / "vendor/out").symlink_to(tmp_path / "secrets" / "key")
    (shop.top / "vendor/up").symlink_to("../../secrets/key")
    (shop.top / "vendor/folder").symlink_to(tmp_path / "secrets")
    os.mkfifo(shop.top / "vendor/pipe")
    made = shop.run()
    copied = copy_ignored(made, ["vendor/", "../secrets", str(tmp_path / "secrets")], source=shop.top, limit_bytes=1000)
    assert sorted(copied.left_out) == ["vendor/folder", "vendor/out", "vendor/up"]
    assert str(Path(made.folder, "vendor/inside").readlink()) == "real"
    assert sorted(each.name for each in Path(made.folder, "vendor").iterdir()) == ["inside", "real"]


def test_copying_goes_through_no_link_of_the_base(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    write(shop.top, **{"conf/.env": "SECRET"})
    made = shop.run()
    Path(made.folder, "conf").symlink_to(tmp_path / "outside")
    assert copy_ignored(made, [".env"], source=shop.top, limit_bytes=1000).left_out == ["conf/.env"]
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_copy_that_was_cut_off_is_made_whole(shop: Shop) -> None:
    write(shop.top, **{".env": "SECRET"})
    made = shop.run()
    write(Path(made.folder), **{"..env.copying": "SECRET that is longer"})
    assert copy_ignored(made, [".env"], source=shop.top, limit_bytes=1000).files == 1
    assert Path(made.folder, ".env").read_text() == "SECRET"
    assert not Path(made.folder, "..env.copying").exists()


def test_copying_replaces_nothing(shop: Shop) -> None:
    write(shop.top, **{".env": "the user's"})
    made = shop.run()
    write(Path(made.folder), **{".env": "there already"})
    copy_ignored(made, [".env"], source=shop.top, limit_bytes=1000)
    assert Path(made.folder, ".env").read_text() == "there already"


def test_repositories_within_a_checkout_are_not_copied(shop: Shop) -> None:
    inner = make_shop(shop.top / "vendor").top
    made = shop.run()
    copied = copy_ignored(made, ["vendor/"], source=shop.top, limit_bytes=100_000)
    assert not Path(made.folder, inner.relative_to(shop.top), ".git").exists()
    assert copied.files == 0


def test_locks_are_not_looked_for_where_a_link_leads(shop: Shop, tmp_path: Path) -> None:
    made = shop.run()
    own = Path(shop.repository, "worktrees", "1")
    write(tmp_path / "precious", **{"index.lock": "1", "poetry.lock": "1"})
    shutil.rmtree(own)
    own.symlink_to(tmp_path / "precious")
    assert clear_locks(made) == []
    assert gather(made).tampered
    assert len(list((tmp_path / "precious").iterdir())) == 2


def test_a_tree_deeper_than_paths_can_be_is_collected_around_and_removed(shop: Shop) -> None:
    made = shop.run()
    write(Path(made.folder), new="1")
    nest(Path(made.folder), depth=3000)
    assert gather(made).head
    assert sizes(shop.worktrees)[0].bytes > 0
    remove(made)
    assert not Path(made.folder).exists()


def nest(folder: Path, depth: int) -> None:
    """Make folders in each other; each is opened from the one above, since their path gets too long."""
    above = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=above)
        inner = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)


MAKES = """
import sys
from pathlib import Path
from tasks.agents.worktrees import collect, make, remove
for number in range(10_000):
    made = make(sys.argv[1], folder=Path(sys.argv[2]) / "1", branch=f"orchestrator/t/1", base="main")
    Path(made.folder, "new").write_text(str(number))
    found = collect(made, message="Do it", limit_bytes=10_000)
    remove(made)
    Path(sys.argv[2], "rounds").write_text(str(number))
    from tasks.agents.worktrees import discard
    discard(made, head=found.head)
"""


@pytest.mark.parametrize("place", ["refs/heads/orchestrator/t/1", "worktrees/1", "1", "1/.git", "1/a.txt", "1/new"])
def test_a_supervisor_killed_at_any_point_leaves_nothing_in_the_way(shop: Shop, place: str) -> None:
    shop.worktrees.mkdir(parents=True)
    command = [sys.executable, "-c", MAKES, shop.repository, str(shop.worktrees)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], start_new_session=True) as process:
        assert poll((shop.worktrees / "rounds").exists, seconds=60)
        is_reached = (shop.worktrees if place.startswith("1") else Path(shop.repository), place)
        assert poll(Path(*is_reached).exists, seconds=60, interval=0.0005)
        process.kill()
    planned = Worktree(shop.repository, str(shop.worktrees / "1"), "orchestrator/t/1", "", {})
    wait_for_git(shop)
    remove(planned)
    if tip := shop.git("rev-parse", "--verify", "--quiet", planned.branch, check=False):
        assert discard(planned, head=tip)
    made = shop.run()
    write(Path(made.folder), new="1")
    assert gather(made).files_total == 1


def wait_for_git(shop: Shop) -> None:
    """Wait until the commands that a killed process had started are over."""
    mine = str(shop.top.parent)

    def is_quiet() -> bool:
        running = psutil.process_iter(["cmdline", "environ"])
        return not any(mine in str((each.info["environ"] or {}).get("GIT_DIR")) for each in running)

    assert poll(is_quiet, seconds=60)
