"""Writing plain files below one folder and nowhere else, whatever lies there: no link in it is ever followed.

Each name is opened from the folder that it lies in, which is held open; so nothing that is swapped for a link while we
are at it leads elsewhere. Where the system cannot do that (Windows), each name is looked at before it is entered.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from artifacts.export.filenames import PRIVATE
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import try_lock
from orchestrator_site.kernel.polling import poll

CHUNK = 1024 * 1024
_WRITING = f"{PRIVATE}writing-"
_LOCK = f"{PRIVATE}lock"
_HOLDS_FOLDERS = os.open in os.supports_dir_fd
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PASSED = _SAFELY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
_NO_LINKS = getattr(os, "O_NOFOLLOW_ANY", 0)
"""What macOS knows against links anywhere in a path; on Linux each name is opened from the one before."""
_JUNCTION = 0xA0000003
"""What Windows calls a link between folders that is none of its symbolic links."""
_UNBLOCKED = getattr(os, "O_NONBLOCK", 0)


class InTheWay(Exception):
    """Something lies where a file or a folder of ours should, and is left alone."""

    def __init__(self, file: str, what: str) -> None:
        super().__init__(f"{file}: {what} is in the way")
        self.file = file


@dataclass(frozen=True, slots=True)
class Held:
    """A folder that is held open; its path only serves where the system cannot hold one."""

    fd: int | None
    path: Path

    @classmethod
    def open(cls, path: Path) -> Held:
        """Hold a folder by its absolute path. Raises OSError, InTheWay where a link leads there."""
        return cls(_reached(path) if _HOLDS_FOLDERS else None, path)

    def enter(self, name: str, *, make: bool) -> Held:
        """Hold a folder in this one, which may be made. Raises OSError, NotADirectoryError for a link too."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(self._at(name), dir_fd=self.fd)
        found = self.stat(name)
        if not stat.S_ISDIR(found.st_mode) or getattr(found, "st_reparse_tag", 0) == _JUNCTION:
            raise NotADirectoryError(name)
        fd = os.open(name, _SAFELY | os.O_DIRECTORY, dir_fd=self.fd) if _HOLDS_FOLDERS else None
        return Held(fd, self.path / name)

    def stat(self, name: str) -> os.stat_result:
        """Look at a name itself, also where it is a link. Raises OSError."""
        return os.stat(self._at(name), dir_fd=self.fd, follow_symlinks=False)

    def open_file(self, name: str, flags: int) -> FileIO:
        """Open a file that is no link. Raises OSError."""
        fd = os.open(self._at(name), flags | _SAFELY | _UNBLOCKED, 0o666, dir_fd=self.fd)
        return FileIO(fd, "r+" if flags & (os.O_WRONLY | os.O_RDWR) else "r")

    def rename(self, name: str, other: Held, new_name: str) -> None:
        """Move a name into a folder, over what is there. Raises OSError."""
        os.replace(self._at(name), other._at(new_name), src_dir_fd=self.fd, dst_dir_fd=other.fd)

    def unlink(self, name: str) -> None:
        """Remove a file. Raises OSError."""
        os.unlink(self._at(name), dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        """Remove an empty folder. Raises OSError."""
        os.rmdir(self._at(name), dir_fd=self.fd)

    def set_time(self, name: str, moment: int) -> None:
        """Set when a file was changed, in nanoseconds. Raises OSError."""
        follows = os.utime not in os.supports_follow_symlinks
        os.utime(self._at(name), ns=(moment, moment), dir_fd=self.fd, follow_symlinks=follows)

    def close(self) -> None:
        """Let it go."""
        if self.fd is not None:
            os.close(self.fd)

    def _at(self, name: str) -> str:
        return name if self.fd is not None else str(self.path / name)


Mark = tuple[int, ...]
"""By what a file is told from what it was before; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found under a name: the hash of its bytes, None where there is no file, and what it was known by."""

    sha256: str | None
    mark: Mark


NOTHING = Seen(None, ())


class Root:
    """The one folder. Names of files are relative to it and hold no `..`; methods raise InTheWay and OSError."""

    def __init__(self, held: Held) -> None:
        self._held = held

    @classmethod
    @contextmanager
    def at(cls, top: Path, *below: str) -> Iterator[Root]:
        """Open a folder below one that is there, making what is missing. Raises InTheWay, OSError."""
        with _entered(Held.open(top), list(below), make=True) as held:
            yield cls(held)

    @contextmanager
    def locked(self, patience_seconds: float) -> Iterator[None]:
        """Keep others who ask for it out of the folder, and remove what a killed one was writing.

        Raises Transient where another process has it for that long.
        """
        with _regular(self._held, _LOCK, _LOCK, os.O_RDWR | os.O_CREAT) as handle:
            if not poll(lambda: try_lock(handle), seconds=patience_seconds):
                raise Transient("Another process is writing to this folder.", next="Wait a little, then try again.")
            self._tidy()
            yield

    def look(self, file: str) -> Seen:
        """Read a file that may be there. What changes while it is read is another file to those who are told of it."""
        try:
            with self._folder(file, make=False) as (held, name):
                mark = _require_file(held, name, file)
                with _regular(held, name, file) as handle:
                    return Seen(hashlib.file_digest(handle, "sha256").hexdigest(), mark)
        except FileNotFoundError:
            return NOTHING

    def sha256(self, file: str) -> str | None:
        """Return the hash of a file's bytes; None where there is none."""
        return self.look(file).sha256

    def read(self, file: str, limit: int) -> bytes | None:
        """Return a file's bytes, up to a limit; None where there is no file."""
        try:
            with self._folder(file, make=False) as (held, name), _regular(held, name, file) as handle:
                parts = []
                while limit > 0 and (part := handle.read(min(CHUNK, limit))):
                    parts.append(part)
                    limit -= len(part)
                return b"".join(parts)
        except FileNotFoundError:
            return None

    def is_as(self, file: str, size: int, moment: int) -> bool:
        """Whether a file of this size and time is there: nobody changed it, as far as one can see without reading."""
        try:
            with self._folder(file, make=False) as (held, name):
                found = held.stat(name)
        except (FileNotFoundError, InTheWay):
            return False
        return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (size, moment)

    def is_there(self, file: str) -> bool:
        """Whether there is anything of this name."""
        try:
            with self._folder(file, make=False) as (held, name):
                held.stat(name)
        except FileNotFoundError:
            return False
        return True

    def write(self, file: str, chunks: Iterable[bytes], moment: int | None = None, *, over: Seen | None = None) -> None:
        """Write a file aside, sync it, and rename it to its place, over a file that is there; all of it or nothing.

        Raises InTheWay where `over` is given, and what is there by then is not what was seen.
        """
        draft = f"{_WRITING}{secrets.token_hex(8)}"
        with self._folder(file, make=True) as (held, name):
            try:
                with self._held.open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as handle:
                    for chunk in chunks:
                        _write_all(handle, chunk)
                    os.fsync(handle.fileno())
                if moment is not None:
                    self._held.set_time(draft, moment)
                _require_same(held, name, file, over)
                self._held.rename(draft, held, name)
            finally:
                with suppress(FileNotFoundError):  # where it was renamed
                    self._held.unlink(draft)

    def rename(self, file: str, new_file: str) -> None:
        """Give a file another name in its folder."""
        with self._folder(file, make=False) as (held, name):
            held.rename(name, held, new_file.rpartition("/")[2])

    def set_time(self, file: str, moment: int) -> None:
        """Set when a file was changed."""
        with self._folder(file, make=False) as (held, name):
            held.set_time(name, moment)

    def remove(self, file: str, seen: Seen) -> None:
        """Remove a file that is as it was seen, and the folders that are empty then."""
        with self._folder(file, make=False) as (held, name):
            _require_same(held, name, file, seen)
            held.unlink(name)
        folder = file.rpartition("/")[0]
        while folder:
            try:
                with self._folder(folder, make=False) as (held, name):
                    held.rmdir(name)
            except OSError:
                return  # it is not empty
            folder = folder.rpartition("/")[0]

    @contextmanager
    def _folder(self, file: str, *, make: bool) -> Iterator[tuple[Held, str]]:
        """Hold the folder of a file while it is worked in."""
        *folders, name = file.split("/")
        with _entered(self._held, folders, make=make, keep=self._held) as held:
            yield held, name

    def _tidy(self) -> None:
        with os.scandir(self._held.path if self._held.fd is None else self._held.fd) as entries:
            left = [entry.name for entry in entries if _is_draft(entry)]
        for name in left:
            self._held.unlink(name)


def _is_draft(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(_WRITING) and entry.is_file(follow_symlinks=False)


def _reached(path: Path) -> int:
    """Open a folder, and no link on the way to it. Raises OSError, InTheWay for a link."""
    if _NO_LINKS:
        return os.open(path, _SAFELY | os.O_DIRECTORY | _NO_LINKS)
    fd = os.open(path.anchor, _PASSED)
    for place, name in enumerate(path.parts[1:], start=2):
        above = fd
        try:
            fd = os.open(name, _PASSED if place < len(path.parts) else _SAFELY | os.O_DIRECTORY, dir_fd=above)
        except NotADirectoryError as error:
            raise InTheWay(str(Path(*path.parts[:place])), "a link or a file") from error
        finally:
            os.close(above)
    return fd


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open what is a plain file by now, never a link, a pipe or a device. Raises InTheWay, OSError."""
    with _entered(Held.open(path.parent), [], make=False) as held, _regular(held, path.name, path.name) as handle:
        yield handle


@contextmanager
def _entered(held: Held, folders: list[str], *, make: bool, keep: Held | None = None) -> Iterator[Held]:
    """Go down into folders, one after the other; only the one that is worked in stays open, and `keep`."""
    try:
        for place, name in enumerate(folders, start=1):
            try:
                inner = held.enter(name, make=make)
            except NotADirectoryError as error:
                raise InTheWay("/".join(folders[:place]), "a link or a file") from error
            if held is not keep:
                held.close()
            held = inner
        yield held
    finally:
        if held is not keep:
            held.close()


@contextmanager
def _regular(held: Held, name: str, file: str, flags: int = os.O_RDONLY) -> Iterator[FileIO]:
    """Open what is a plain file; a pipe, a device or a link is in the way."""
    _require_file(held, name, file)
    with held.open_file(name, flags) as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise InTheWay(file, "no plain file")
        yield handle


def _require_same(held: Held, name: str, file: str, seen: Seen | None) -> None:
    """Check that a name is a plain file or nothing, and what was seen there. Raises InTheWay."""
    mark = _require_file(held, name, file)
    if seen is not None and mark != seen.mark:
        raise InTheWay(file, "a file that is being changed")


def _mark(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _require_file(held: Held, name: str, file: str) -> Mark:
    """Check that a name is a plain file, or nothing yet, and return its mark. Raises InTheWay."""
    try:
        found = held.stat(name)
    except FileNotFoundError:
        return ()
    mode = found.st_mode
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no plain file"
        raise InTheWay(file, what)
    return _mark(found)


def _write_all(handle: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[handle.write(rest) :]
