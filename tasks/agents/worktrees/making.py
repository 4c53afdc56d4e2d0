"""Make worktrees, put them back, and remove them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

from orchestrator_site.kernel.errors import Conflict, Invalid, NotFound, OrchestratorError, Transient
from orchestrator_site.kernel.files import disk_fault, make_folder, try_lock, write_whole
from orchestrator_site.kernel.folders import Folder, InTheWay
from orchestrator_site.kernel.polling import poll
from tasks.agents.worktrees.fingerprints import fingerprint, small_file, wiring
from tasks.agents.worktrees.git import Git, installed, opened
from tasks.agents.worktrees.records import Kind, Worktree
from tasks.agents.worktrees.trees import delete

_MAKING_SECONDS = 600.0
_LOCKED = ("index", "HEAD", "ORIG_HEAD", "config.worktree", "AUTO_MERGE")
_UNFINISHED = "orchestrator: being made"


def locate(folder: Path) -> str:
    """Return the repository of a folder as all functions here take it: Git's common folder. Raises NotFound."""
    if not folder.is_dir():
        raise NotFound("The project's folder is not there.", next="Put it back, or set the project's folder.")
    look_up = {"GIT_DIR": None, "GIT_WORK_TREE": None, "GIT_INDEX_FILE": None}
    git = Git(installed(), str(folder), folder, folder)
    try:
        common = git.line("rev-parse", "--path-format=absolute", "--git-common-dir", environment=look_up, seconds=30)
    except Conflict as error:
        next = "Set a folder in a repository, or run git init there."
        raise NotFound(f"The project's folder is in no usable repository. {error.message}", next=next) from error
    return os.path.realpath(common)


def has_branch(repository: str, branch: str) -> bool:
    with opened(repository) as git:
        return git.commit_of(f"refs/heads/{branch}") is not None


def make(repository: str, *, folder: Path, branch: str, base: str, kind: Kind = Kind.NEW) -> Worktree:
    """Make a worktree with a new branch at a base (any revision), locked at birth.

    What a `make` that was killed left in this folder and at this branch is cleared first. Raises NotFound for a base
    that is not there, Conflict for a branch or folder that is in use.
    """
    if kind is Kind.CURRENT:
        raise Invalid("The user's checkout is not made.", next="Use `current`.")
    folder = Path(os.path.realpath(folder.parent), folder.name)
    with opened(repository) as git, _in_turn(folder, repository):
        commit = git.commit_of(base)
        if commit is None:
            raise NotFound("The base is no commit of the repository.", next="Name a branch, a tag or a commit.")
        _clear_unfinished(git.folder, folder)
        _delete_branch(git, branch, commit)
        if git.commit_of(f"refs/heads/{branch}"):
            raise Conflict(f"The branch {branch} is there already.", next="Use the next attempt's number.")
        planned = Worktree(repository, str(folder), branch, commit, {}, kind)
        return _added(git, folder, ("-b", branch, "--no-track"), commit, planned)


def current(folder: Path) -> Worktree:
    """Return the user's own checkout, with the commit and fingerprint before the run."""
    repository = locate(folder)
    with opened(repository) as git:
        return Worktree(repository, str(folder), "", git.commit_of("HEAD") or "", fingerprint(git), Kind.CURRENT)


def restore(worktree: Worktree) -> Worktree:
    """Make a removed worktree again from its branch, at the same path, with a new fingerprint: for a resumed run."""
    folder = Path(worktree.folder)
    with opened(worktree.repository) as git, _in_turn(folder, worktree.repository):
        if git.commit_of(f"refs/heads/{worktree.branch}") is None:
            raise NotFound(f"The branch {worktree.branch} is gone.", next="Start a new attempt.")
        _clear_unfinished(git.folder, folder)
        if not os.path.lexists(folder):
            _forget(git.folder, folder)
        return _added(git, folder, (), worktree.branch, worktree)


def trusted(worktree: Worktree) -> Worktree:
    """Return the worktree with the fingerprint of now, after a person looked at what made its run `tampered`."""
    with opened(worktree.repository) as git:
        return _with_fingerprint(git, worktree)


def clear_locks(worktree: Worktree) -> list[str]:
    """Delete the lock files that killed processes left for this worktree and its branch; return their names.

    Only for worktrees whose last process is gone.
    """
    own, branch = administration(worktree), Path(worktree.repository, "refs", "heads", worktree.branch)
    if own is None:
        return []
    cleared = _cleared(own, [f"{name}.lock" for name in _LOCKED]) + _cleared(branch.parent, [f"{branch.name}.lock"])
    return sorted(cleared)


def _cleared(folder: Path, names: list[str]) -> list[str]:
    """Delete files of a folder that no link leads to."""
    cleared: list[str] = []
    with suppress(OSError, InTheWay), closing(Folder.at(folder)) as held:
        for name in names:
            with suppress(OSError):
                os.unlink(held.name(name), dir_fd=held.fd)
                cleared.append(name)
    return cleared


def remove(worktree: Worktree) -> None:
    """Remove the folder and what the repository knows of it. The branch stays. Collect first."""
    folder = Path(os.path.normpath(worktree.folder))
    if worktree.kind == Kind.CURRENT or Path(worktree.repository).is_relative_to(folder):
        raise Invalid("The user's own checkout is never removed.")
    with suppress(OSError):
        (folder / ".git").unlink()  # what is left of it, if this is killed, is not taken for what a run left
    delete(folder)
    _forget(worktree.repository, folder)


def discard(worktree: Worktree, *, head: str) -> bool:
    """Delete the branch if it still is at this commit; tell whether it is gone."""
    name = f"refs/heads/{worktree.branch}"
    with opened(worktree.repository) as git:
        if git.commit_of(name) == head:
            git.run("update-ref", "--no-deref", "-d", name, head)
        return git.commit_of(name) is None


@contextmanager
def _in_turn(folder: Path, repository: str) -> Iterator[None]:
    """Let one worktree of a repository be made at a time: Git fails where it meets one that is being made."""
    name = f".{hashlib.sha256(os.fsencode(repository)).hexdigest()[:16]}.lock"
    try:
        make_folder(folder.parent, 0o700)
        file = FileIO(folder.parent / name, "a+")
    except OSError as error:
        raise disk_fault("The worktree cannot be made", error) from error
    with file:
        if not poll(lambda: try_lock(file), seconds=_MAKING_SECONDS):
            raise Transient("Other worktrees of the repository are being made.", retry_after_ms=5000)
        yield


def _added(git: Git, folder: Path, options: tuple[str, ...], start: str, worktree: Worktree) -> Worktree:
    """Add a worktree; what a failed attempt leaves is removed."""
    with suppress(OSError):
        folder.rmdir()
    if os.path.lexists(folder):
        raise Conflict("The folder of the worktree is in use.", next="Remove what is there first.")
    add = ("worktree", "add", "--quiet", "--lock", "--reason", _UNFINISHED, *options, str(folder), start)
    # Git checks the files out by a command of its own, with the worktree's index.
    places = {"GIT_INDEX_FILE": None, "GIT_WORK_TREE": None}
    try:
        git.run(*add, environment=places, seconds=_MAKING_SECONDS)
        made = _with_fingerprint(git, worktree)
        if own := administration(made):
            write_whole(own / "locked", b"orchestrator")
    except OSError as error:
        raise disk_fault("The worktree cannot be made", error) from error
    except OrchestratorError:
        delete(folder)
        _forget(git.folder, folder)
        if options:
            _delete_branch(git, worktree.branch, start)
        raise
    return made


def _with_fingerprint(git: Git, worktree: Worktree) -> Worktree:
    folder = Path(worktree.folder)
    name = next(iter(_names_of(git.folder, folder)), "")
    wired = {"name": name, "wiring": wiring(git.folder, folder, name)}
    return replace(worktree, fingerprint=fingerprint(git) | {"worktree": wired}, submodules=_submodules(git, worktree))


def _submodules(git: Git, worktree: Worktree) -> list[str]:
    entries = git.run("ls-tree", "-r", "-z", worktree.base_commit).split(b"\0")
    return [os.fsdecode(entry.partition(b"\t")[2]) for entry in entries if entry.startswith(b"160000 ")]


def _clear_unfinished(repository: str, folder: Path) -> None:
    """Remove a worktree that a killed call never finished."""
    for name in _names_of(repository, folder):
        own = Path(repository, "worktrees", name)
        if _content(own / "locked") == _UNFINISHED:
            delete(folder)
            delete(own)


def _delete_branch(git: Git, branch: str, commit: str) -> None:
    name = f"refs/heads/{branch}"
    if git.commit_of(name) == commit and name not in git.checked_out():
        git.run("update-ref", "--no-deref", "-d", name, commit)


def administration(worktree: Worktree) -> Path | None:
    """Return the folder in which the repository keeps what it knows of a worktree; None where a link is there."""
    name = worktree.fingerprint.get("worktree", {}).get("name", "")
    found = Path(worktree.repository, "worktrees", name)
    return found if re.fullmatch(r"[^./][^/]*", name) and not found.is_symlink() else None


def _names_of(repository: str, folder: Path) -> list[str]:
    """Return the names by which a repository knows a worktree. Its files are read, since Git would follow them."""
    wanted = str(Path(os.path.realpath(folder.parent), folder.name, ".git"))
    found = Path(repository, "worktrees").glob("*/gitdir")
    return [each.parent.name for each in found if _content(each) == wanted]


def _content(path: Path) -> str:
    try:
        return os.fsdecode(small_file(path)).strip()
    except (OSError, InTheWay):
        return ""


def _forget(repository: str, folder: Path) -> None:
    for name in _names_of(repository, folder):
        aside = Path(repository, f"orchestrator-removed-{name}")  # at once: Git fails where it meets half of one
        delete(aside)
        with suppress(FileNotFoundError):
            Path(repository, "worktrees", name).replace(aside)
        delete(aside)
