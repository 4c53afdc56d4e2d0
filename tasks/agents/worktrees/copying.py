"""Copy what Git ignores, and an agent needs, into a worktree."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath

from orchestrator_site.kernel.files import disk_fault
from orchestrator_site.kernel.folders import Folder, InTheWay, entered
from orchestrator_site.kernel.text import storable
from tasks.agents.worktrees.git import Git, opened
from tasks.agents.worktrees.records import Copied, Worktree

_LISTED = 100
_CHUNK = 1024 * 1024


def copy_ignored(worktree: Worktree, patterns: Sequence[str], *, source: Path, limit_bytes: int) -> Copied:
    """Copy untracked files that match patterns as in `.gitignore` from the top of the user's checkout.

    No link is followed, nothing leaves either tree, nothing that is there is replaced.
    """
    source = Path(os.path.realpath(source))
    with opened(worktree.repository, source) as git:
        git.run("read-tree", worktree.base_commit)
        names = [os.fsdecode(each) for each in matching(git, patterns)]
    files, size, left_out = 0, 0, []
    with closing(Folder.at(source)) as top, closing(Folder.at(Path(worktree.folder))) as into:
        for name in names:
            try:
                copied = _copy(top, into, name, limit_bytes - size)
            except OSError as error:
                raise disk_fault("The files that the project wants copied cannot be copied", error) from error
            if copied is None:
                left_out.append(storable(name))
            else:
                files, size = files + 1, size + copied
    return Copied(files, size, left_out[:_LISTED])


def matching(git: Git, patterns: Sequence[str]) -> list[bytes]:
    """Return the paths of untracked files that match patterns, whatever a `.gitignore` in the tree says."""
    if not patterns:
        return []
    listed = git.scratch / "patterns"
    listed.write_bytes("".join(f"{pattern}\n" for pattern in patterns).encode(errors="replace"))
    found = git.run("ls-files", "-z", "--others", "--ignored", f"--exclude-from={listed}")
    return [each for each in found.split(b"\0") if each]


def leaves(path: str, target: str) -> bool:
    """Whether a link at a path of a tree leads out of it, or into what is Git's, by what it says."""
    parts: list[str] = list(PurePosixPath(path).parts[:-1])
    for part in PurePosixPath(target).parts:
        if part == ".." and not parts:
            return True
        parts = parts[:-1] if part == ".." else [*parts, part]
    return target.startswith(("/", "\\")) or ":" in target[:2] or any(each.lower() == ".git" for each in parts)


def _copy(top: Folder, into: Folder, path: str, limit: int) -> int | None:
    """Copy a plain file, or a link within the tree as a link; return its bytes, None where it is left out."""
    *above, name = path.split("/")
    try:
        with entered(top, above) as origin, entered(into, above, make=True) as place:
            found = os.stat(origin.name(name), dir_fd=origin.fd, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                return _copy_link(origin, place, path, name)
            if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
                return None
            return _copy_file(origin, place, name, found)
    except (InTheWay, FileExistsError, FileNotFoundError, PermissionError):
        return None


def _copy_link(origin: Folder, place: Folder, path: str, name: str) -> int | None:
    target = os.readlink(origin.name(name), dir_fd=origin.fd)
    if leaves(path, target):
        return None
    os.symlink(target, place.name(name), dir_fd=place.fd)
    return 0


def _copy_file(origin: Folder, place: Folder, name: str, found: os.stat_result) -> int | None:
    """Copy a file aside and rename it, so that one that is there is whole, whatever ends this."""
    if place.stat(name, name) is not None:
        return None
    draft = f".{name[:200]}.copying"
    with origin.open(name, name) as source, place.open(draft, draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as target:
        while chunk := source.read(_CHUNK):
            while chunk:
                chunk = chunk[target.write(chunk) :]
        if hasattr(os, "fchmod"):
            os.fchmod(target.fileno(), stat.S_IMODE(found.st_mode))
            os.utime(target.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        size = target.tell()
    os.replace(place.name(draft), place.name(name), src_dir_fd=place.fd, dst_dir_fd=place.fd)
    return size
