"""Files that are written whole or not at all, locks between processes, and what a disk refuses."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from enum import Enum
from io import FileIO
from pathlib import Path

from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import ServerFault, Transient, Unavailable

FULL_BELOW = 1024 * 1024
"""Bytes; with fewer left SQLite cannot even begin."""


class Fault(Enum):
    """What does not pass by itself; the value says what is wrong."""

    FULL = "the disk of the data folder is full"
    DENIED = "the data folder, or a file in it, is read-only or belongs to another account"
    MISSING = "the data folder, or a file in it, is missing, or something else has taken its place"
    BROKEN = "the disk of the data folder reports errors"
    DAMAGED = "its file is damaged"
    NO_SCHEMA = "tables or columns are missing in it"
    REFUSED = "a constraint or a trigger in it refuses this change"

    @property
    def cure(self) -> str:
        where = "" if self is Fault.REFUSED else "; manage.py doctor shows where"
        return f"Ask the person who runs the server to {_CURES[self]}{where}."


_CURES = {
    Fault.FULL: "free disk space",
    Fault.DENIED: "make it writable",
    Fault.MISSING: "put it back and restart the site",
    Fault.BROKEN: "look at the disk and the system's log",
    Fault.DAMAGED: "restore a backup",
    Fault.NO_SCHEMA: "restart the site, which applies missing migrations, or to restore a backup if none is missing",
    Fault.REFUSED: "look at the server's log, which names it",
}
_ERRNOS = {
    Fault.FULL: (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    Fault.DENIED: (errno.EACCES, errno.EPERM, errno.EROFS),
    Fault.MISSING: (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENODEV, errno.ENXIO),
    Fault.BROKEN: (errno.EIO,),
}


def disk_fault(what: str, error: OSError) -> ServerFault:
    """Return the error for what the system refused, such as "The artifact cannot be stored"."""
    for fault, codes in _ERRNOS.items():
        if error.errno in codes:
            return Unavailable(f"{what}: {fault.value}.", next=f"{unchanged()} {fault.cure}".strip())
    why = error.strerror or "the disk refused it"
    return Transient(f"{what}: {why}.", retry_after_ms=5000, next=f"{unchanged()} Retry later.".strip())


def fault_at(folder: Path, file: Path | None = None, *, keep_free: int = FULL_BELOW) -> Fault | None:
    """Return what keeps a folder, and a file in it that may not be there yet, from being used."""
    if not os.path.isdir(folder) or (file is not None and os.path.lexists(file) and not os.path.isfile(file)):  # noqa: PTH112, PTH113 - these never raise
        return Fault.MISSING
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Fault.DENIED
    if file is not None and os.path.lexists(file) and not os.access(file, os.R_OK | os.W_OK):
        return Fault.DENIED
    try:
        return Fault.FULL if shutil.disk_usage(folder).free < keep_free else None
    except OSError:
        return Fault.BROKEN


def file_identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another one that takes its place, while it is open; None where none is there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast, and asked before each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file aside and rename it into place: readers see the old content or the new. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        draft.touch(mode)
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut. Raises OSError."""
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it with the same mode, whose names survive a power cut. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)


def try_lock(file: FileIO) -> bool:
    """Lock a file against other handles, in this process or another. Closing the file frees it, as does a crash."""
    from filelock import lock_descriptor  # imported late: it costs 70 ms of CPU, and few processes ever lock

    return lock_descriptor(file.fileno(), blocking=False)
