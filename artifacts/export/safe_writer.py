"""Write plain files below one folder and never outside it, whatever links lie in it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from artifacts.export.filenames import PRIVATE
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import try_lock
from orchestrator_site.kernel.folders import Folder, InTheWay, entered
from orchestrator_site.kernel.polling import poll

_WRITING = f"{PRIVATE}writing-"
_LOCK = f"{PRIVATE}lock"


class Seen(NamedTuple):
    """What was found under a name: the sha256 of a file, or None, and what changes when the file does."""

    sha256: str | None = None
    mark: tuple[int, ...] = ()


class Root:
    """The one folder. Names of files are relative to it and hold no `..`; methods raise InTheWay and OSError."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @classmethod
    @contextmanager
    def at(cls, top: Path, *below: str) -> Iterator[Root]:
        """Open a folder below an existing one, making what is missing."""
        with closing(Folder.at(top)) as folder, entered(folder, below, make=True) as inner:
            yield cls(inner)

    @contextmanager
    def locked(self, patience_seconds: float) -> Iterator[None]:
        """Keep other exports out of the folder, and remove the drafts of one that was killed.

        Raises Transient where another process has it for that long.
        """
        with self._folder.open(_LOCK, _LOCK, os.O_RDWR | os.O_CREAT) as handle:
            if not poll(lambda: try_lock(handle), seconds=patience_seconds):
                raise Transient("Another process is writing to this folder.", next="Wait a little, then try again.")
            with os.scandir(self._folder.path if self._folder.fd is None else self._folder.fd) as entries:
                files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
            for name in files:
                if name.startswith(_WRITING):
                    os.unlink(self._folder.name(name), dir_fd=self._folder.fd)
            yield

    def look(self, file: str) -> Seen:
        found = self.stat(file)
        if found is None:
            return Seen()
        with self._parent(file) as (folder, name), folder.open(name, file) as handle:
            return Seen(hashlib.file_digest(handle, "sha256").hexdigest(), mark_of(found))

    def read(self, file: str, limit: int) -> bytes | None:
        """Read a file; what is longer than the limit ends one byte beyond it. None where there is no file."""
        if self.stat(file) is None:
            return None
        with self._parent(file) as (folder, name):
            return folder.read(name, file, limit)

    def stat(self, file: str) -> os.stat_result | None:
        """Look at a file; None where nothing is there."""
        try:
            with self._parent(file) as (folder, name):
                return folder.stat(name, file)
        except FileNotFoundError:
            return None

    def names(self, folder: str, limit: int) -> list[str]:
        """Return the names in a folder below this one (empty: in this one itself), sorted; none where it is missing."""
        try:
            with entered(self._folder, folder.split("/") if folder else ()) as inner:
                return sorted(inner.names(limit))
        except FileNotFoundError:
            return []

    def write(
        self, file: str, chunks: Iterable[bytes], time_ns: int | None = None, *, over: Seen | None = None
    ) -> None:
        """Write and sync a draft, and rename it into place.

        Raises InTheWay where `over` is given, and the file has changed since it was seen.
        """
        draft, top = f"{_WRITING}{secrets.token_hex(8)}", self._folder
        with self._parent(file, make=True) as (folder, name):
            try:
                with top.open(draft, draft, os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
                    for chunk in chunks:
                        rest = memoryview(chunk)
                        while rest:
                            rest = rest[handle.write(rest) :]
                    os.fsync(handle.fileno())
                if time_ns is not None:
                    _set_time(top, draft, time_ns)
                _require_same(folder, name, file, over)
                os.replace(top.name(draft), folder.name(name), src_dir_fd=top.fd, dst_dir_fd=folder.fd)
            finally:
                with suppress(FileNotFoundError):  # it was renamed
                    os.unlink(top.name(draft), dir_fd=top.fd)

    def rename(self, file: str, new_name: str) -> None:
        with self._parent(file) as (folder, name):
            os.replace(folder.name(name), folder.name(new_name), src_dir_fd=folder.fd, dst_dir_fd=folder.fd)

    def set_time(self, file: str, time_ns: int) -> None:
        with self._parent(file) as (folder, name):
            _set_time(folder, name, time_ns)

    def remove(self, file: str, seen: Seen) -> None:
        """Remove a file that is as it was seen, and the folders that it leaves empty."""
        with self._parent(file) as (folder, name):
            _require_same(folder, name, file, seen)
            os.unlink(folder.name(name), dir_fd=folder.fd)
        with suppress(OSError):  # ends at the first folder that is not empty
            while file := file.rpartition("/")[0]:
                with self._parent(file) as (folder, name):
                    os.rmdir(folder.name(name), dir_fd=folder.fd)

    @contextmanager
    def _parent(self, file: str, *, make: bool = False) -> Iterator[tuple[Folder, str]]:
        """Open the folder that a file lies in, and return it with the file's name."""
        *folders, name = file.split("/")
        with entered(self._folder, folders, make=make) as folder:
            yield folder, name


def _require_same(folder: Folder, name: str, file: str, seen: Seen | None) -> None:
    found = folder.stat(name, file)
    if seen is not None and seen.mark != (mark_of(found) if found else ()):
        raise InTheWay(file, "a file that is being changed")


def mark_of(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file does."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _set_time(folder: Folder, name: str, time_ns: int) -> None:
    follows = os.utime not in os.supports_follow_symlinks
    os.utime(folder.name(name), ns=(time_ns, time_ns), dir_fd=folder.fd, follow_symlinks=follows)
