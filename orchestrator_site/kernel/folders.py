"""Read and write plain files below a folder that may hold anything, such as a user's project.

Each folder is opened from the one that it lies in, without following links, and held open while it is used, so a folder
that is swapped for a link leads nowhere else. Only plain files are opened, and opening never waits. Where a system
cannot hold folders open (Windows), each name is checked instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path

_HOLDS_FOLDERS = os.open in os.supports_dir_fd
# O_NONBLOCK: opening a pipe that was put there just now would wait for its other end.
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CHUNK = 1024 * 1024
_JUNCTION = 0xA0000003  # how Windows marks a link between folders that is not a symbolic link


class InTheWay(Exception):
    """Something else lies where a plain file or a folder is expected, and is left alone."""

    def __init__(self, file: str, what: str) -> None:
        super().__init__(f"{file}: {what} is in the way")
        self.what = what


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder; its path only serves where the system cannot hold it open."""

    fd: int | None
    path: Path

    @classmethod
    def at(cls, path: Path) -> Folder:
        """Open a folder by its absolute path. Raises OSError, InTheWay where a link leads there."""
        if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
            link = next((each for each in (*reversed(path.parents), path) if each.is_symlink()), path)
            raise InTheWay(str(link), "a link or a file")
        return cls(os.open(path, _SAFELY | os.O_DIRECTORY) if _HOLDS_FOLDERS else None, path)

    def enter(self, name: str, *, make: bool = False) -> Folder:
        """Open a folder in this one. Raises OSError, and NotADirectoryError for a link too."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(self.name(name), dir_fd=self.fd)
        found = os.stat(self.name(name), dir_fd=self.fd, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode) or getattr(found, "st_reparse_tag", 0) == _JUNCTION:
            raise NotADirectoryError(name)
        fd = os.open(name, _SAFELY | os.O_DIRECTORY, dir_fd=self.fd) if _HOLDS_FOLDERS else None
        return Folder(fd, self.path / name)

    def name(self, name: str) -> str:
        """Return a name in this folder as calls with `dir_fd` take it."""
        return name if self.fd is not None else str(self.path / name)

    def names(self, limit: int) -> list[str]:
        """Return the names of what lies here, `limit` of them at most. Raises OSError."""
        with os.scandir(self.path if self.fd is None else self.fd) as entries:
            return [entry.name for entry in islice(entries, limit)]

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)

    def stat(self, name: str, file: str) -> os.stat_result | None:
        """Look at a plain file; None where nothing is there. Raises InTheWay, OSError."""
        try:
            found = os.stat(self.name(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        mode = found.st_mode
        if not stat.S_ISREG(mode):
            what = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no plain file"
            raise InTheWay(file, what)
        return found

    def open(self, name: str, file: str, flags: int = os.O_RDONLY) -> FileIO:
        """Open a plain file. Raises InTheWay, OSError."""
        self.stat(name, file)
        fd = os.open(self.name(name), flags | _SAFELY, 0o666, dir_fd=self.fd)
        handle = FileIO(fd, "r" if flags == os.O_RDONLY else "r+")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            handle.close()
            raise InTheWay(file, "no plain file")
        return handle

    def read(self, name: str, file: str, limit: int) -> bytes:
        """Read a plain file; what is longer than the limit ends one byte beyond it. Raises InTheWay, OSError."""
        with self.open(name, file) as handle:
            return read_within(handle, limit)


def read_within(handle: FileIO, limit: int) -> bytes:
    """Read a file; what is longer than the limit ends one byte beyond it. Raises OSError."""
    chunks: list[bytes] = []
    left = limit + 1
    while chunk := handle.read(min(left, _CHUNK)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


@contextmanager
def opened_file(path: Path) -> Iterator[FileIO]:
    """Open a plain file by its absolute path, never a link, a pipe or a device. Raises InTheWay, OSError."""
    with closing(Folder.at(path.parent)) as folder, folder.open(path.name, path.name) as handle:
        yield handle


@contextmanager
def entered(top: Folder, names: Sequence[str], *, make: bool = False) -> Iterator[Folder]:
    """Go down into folders, keeping only the last one open. Raises InTheWay, OSError."""
    folder = top
    try:
        for depth, name in enumerate(names, start=1):
            try:
                above, folder = folder, folder.enter(name, make=make)
            except NotADirectoryError as error:
                raise InTheWay("/".join(names[:depth]), "a link or a file") from error
            if above is not top:
                above.close()
        yield folder
    finally:
        if folder is not top:
            folder.close()
