"""Collect what a run left in its worktree, as a commit on its branch."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator_site.kernel.errors import Conflict, NotFound, TooLarge
from orchestrator_site.kernel.files import write_whole
from orchestrator_site.kernel.text import storable
from tasks.agents.worktrees.copying import leaves, matching
from tasks.agents.worktrees.fingerprints import changes, wiring
from tasks.agents.worktrees.git import Git, opened
from tasks.agents.worktrees.making import administration
from tasks.agents.worktrees.records import Changed, Collected, Kind, Link, Worktree
from tasks.agents.worktrees.trees import prepare

_LISTED = 1000
_FILES_LIMIT = 100_000
_LINK_LIMIT = 4096
_LINK, _GITLINK = "120000", "160000"
_CHANGES = {"A": "added", "D": "deleted"}
OURSELVES: dict[str, str | None] = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "MCP Task Orchestrator"), ("EMAIL", "orchestrator@localhost"))
}


@dataclass(slots=True)
class _Found:
    """What is in the files and not in the index: paths to take and to drop, bytes of what is taken."""

    taken: dict[bytes, int] = field(default_factory=dict)
    dropped: list[bytes] = field(default_factory=list)
    gitlinks: list[bytes] = field(default_factory=list)


def collect(
    worktree: Worktree,
    *,
    message: str,
    limit_bytes: int,
    leave_out: Sequence[str] = (),
    jailed: bool = False,
    moved: Mapping[str, str] | None = None,
) -> Collected:
    """Commit what differs from the branch, without running anything of the run's. Safe to repeat.

    `leave_out` are the patterns of `copy_ignored`: what was copied in is not collected, whatever `.gitignore` says now.
    `jailed` says that the run could not write to the repository, so branches that moved were moved by others. `moved`
    are branches that the caller moved in the meantime, each with its commit. Raises TooLarge before anything that
    exceeds the limit is stored, naming the largest paths.
    """
    if worktree.kind == Kind.CURRENT:
        return Collected(None)
    if reasons := tampering(worktree, jailed=jailed, moved=moved):
        return Collected(None, tampered=reasons)
    prepare(worktree.folder)
    with opened(worktree.repository, Path(worktree.folder)) as git:
        tip = _read_tip(git, worktree)
        git.ask("update-index", "-q", "--refresh", codes=(0, 1), seconds=600)  # so that files are compared only once
        found = _look(git, leave_out)
        _require_small({shown(path): size for path, size in found.taken.items()}, limit_bytes)
        commit = _committed(git, tip, found, message)
        collected = _described(git, worktree.base_commit, commit, found)
        _require_small({each.path: each.bytes for each in collected.files}, limit_bytes, collected.bytes)
        _move_branch(git, worktree, commit)
        return replace(collected, left_out=_left_out(git, leave_out))


def tampering(worktree: Worktree, *, jailed: bool = False, moved: Mapping[str, str] | None = None) -> list[str]:
    """Say what the run changed of what it must not, as `collect` does; empty if all is well."""
    folder, wired = Path(worktree.folder), worktree.fingerprint.get("worktree", {})
    if not os.path.lexists(folder):
        raise NotFound("The worktree is gone.", next="Restore it from its branch.")
    reasons: list[str] = []
    settings = Path(worktree.repository, "config")
    if settings.exists() and not settings.is_file():  # Git would wait for a pipe
        return ["The settings of the repository cannot be read."]
    if wiring(worktree.repository, folder, wired.get("name", "")) != wired.get("wiring"):
        reasons.append("What connects the worktree with the repository changed.")
    try:
        with opened(worktree.repository) as git:
            found = changes(git, worktree.fingerprint, branch=worktree.branch, jailed=jailed, moved=moved or {})
            return [*reasons, *found]
    except Conflict:
        return [*reasons, "The settings of the repository cannot be read."]


def _read_tip(git: Git, worktree: Worktree) -> str:
    """Fill the index with what the run's branch holds, or its base where the branch is no continuation of it."""
    base, tip = worktree.base_commit, git.commit_of(f"refs/heads/{worktree.branch}")
    if tip and git.ask("merge-base", "--is-ancestor", base, tip, codes=(0, 1)).code == 0:
        with suppress(Conflict):  # a tree that Git itself would not have made
            git.run("read-tree", tip)
            return tip
    git.run("read-tree", base)
    return base


def _look(git: Git, leave_out: Sequence[str]) -> _Found:
    """Compare the files with the index. Git only lists: `add` would run it in repositories within the tree."""
    submodules = _submodules(git)
    skipped = {*matching(git, leave_out), *submodules}
    found = _Found()
    links: dict[bytes, bool] = {}
    top = os.fsencode(git.work_tree)
    for kind, path in _listed(git):
        if path.endswith(b"/") or (path in submodules and kind == b"C"):
            found.gitlinks.append(path.rstrip(b"/"))
        elif path not in skipped:
            size = None if _is_below_link(top, path, links) else _size(top + b"/" + path)
            if size is None:
                found.dropped.append(path)
            else:
                found.taken[path] = size
    return found


def _listed(git: Git) -> Iterator[tuple[bytes, bytes]]:
    listing = git.run("ls-files", "-t", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
    for entry in filter(None, listing.split(b"\0")):
        yield entry[:1], entry[2:]


def _submodules(git: Git) -> set[bytes]:
    entries = git.run("ls-files", "-z", "--stage").split(b"\0")
    return {entry.partition(b"\t")[2] for entry in entries if entry.startswith(_GITLINK.encode())}


def _is_below_link(top: bytes, path: bytes, known: dict[bytes, bool]) -> bool:
    above = os.path.dirname(path)  # noqa: PTH120 - bytes
    if not above:
        return False
    if above not in known:
        known[above] = os.path.islink(top + b"/" + above) or _is_below_link(top, above, known)  # noqa: PTH114
    return known[above]


def _size(path: bytes) -> int | None:
    """Return the bytes of a plain file or a link; None where neither is there."""
    with suppress(OSError):
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            return found.st_size
    return None


def _require_small(sizes: Mapping[str, int], limit: int, total: int | None = None) -> None:
    total = sum(sizes.values()) if total is None else total
    if total > limit or len(sizes) > _FILES_LIMIT:
        largest = sorted(sizes, key=lambda path: -sizes[path])[:5]
        raise TooLarge(
            f"The run left {len(sizes):,} files and {total:,} bytes that differ from its base; "
            f"{_FILES_LIMIT:,} files and {limit:,} bytes are allowed.",
            next="Delete or ignore the largest files in its worktree, or raise the limit, then collect again.",
            details={"largest": [{"path": path[:300], "bytes": sizes[path]} for path in largest]},
        )


def _committed(git: Git, tip: str, found: _Found, message: str) -> str:
    """Store what was found on top of a commit; return that commit where nothing differs."""
    if found.dropped:
        git.run("update-index", "-z", "--force-remove", "--stdin", stdin=_lines(found.dropped))
    if found.taken:
        update = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
        git.run(*update, stdin=_lines(found.taken), seconds=600)
    tree = git.line("write-tree", "--missing-ok")
    if tree == git.line("rev-parse", f"{tip}^{{tree}}"):
        return tip
    text = message.replace("\0", "").encode(errors="replace")
    return git.line("commit-tree", tree, "-p", tip, "-F", "-", stdin=text, environment=OURSELVES)


def _lines(paths: Mapping[bytes, int] | list[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)


def _move_branch(git: Git, worktree: Worktree, commit: str) -> None:
    """Move the branch, and the worktree's own index with it, so that a resumed agent finds nothing to commit."""
    name = f"refs/heads/{worktree.branch}"
    before = git.commit_of(name)
    if before != commit:
        git.run("update-ref", "--no-deref", "-m", "orchestrator: collect", name, commit, before or "")
    own = administration(worktree)
    with suppress(OSError):
        if own:
            write_whole(own / "index", (git.scratch / "index").read_bytes())


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a path has become."""

    mode: str
    blob: str
    change: str
    path: bytes


def _described(git: Git, base: str, head: str, found: _Found) -> Collected:
    raw = git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", base, head).split(b"\0")
    entries = [_entry(facts, path) for facts, path in zip(raw[::2], raw[1::2], strict=False)]
    sizes = _sizes(git, [entry.blob for entry in entries])
    files = [Changed(shown(e.path), _CHANGES.get(e.change, "modified"), sizes.get(e.blob, 0)) for e in entries]
    links = [_link(git, e, sizes.get(e.blob, 0)) for e in entries if e.mode == _LINK][:_LISTED]
    gitlinks = {e.path for e in entries if e.mode == _GITLINK} | set(found.gitlinks) | _bare_repositories(entries)
    size = sum(each.bytes for each in files)
    named = list(map(shown, sorted(gitlinks)[:_LISTED]))
    return Collected(None if head == base else head, files[:_LISTED], len(files), size, links, named)


def _bare_repositories(entries: Sequence[_Entry]) -> set[bytes]:
    """Return folders of plain files that Git takes for a repository, whose configuration it follows."""
    paths = {entry.path for entry in entries if entry.change != "D"}
    folders = {path.removesuffix(b"/HEAD") for path in paths if path.endswith(b"/HEAD")}
    return {folder for folder in folders if folder + b"/config" in paths}


def _entry(facts: bytes, path: bytes) -> _Entry:
    _, mode, _, blob, change = facts.decode().split(" ")
    return _Entry(mode, blob, change, path)


def _sizes(git: Git, blobs: Sequence[str]) -> dict[str, int]:
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    lines = git.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=given).decode().splitlines()
    pairs = [line.split(" ") for line in lines]
    return {name: int(size) for name, size in pairs if size.isdigit()}


def _link(git: Git, entry: _Entry, size: int) -> Link:
    if size > _LINK_LIMIT:
        return Link(shown(entry.path), "", leaves=True)
    target = git.run("cat-file", "blob", entry.blob)
    return Link(shown(entry.path), shown(target), leaves(os.fsdecode(entry.path), os.fsdecode(target)))


def _left_out(git: Git, leave_out: Sequence[str]) -> list[str]:
    """Return what is still not in the index: Git passes over names that it does not allow."""
    skipped = set(matching(git, leave_out))
    rest = {path.rstrip(b"/") for kind, path in _listed(git) if path not in skipped and kind != b"R"}
    return list(map(shown, sorted(rest)[:_LISTED]))


def shown(path: bytes) -> str:
    """Return a path as it can be stored and shown; what is no UTF-8 is replaced."""
    return storable(path.decode(errors="replace"))
