"""Staged bytes of uploads: one file each, in which acknowledged bytes never change.

Only the bytes that the upload's row counts as received mean anything. What follows them was being written when a
process died, and is overwritten by the next part.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path

from django.conf import settings

from artifacts.storage.base import exactly
from orchestrator_site.kernel.durability import sync_commits
from orchestrator_site.kernel.errors import Conflict, OrchestratorError, ServerFault, Transient, Unavailable
from orchestrator_site.kernel.files import Fault, disk_fault, make_folder, sync_folder, try_lock
from orchestrator_site.kernel.polling import poll

READ_CHUNK = 256 * 1024
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.005
_KEPT = "Acknowledged bytes are kept."


def folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "staging"


def path_of(public_id: str) -> Path:
    """Return the file of an upload. Its name is the id that we assigned, never a caller's string."""
    return folder() / public_id


@contextmanager
def locked(public_id: str, *, to_append: bool = True) -> Iterator[FileIO]:
    """Open the file of an upload and lock it, against this process too.

    To append, a missing one is made, and one that a commit has linked as content is replaced by a copy. A crash frees
    the lock. Raises Transient where another process holds it for `PATIENCE_SECONDS`, or where the disk refuses,
    Conflict where there is nothing to commit.
    """
    while True:
        with _opened(public_id, os.O_CREAT if to_append else 0) as handle:
            if not poll(partial(try_lock, handle), seconds=PATIENCE_SECONDS, interval=POLL_SECONDS):
                raise Transient(
                    "Another process is receiving a part of this upload.", next="Ask for its status, then continue."
                )
            if not _is_current(handle, public_id):
                continue
            if to_append and os.fstat(handle.fileno()).st_nlink > 1:
                _replace_by_copy(handle, public_id)
                continue
            yield handle
            return


def write(handle: FileIO, offset: int, data: bytes) -> None:
    """Write and sync bytes after the acknowledged ones.

    Raises ServerFault where the disk refuses; then nothing that was acknowledged has changed.
    """
    try:
        handle.truncate(offset)  # what a dead process left there
        handle.seek(offset)
        rest = memoryview(data)
        while rest:
            rest = rest[handle.write(rest) :]
        os.fsync(handle.fileno())
        if offset == 0:
            sync_folder(folder())
    except OSError as error:
        raise _refused(error) from error


def is_there(handle: FileIO, offset: int, data: bytes) -> bool:
    handle.seek(offset)
    return exactly(handle, len(data)) == data


def chunks(public_id: str, size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of an upload in order.

    Raises Conflict where they are gone, Transient where the disk does not read them.
    """
    left = size
    try:
        with path_of(public_id).open("rb") as handle:
            while left and (chunk := handle.read(min(left, READ_CHUNK))):
                left -= len(chunk)
                yield chunk
    except FileNotFoundError as error:
        raise lost(public_id) from error
    except OSError as error:
        raise _refused(error) from error
    if left:
        raise lost(public_id)


def require_bytes(handle: FileIO, public_id: str, received: int) -> None:
    """Check that acknowledged bytes are still there. Raises Conflict."""
    if os.fstat(handle.fileno()).st_size < received:
        raise lost(public_id)


def cut(handle: FileIO, received: int) -> None:
    """Remove what a dead process left after the acknowledged bytes. Raises ServerFault where the disk refuses."""
    try:
        if os.fstat(handle.fileno()).st_size > received:
            handle.truncate(received)
    except OSError as error:
        raise _refused(error) from error


def lost(public_id: str) -> OrchestratorError:
    """Return the error for staged bytes that were removed, or that are on another machine."""
    return Conflict(f"The staged bytes of {public_id} are gone.", next="Abort it and begin a new upload.")


def require_room(size: int) -> None:
    """Check that the disk has space for so many bytes, and for what the site itself needs. Raises Transient."""
    try:
        make_folder(folder(), 0o700)
        free = shutil.disk_usage(folder()).free
    except OSError as error:
        raise _refused(error) from error
    if free < size + settings.ORCHESTRATOR_KEEP_FREE_BYTES:
        raise Unavailable(
            f"The server's disk is nearly full: {free:,} bytes are free, {size:,} are needed, and "
            f"{settings.ORCHESTRATOR_KEEP_FREE_BYTES:,} stay free for the site itself.",
            next=f"{_KEPT} {Fault.FULL.cure}",
        )


def discard(public_id: str) -> None:
    """Remove the file of an upload that has ended; the next sweep retries what fails."""
    with suppress(OSError):
        sync_commits()
        _copy_of(public_id).unlink(missing_ok=True)
        path_of(public_id).unlink(missing_ok=True)


def names() -> list[str]:
    return sorted({path.stem for path in folder().glob("upload_*")})


def _copy_of(public_id: str) -> Path:
    return path_of(public_id).with_suffix(".copy")


def _opened(public_id: str, flags: int) -> FileIO:
    try:
        make_folder(folder(), 0o700)
        return FileIO(os.open(path_of(public_id), os.O_RDWR | getattr(os, "O_BINARY", 0) | flags, 0o600), "r+")
    except FileNotFoundError as error:
        raise lost(public_id) from error
    except OSError as error:
        raise _refused(error) from error


def _is_current(handle: FileIO, public_id: str) -> bool:
    """Whether a file that is locked by now is still the upload's."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path_of(public_id).stat())
    except FileNotFoundError:
        return False


def _replace_by_copy(handle: FileIO, public_id: str) -> None:
    copy = _copy_of(public_id)
    try:
        with copy.open("wb") as target:
            shutil.copyfileobj(handle, target, READ_CHUNK)
            target.flush()
            os.fsync(target.fileno())
        copy.replace(path_of(public_id))
        sync_folder(folder())
    except FileNotFoundError:
        pass  # the commit is done and has removed both; who locks looks again
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise _refused(error) from error


def _refused(error: OSError) -> ServerFault:
    fault = disk_fault("The upload cannot go on", error)
    fault.next = f"{_KEPT} {fault.next}"
    return fault
