"""Locks of files between processes, which the kernel frees when their holder dies."""

from __future__ import annotations

import sys
from io import FileIO

if sys.platform == "win32":
    import msvcrt

    # Behind every byte that an file may have: on Windows a locked byte cannot be read by others.
    _FAR = 2**62

    def try_file(handle: FileIO) -> bool:
        """Lock a file against other handles of it, here or in another process; False where one has it."""
        handle.seek(_FAR)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def free_file(handle: FileIO) -> None:
        """Let others have it; the end of a process does so too."""
        handle.seek(_FAR)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_file(handle: FileIO) -> bool:
        """Lock a file against other handles of it, here or in another process; False where one has it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def free_file(handle: FileIO) -> None:
        """Let others have it; the end of a process does so too."""
        fcntl.flock(handle, fcntl.LOCK_UN)
