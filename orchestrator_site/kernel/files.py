"""Files that are written whole or not at all, and locks between processes."""

from __future__ import annotations

import os
import secrets
from io import FileIO
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and rename it into place: readers see the old content or the new. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
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


def try_lock(file: FileIO) -> bool:
    """Lock a file against other handles, in this process or another. Closing the file frees it, as does a crash."""
    from filelock import lock_descriptor  # imported late: it costs 70 ms of CPU, and few processes ever lock

    return lock_descriptor(file.fileno(), blocking=False)
