"""What runs left is shown, forecast and merged, and no checkout is touched."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import Conflict, NotFound, Stale, Transient
from tasks.agents.worktrees import Clash, Merged, Mode, behind, difference, forecast, merge
from tests.agents.repositories import Canary, Shop, make_canary, make_shop, write
from tests.properties import one_in


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a repository whose `main` is not checked out."""
    shop = make_shop(tmp_path)
    shop.git("checkout", "--quiet", "-b", "mine")
    return shop


def merged(shop: Shop, head: str | None, mode: Mode = Mode.SQUASH, **options: object) -> Merged:
    assert head
    chosen = {"base": shop.git("rev-parse", f"{head}^"), "target": "main", "dry_run": False} | options
    return merge(shop.repository, head=head, mode=mode, message="Do it", **chosen)  # type: ignore[arg-type]


def objects(shop: Shop) -> set[str]:
    return {str(each) for each in Path(shop.repository, "objects").rglob("*")}


def test_a_difference_shows_what_changed(shop: Shop) -> None:
    head = shop.collected(1, **{"a.txt": "one\nTWO\nthree\n"}).head
    shown = difference(shop.repository, base="main", head=str(head))
    assert "-two\n+TWO\n" in shown and shown.startswith("diff --git a/a.txt b/a.txt\n")


def test_a_long_difference_is_cut_after_a_whole_line(shop: Shop) -> None:
    head = shop.collected(1, new="".join(f"line {number}\n" for number in range(10_000))).head
    shown = difference(shop.repository, base="main", head=str(head), limit_bytes=1000)
    lines = shown.splitlines()
    assert len(shown.encode()) < 1100
    assert lines[-1].startswith("…") and lines[-2].startswith("+line ")


def test_a_difference_of_strange_bytes_can_be_stored(shop: Shop) -> None:
    made = shop.run()
    Path(made.folder, "latin").write_bytes(b"caf\xe9\n")
    Path(made.folder, "binary").write_bytes(bytes(range(256)))
    head = shop.commit("Mine", at=Path(made.folder))
    assert "\x00" not in difference(shop.repository, base="main", head=head).encode().decode()


def test_a_commit_that_is_not_there_has_no_difference(shop: Shop) -> None:
    with pytest.raises(NotFound):
        difference(shop.repository, base="main", head="--output=/tmp/x")


def test_how_far_a_base_lags_is_counted(shop: Shop) -> None:
    base = shop.git("rev-parse", "mine")
    shop.commit(x="1")
    shop.commit(x="2")
    assert behind(shop.repository, base=base, target="mine") == 2
    assert behind(shop.repository, base=base, target="main") == 0


def test_all_pairs_that_conflict_are_forecast(shop: Shop) -> None:
    heads = {
        "r1": shop.collected(1, **{"a.txt": "ONE\ntwo\nthree\n"}).head,
        "r2": shop.collected(2, **{"a.txt": "one\ntwo\nTHREE!\n"}).head,
        "r3": shop.collected(3, **{"a.txt": "1\ntwo\nthree\n", "lib/b.txt": "x\n"}).head,
        "r4": shop.collected(4, **{"lib/b.txt": "y\n"}).head,
    }
    found = forecast(shop.repository, target="main", heads={name: str(head) for name, head in heads.items()})
    assert found.clashes == [Clash("r1", "r3", ["a.txt"]), Clash("r3", "r4", ["lib/b.txt"])]
    assert found.behind == dict.fromkeys(heads, 0)


def test_a_target_that_went_on_is_forecast_too(shop: Shop) -> None:
    head = shop.collected(1, **{"a.txt": "ONE\ntwo\nthree\n"}).head
    shop.git("update-ref", "refs/heads/main", shop.commit(**{"a.txt": "uno\ntwo\nthree\n"}))
    found = forecast(shop.repository, target="main", heads={"r1": str(head)})
    assert (found.clashes, found.behind) == ([Clash("main", "r1", ["a.txt"])], {"r1": 1})


def test_a_forecast_writes_nothing(shop: Shop) -> None:
    heads = {name: str(shop.collected(number, **{name: "1"}).head) for number, name in enumerate("abc")}
    before = objects(shop)
    assert forecast(shop.repository, target="main", heads=heads).clashes == []
    assert objects(shop) == before


def test_a_forecast_ends_when_its_time_is_up(shop: Shop) -> None:
    head = str(shop.collected(1, new="1").head)
    with pytest.raises(Transient):
        forecast(shop.repository, target="main", heads={"r1": head}, seconds=-1)


def test_branches_without_a_common_commit_conflict_only_where_they_do(shop: Shop) -> None:
    shop.git("checkout", "--quiet", "--orphan", "other")
    other = shop.commit("Other", **{"a.txt": "different"})
    found = forecast(shop.repository, target="main", heads={"r1": other})
    assert found.clashes == [Clash("main", "r1", ["a.txt"])]


@pytest.mark.parametrize(("mode", "parents"), [(Mode.SQUASH, 1), (Mode.MERGE, 2)])
def test_a_merge_moves_the_target_and_nothing_else(shop: Shop, mode: Mode, parents: int) -> None:
    write(shop.top, **{"a.txt": "the user's", "own": "the user's"})
    head = shop.collected(1, new="1").head
    before, state = shop.git("rev-parse", "main"), shop.state()
    done = merged(shop, head, mode)
    assert (done.conflicts, done.files_total, done.target_before) == ([], 1, before)
    assert shop.git("rev-parse", "main") == done.commit
    assert shop.git("rev-parse", "main^") == before
    assert len(shop.git("log", "-1", "--format=%P", "main").split()) == parents
    assert shop.files("main")["new"] == "1"
    assert shop.git("log", "-1", "--format=%an %s", "main") == "Ada Do it"
    assert shop.state() == state


@pytest.mark.parametrize("mode", list(Mode))
def test_a_rehearsal_writes_nothing(shop: Shop, mode: Mode) -> None:
    head = shop.collected(1, new="1").head
    shop.git("update-ref", "refs/heads/main", shop.commit(other="1"))
    before = objects(shop), shop.git("for-each-ref")
    done = merged(shop, head, mode, dry_run=True)
    assert (done.commit, done.files_total) == (None, 1)
    assert (objects(shop), shop.git("for-each-ref")) == before


def test_a_patch_can_be_applied_and_moves_nothing(shop: Shop, tmp_path: Path) -> None:
    made = shop.run()
    Path(made.folder, "binary").write_bytes(bytes(range(256)))
    write(Path(made.folder), **{"a.txt": "one\n2\nthree\n"})
    head = shop.commit("Mine", at=Path(made.folder))
    before = shop.git("rev-parse", "main")
    done = merged(shop, head, Mode.PATCH)
    (tmp_path / "patch").write_bytes(done.patch or b"")
    shop.git("apply", str(tmp_path / "patch"))
    assert (shop.top / "binary").read_bytes() == bytes(range(256))
    assert (done.commit, shop.git("rev-parse", "main")) == (None, before)


def test_a_conflict_changes_nothing_and_names_the_paths(shop: Shop) -> None:
    first = shop.collected(1, **{"a.txt": "1\n", "ü\nb": "1"}).head
    second = shop.collected(2, **{"a.txt": "2\n", "ü\nb": "2"}).head
    merged(shop, first)
    before = shop.git("rev-parse", "main")
    done = merged(shop, second)
    assert (done.commit, done.conflicts) == (None, ["a.txt", "ü\nb"])
    assert shop.git("rev-parse", "main") == before


def test_a_target_that_moved_since_it_was_seen_is_stale(shop: Shop) -> None:
    head = shop.collected(1, new="1").head
    seen = shop.git("rev-parse", "main")
    shop.git("update-ref", "refs/heads/main", shop.commit(other="1"))
    with pytest.raises(Stale):
        merged(shop, head, expected=seen)


def test_a_target_that_is_checked_out_is_not_moved(shop: Shop) -> None:
    head = shop.collected(1, new="1").head
    shop.git("worktree", "add", "--quiet", str(shop.worktrees / "user"), "main")
    for target in ("mine", "main"):
        with pytest.raises(Conflict):
            merged(shop, head, target=target)
        assert merged(shop, head, target=target, dry_run=True).files_total == 1


def test_a_target_that_is_not_there_is_made_only_where_that_is_wanted(shop: Shop) -> None:
    first, second = (shop.collected(number, **{f"new{number}": "1"}).head for number in (1, 2))
    with pytest.raises(NotFound):
        merged(shop, first, target="all")
    merged(shop, first, target="all", create=True)
    merged(shop, second, target="all", create=True)
    assert {"new1", "new2"} <= shop.files("all").keys()
    assert shop.git("merge-base", "--is-ancestor", "main", "all") == ""


def test_a_rehearsal_of_a_new_target_makes_none(shop: Shop) -> None:
    head = shop.collected(1, new="1").head
    assert merged(shop, head, target="all", create=True, dry_run=True).files_total == 1
    assert shop.git("branch", "--list", "all") == ""


@pytest.mark.parametrize("mode", [Mode.SQUASH, Mode.MERGE])
def test_merging_twice_changes_nothing_more(shop: Shop, mode: Mode) -> None:
    head = shop.collected(1, new="1").head
    first = merged(shop, head, mode)
    again = merged(shop, head, mode)
    assert (again.commit, again.files_total) == (first.commit, 0)


def test_of_several_merges_at_once_none_is_lost(shop: Shop) -> None:
    heads = [shop.collected(number, **{f"new{number}": "1"}).head for number in range(6)]

    def until_merged(head: str | None) -> None:
        for _ in range(20):
            try:
                merged(shop, head)
            except (Stale, Transient):
                continue
            return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(until_merged, heads))
    assert {f"new{number}" for number in range(6)} <= shop.files("main").keys()


def test_a_branch_that_is_only_a_pointer_to_another_is_replaced_not_followed(shop: Shop) -> None:
    head = shop.collected(1, new="1").head
    before = shop.git("rev-parse", "main")
    shop.git("symbolic-ref", "refs/heads/pointer", "refs/heads/main")
    merged(shop, head, target="pointer")
    assert shop.git("rev-parse", "main") == before


def test_what_the_target_says_about_merging_is_kept(shop: Shop) -> None:
    shop.git("update-ref", "refs/heads/main", shop.commit(**{".gitattributes": "log merge=union\n", "log": "0\n"}))
    first, second = (shop.collected(number, log=f"0\n{number}\n").head for number in (1, 2))
    assert forecast(shop.repository, target="main", heads={"1": str(first), "2": str(second)}).clashes == []
    merged(shop, first)
    merged(shop, second)
    assert set(shop.files("main")["log"].split()) == {"0", "1", "2"}


def test_programs_that_a_configuration_names_are_not_run(shop: Shop, tmp_path: Path) -> None:
    canary: Canary = make_canary(tmp_path)
    shop.git("update-ref", "refs/heads/main", shop.commit(**{".gitattributes": "* merge=evil diff=evil filter=evil\n"}))
    for key in ("merge.evil.driver", "diff.evil.command", "diff.evil.textconv", "filter.evil.smudge", "diff.external"):
        shop.git("config", key, f"{canary.program} %A")
    for key in ("core.fsmonitor", "gpg.program", "core.pager"):
        shop.git("config", key, str(canary.program))
    shop.git("config", "commit.gpgSign", "true")
    for name in ("reference-transaction", "pre-merge-commit", "post-merge", "commit-msg"):
        canary.as_hook(shop.top / ".git/hooks" / name)
    first, second = (shop.collected(number, **{"a.txt": f"{number}\n"}).head for number in (1, 2))
    difference(shop.repository, base="main", head=str(first))
    merged(shop, first, Mode.MERGE)
    assert merged(shop, second).conflicts == ["a.txt"]
    assert merged(shop, second, Mode.PATCH).patch
    assert not canary.has_sung


def test_a_bare_repository_will_do(shop: Shop, tmp_path: Path) -> None:
    shop.git("clone", "--quiet", "--bare", str(shop.top), str(tmp_path / "bare.git"))
    bare = Shop(tmp_path / "bare.git", tmp_path / "home" / "bare")
    head = bare.collected(1, new="1").head
    merged(bare, head)
    assert bare.files("main")["new"] == "1"


FILES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)


@one_in(5)
@given(changes=st.lists(FILES, min_size=2, max_size=3))
def test_a_forecast_says_what_merging_will_find(changes: list[dict[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = make_shop(Path(os.path.realpath(folder)))
        shop.git("checkout", "--quiet", "-b", "mine")
        shop.git("update-ref", "refs/heads/main", shop.commit(**dict.fromkeys("abc", "0\n")))
        runs = [shop.collected(number, **_lines(files)) for number, files in enumerate(changes)]
        heads = {str(number): run.head or run_base(shop) for number, run in enumerate(runs)}
        clashes = forecast(shop.repository, target="main", heads=heads).clashes
        expected = [
            Clash(str(i), str(j), clash)
            for i in range(len(runs))
            for j in range(i + 1, len(runs))
            if (clash := sorted(_both(changes[i], changes[j])))
        ]
        assert clashes == expected


def run_base(shop: Shop) -> str:
    return shop.git("rev-parse", "main")


def _lines(files: dict[str, int]) -> dict[str, str]:
    return {name: f"{value}\n" for name, value in files.items()}


def _both(one: dict[str, int], other: dict[str, int]) -> set[str]:
    return {
        name for name in one.keys() & other.keys() if 0 not in (one[name], other[name]) and one[name] != other[name]
    }
