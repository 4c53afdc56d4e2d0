"""Show, forecast and merge what runs have left, without any checkout."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from itertools import combinations

from orchestrator_site.kernel.errors import Conflict, NotFound, Stale, TooLarge, Transient
from orchestrator_site.kernel.text import storable
from tasks.agents.worktrees.collecting import OURSELVES, shown
from tasks.agents.worktrees.git import Git, opened
from tasks.agents.worktrees.records import Clash, Forecast, Merged, Mode

_PATCH_LIMIT = 64 * 1024 * 1024
_ATTRIBUTES_LIMIT = 1024 * 1024
_LISTED = 1000
_DIFFERENCE = ("diff-tree", "-p", "-r", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")


def difference(repository: str, *, base: str, head: str, limit_bytes: int = 512 * 1024) -> str:
    """Return the unified diff of two commits for a page; one that is cut ends with a line that says so."""
    with opened(repository) as git:
        commits = _commit(git, base, "base"), _commit(git, head, "head")
        done = git.ask(*_DIFFERENCE, "--find-renames", *commits, limit=limit_bytes)
    whole = done.out.rpartition(b"\n")[0] if done.is_cut else done.out
    note = f"\n… The rest is left out after {limit_bytes:,} bytes.\n" if done.is_cut else ""
    return storable(whole.decode(errors="replace")) + note


def behind(repository: str, *, base: str, target: str) -> int:
    """Return how many commits the target branch has that a base lacks."""
    with opened(repository) as git:
        return _count(git, _commit(git, base, "base"), _commit(git, f"refs/heads/{target}", target))


def forecast(repository: str, *, target: str, heads: Mapping[str, str], seconds: float = 60) -> Forecast:
    """Say which of the commits (by name, such as a run's id) conflict with each other or the target.

    The target is a branch or a commit. It writes nothing to the repository. Raises Transient if the time is up.
    """
    deadline = time.monotonic() + seconds
    with opened(repository) as git:
        goal = git.commit_of(f"refs/heads/{target}") or _commit(git, target, target)
        commits = {target: goal} | {name: _commit(git, head, name) for name, head in heads.items()}
        _take_attributes(git, goal)
        clashes: list[Clash] = []
        for left, right in combinations(commits, 2):
            if time.monotonic() > deadline:
                raise Transient("The forecast takes too long.", next="Forecast fewer runs at once.")
            if paths := _merged_tree(git, commits[left], commits[right], aside=True)[1]:
                clashes.append(Clash(left, right, paths))
        lag = {name: _count(git, commits[name], goal) for name in heads}
    return Forecast(target, goal, clashes, lag)


def merge(
    repository: str,
    *,
    head: str,
    base: str,
    target: str,
    mode: Mode,
    message: str,
    dry_run: bool,
    expected: str | None = None,
    create: bool = False,
) -> Merged:
    """Merge a collected commit into a branch, and move the branch only if it has not moved.

    `expected` is the target's commit that a person saw. `create` makes a target that is not there, at the base.
    Raises NotFound for a target that is not there, Stale for one that has moved, and Conflict for one that is checked
    out anywhere: moving it would make that checkout look as if the user had taken the change back.
    """
    keeps = dry_run or mode is Mode.PATCH
    with opened(repository) as git:
        base, head = _commit(git, base, "base"), _commit(git, head, "head")
        before = git.commit_of(f"refs/heads/{target}")
        _check_target(git, target, before, expected, create=create, keeps=keeps)
        onto = before or base
        _take_attributes(git, onto)
        tree, conflicts = _merged_tree(git, onto, head, aside=keeps)
        patch = _patch(git, base, head) if mode is Mode.PATCH else None
        changed = _changed(git, onto, tree, aside=keeps)
        commit = None
        if not keeps and not conflicts:
            parents = (onto, head) if mode is Mode.MERGE else (onto,)
            commit = _stored(git, tree, parents, message) if changed else onto
            _move(git, target, commit, before)
    return Merged(mode, target, onto, commit, conflicts, changed, patch)


def _check_target(
    git: Git, target: str, before: str | None, expected: str | None, *, create: bool, keeps: bool
) -> None:
    if before is None and not create:
        raise NotFound(f"The branch {target} is not there.", next="Name a local branch.")
    if expected is not None and before != expected:
        raise _moved(target)
    if not keeps and f"refs/heads/{target}" in git.checked_out():
        raise Conflict(
            f"The branch {target} is checked out, and a checkout of the user's is never changed.",
            next="Merge into another branch, and merge that in the checkout.",
            details={"checked_out": target},
        )


def _moved(target: str) -> Stale:
    return Stale(f"The branch {target} has moved since.", next="Look at the forecast again, then merge.")


def _commit(git: Git, revision: str, name: str) -> str:
    found = git.commit_of(revision)
    if found is None:
        raise NotFound(f"There is no commit {name} in the repository.", next="Check its name.")
    return found


def _count(git: Git, base: str, target: str) -> int:
    return int(git.line("rev-list", "--count", f"{base}..{target}"))


def _take_attributes(git: Git, commit: str) -> None:
    """Let merges know the attributes of the target, such as `merge=union`; drivers that are programs are off."""
    look_up = ("cat-file", "blob", f"{commit}:.gitattributes")
    (git.work_tree / ".gitattributes").write_bytes(git.ask(*look_up, codes=(0, 128), limit=_ATTRIBUTES_LIMIT).out)


def _merged_tree(git: Git, left: str, right: str, *, aside: bool) -> tuple[str, list[str]]:
    """Return the tree of a merge, and the paths that conflict."""
    options = ("--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories")
    done = git.ask("merge-tree", *options, left, right, codes=(0, 1), environment=_aside(git) if aside else {})
    tree, *paths = done.out.rstrip(b"\0").split(b"\0")
    found = sorted({shown(path) for path in paths if path})[:_LISTED]
    return tree.decode(), found or (["."] if done.code else [])


def _aside(git: Git) -> dict[str, str | None]:
    """Return what makes Git store new objects in the temporary folder."""
    own = git.scratch / "objects"
    own.mkdir(exist_ok=True)
    theirs = os.path.join(git.folder, "objects").replace("\\", "\\\\").replace('"', '\\"')  # noqa: PTH118
    return {"GIT_OBJECT_DIRECTORY": str(own), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{theirs}"'}


def _changed(git: Git, onto: str, tree: str, *, aside: bool) -> int:
    paths = git.run("diff-tree", "-r", "-z", "--name-only", onto, tree, environment=_aside(git) if aside else {})
    return paths.count(b"\0")


def _patch(git: Git, base: str, head: str) -> bytes:
    done = git.ask(*_DIFFERENCE, "--binary", "--full-index", base, head, limit=_PATCH_LIMIT)
    if done.is_cut:
        raise TooLarge(f"The patch exceeds {_PATCH_LIMIT:,} bytes.", next="Use the mode squash or merge.")
    return done.out


def _stored(git: Git, tree: str, parents: tuple[str, ...], message: str) -> str:
    named = [argument for parent in parents for argument in ("-p", parent)]
    text = message.replace("\0", "").encode(errors="replace")
    return git.line("commit-tree", tree, *named, "-F", "-", stdin=text, environment=_identity(git))


def _identity(git: Git) -> dict[str, str | None]:
    """Return the environment with our name, unless the user's is configured."""
    return {} if {"user.name", "user.email"} <= git.configuration.keys() else OURSELVES


def _move(git: Git, target: str, commit: str, before: str | None) -> None:
    name = f"refs/heads/{target}"
    if commit == before:
        return
    try:
        git.run("update-ref", "--no-deref", "-m", "orchestrator: merge", name, commit, before or "")
    except Conflict as error:
        if git.commit_of(name) != before:
            raise _moved(target) from error
        raise
