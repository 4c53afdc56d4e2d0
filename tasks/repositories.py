"""What a folder says about the project that it belongs to: its repository, and the mark that we left in it.

Git itself is never run here, since it does what the configuration in a folder says.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator_site.kernel.folders import Folder, InTheWay, entered

_LINE_LIMIT = 8192
_MARK = re.compile(rb"([0-9a-f]{32})\n")
_MARK_PLACE = (".task_orchestrator", "local")
_MARK_FILE = "project"

# Folders of unrelated things, besides the home folder and those above it: in these each folder may be a project …
_SHARED = (
    "/home", "/Users", "/var/home", "/mnt", "/media", "/run/media", "/Volumes", "/opt", "/srv", "/usr/src", "/var/www",
    "/tmp", "/var/tmp", "/private/tmp", "/dev/shm",  # noqa: S108  nothing is written there
)  # fmt: skip
# … and in these, which hold the files of a system or of a desktop, none is.
_CLOSED = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/nix", "/proc", "/run", "/sbin", "/snap", "/sys", "/usr",
    "/var", "/Applications", "/Library", "/System", "/private",
)  # fmt: skip
_CLOSED_IN_HOME = ("Library", "AppData")
_SHARED_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_CLOSED_VARIABLES = ("SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramData")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, with those above it up to the top of its working tree, the root of its project, and its repository.

    Both are one folder, except in a tree whose `.git` leads elsewhere: that is its root, and the repository lies there.
    A worktree's is the one that it was made from. Outside of repositories the folder is its own root.
    """

    inside: tuple[Path, ...]
    root: Path
    repository: Path

    @property
    def folders(self) -> list[Path]:
        """The folders whose project this may be, nearest first."""
        return list(dict.fromkeys((*self.inside, self.root, self.repository)))


def place_of(folder: Path) -> Place:
    return _in_repository(folder) or Place((folder,), folder, folder)


def _in_repository(folder: Path) -> Place | None:
    """Return the place of a folder in a repository; that of the home folder, for dotfiles, or of `/` does not count."""
    passed: list[Path] = []
    for each in _up_to_ceilings(folder):
        passed.append(each)
        if each in (_home(), each.parent):
            return None
        if found := _tree_at(each):
            return Place(tuple(passed), *found)
    return None


def repository_of(top: Path) -> Path | None:
    """Return the repository whose working tree a folder is the top of; None where it is of none."""
    found = _tree_at(top)
    return found[1] if found else None


def git_of(top: Path) -> tuple[Path, Path] | None:
    """Return Git's folder of the working tree with this top, and the one that all trees of its repository share."""
    pointer = top / ".git"
    try:
        if not stat.S_ISDIR(pointer.stat().st_mode):
            line = _line(top, ".git")
            pointer = top / line.removeprefix("gitdir:").strip() if line.startswith("gitdir:") else top
        git = Path(os.path.realpath(pointer))
        if not _has_head(git):
            return None
    except (OSError, InTheWay):
        return None
    with suppress(OSError, InTheWay):
        return git, Path(os.path.realpath(git / _line(git, "commondir")))
    return git, git


def is_unfit(folder: Path) -> bool:
    """Whether a folder is too wide for one project, or the system's; a repository is a project wherever it lies."""
    return _is_common(folder) and _in_repository(folder) is None


def _is_common(folder: Path) -> bool:
    """Whether a folder is the home folder, or above it, or not for projects by the nearest one in the tables."""
    home = _home()
    if folder == folder.parent or folder in home.parents:
        return True
    shared, closed = {home, *_named(_SHARED, _SHARED_VARIABLES)}, _named(_CLOSED, _CLOSED_VARIABLES)
    for each in (folder, *folder.parents):
        if each in shared:
            return each == folder
        if each in closed or (each.parent == home and (each.name.startswith(".") or each.name in _CLOSED_IN_HOME)):
            return True
    return False


def _named(paths: tuple[str, ...], variables: tuple[str, ...]) -> set[Path]:
    return {Path(os.path.realpath(each)) for each in (*paths, *map(os.environ.get, variables)) if each}


def _home() -> Path:
    return Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111  Path's fails for an account without a home


@dataclass(frozen=True, slots=True)
class Mark:
    """What we wrote into a project's folder to know it again; `file` tells a copy of it from the same file."""

    id: str
    file: tuple[int, int]


def mark_in(folder: Path) -> Mark | None:
    try:
        with (
            closing(Folder.at(folder)) as top,
            entered(top, _MARK_PLACE) as inner,
            inner.open(_MARK_FILE, _MARK_FILE) as handle,
        ):
            found, seen = _MARK.fullmatch(handle.read(64)), os.fstat(handle.fileno())
    except (OSError, InTheWay):
        return None
    # Not the device: one folder under two mounts may have two.
    return Mark(found[1].decode(), (seen.st_ino, seen.st_ctime_ns)) if found else None


def new_mark() -> str:
    return secrets.token_hex(16)


def leave_mark(folder: Path, mark: str) -> None:
    """Replace the mark in a folder, where Git ignores it. A folder that cannot be written to gets none."""
    with suppress(OSError, InTheWay), closing(Folder.at(folder)) as top, entered(top, _MARK_PLACE, make=True) as inner:
        for name, content in ((".gitignore", b"*\n"), (_MARK_FILE, f"{mark}\n".encode())):
            with suppress(FileNotFoundError):
                os.unlink(inner.name(name), dir_fd=inner.fd)
            with inner.open(name, name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
                handle.write(content)


def _up_to_ceilings(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, as far as Git would look."""
    named = os.environ.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep)
    ceilings = {os.path.realpath(each) for each in named if each}
    yield folder
    for each in folder.parents:
        if str(each) in ceilings:
            return
        yield each


def _tree_at(top: Path) -> tuple[Path, Path] | None:
    """Return the root and the repository of the working tree that a folder is the top of; None where it is of none."""
    pointer = top / ".git"
    try:
        if not stat.S_ISDIR(pointer.stat().st_mode):
            line = _line(top, ".git")
            if not line.startswith("gitdir:"):
                return None
            pointer = top / line[7:].strip()
        elif not _has_head(pointer):
            return None
    except (OSError, InTheWay):
        return None
    git = Path(os.path.realpath(pointer))
    if made_from := _worktrees_repository(top, git):
        return made_from, made_from
    return top, _kept_in(git) or top


def _worktrees_repository(top: Path, git: Path) -> Path | None:
    """Return the repository that a worktree was made from; None where the folder is no worktree.

    The repository has to know the worktree: anyone can write a file that names a repository of another.
    """
    try:
        common = Path(os.path.realpath(git / _line(git, "commondir")))
        known = Path(os.path.realpath(git / _line(git, "gitdir")))
    except (OSError, InTheWay):
        return None  # a submodule, or a repository that is kept elsewhere
    was_moved = not known.exists()
    if not _has_head(common) or not (known == top / ".git" or was_moved):
        return None
    return _repository(common)


def _repository(common: Path) -> Path:
    """Return the folder that a repository goes by: the one with its `.git` or `.bare`, else Git's own."""
    return common.parent if common.name.startswith(".") else common


def _kept_in(git: Path) -> Path | None:
    """Return the repository of a tree that is no worktree by where its `.git` leads; None where that is another's.

    A worktree still names the repository that it was made from, until `git worktree repair`, after that was renamed.
    """
    with suppress(OSError):
        if git.parent.name == "worktrees" and not git.exists():
            was = _repository(git.parent.parent)
            return None if was.exists() else was
        if _repository(git) == git and _has_head(git) and not (git / "commondir").exists():
            return git
    return None


def _has_head(git: Path) -> bool:
    """Whether a folder is one of Git's; an empty `.git` is nothing. Raises OSError."""
    with suppress(FileNotFoundError):
        mode = (git / "HEAD").lstat().st_mode
        return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
    return False


def _line(folder: Path, name: str) -> str:
    """Return the first line of a plain file, a path. Raises OSError, InTheWay."""
    with closing(Folder.at(folder)) as top:
        raw = top.read(name, name, _LINE_LIMIT)
    return os.fsdecode(raw.partition(b"\n")[0].partition(b"\x00")[0]).strip()
