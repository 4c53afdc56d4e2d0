"""Walk and delete folders in which a run may have left anything: pipes, closed folders, paths of any length."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator_site.kernel.files import disk_fault


def below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder and in those below it, and follow no link. What is gone or closed has nothing."""
    pending = [folder]
    while pending:
        for entry in entries(pending.pop()):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)


def entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def prepare(folder: str) -> None:
    """Take away what would make Git wait or fail: pipes and the like, and folders and files that it may not read."""
    for entry in below(folder):
        with suppress(OSError):
            mode = entry.stat(follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                os.unlink(entry.path)  # noqa: PTH108 - a large tree
            needed = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR if stat.S_ISREG(mode) else 0
            if mode & needed != needed:
                os.chmod(entry.path, mode | needed)  # noqa: PTH101


def delete(folder: Path) -> None:
    """Delete a folder, a file or a link. Raises ServerFault."""
    try:
        if folder.is_dir() and not folder.is_symlink():
            _delete_folder(str(folder))
        elif os.path.lexists(folder):
            folder.unlink()
    except OSError as error:
        raise disk_fault("The worktree cannot be removed", error) from error


def _delete_folder(top: str) -> None:
    """Delete level by level: each folder is moved up first, so that no path gets longer than the system allows."""
    pending, prefix = [top], os.path.join(top, secrets.token_hex(6))  # noqa: PTH118
    count = 0
    while pending:
        folder = pending.pop()
        os.chmod(folder, stat.S_IRWXU)  # noqa: PTH101
        for entry in entries(folder):
            if entry.is_dir(follow_symlinks=False):
                count += 1
                os.chmod(entry.path, stat.S_IRWXU)  # noqa: PTH101 - one that is closed cannot be moved
                os.rename(entry.path, moved := f"{prefix}-{count}")  # noqa: PTH104
                pending.append(moved)
            else:
                os.unlink(entry.path)  # noqa: PTH108
        if folder != top:
            os.rmdir(folder)  # noqa: PTH106
    os.rmdir(top)  # noqa: PTH106
