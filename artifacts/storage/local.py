"""Content in a local folder: files are written as drafts, synced and renamed, so each is complete or absent."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from artifacts.models import Content
from artifacts.storage.base import NAME, Readable, Stored, Unreadable, new_name, place_of
from orchestrator_site.kernel.durability import sync_commits
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import disk_fault, make_folder, sync_folder

_DRAFT = re.compile(r"\d+\.[0-9a-f]{16}")


def folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "content"


def drafts() -> Path:
    """Return the folder of files that are still being written, whatever store they will go to."""
    return folder() / "drafts"


def path_of(sha256: str) -> Path:
    """Return the local file of a content that is not in its row."""
    return folder() / place_of(Content.objects.get(sha256=sha256).stored_as or sha256)


@contextmanager
def storing() -> Iterator[None]:
    """Turn OSError into ServerFault."""
    try:
        yield
    except OSError as error:
        raise disk_fault("The artifact could not be stored", error) from error


@contextmanager
def _reading() -> Iterator[None]:
    """Turn OSError into Unreadable, or Transient where it passes, except FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        fault = disk_fault("The stored artifact cannot be read", error)
        if isinstance(fault, Transient):
            raise fault from error
        raise Unreadable(fault.message, next=fault.next) from error


class Draft:
    """A file that is being written. Raises ServerFault where the disk refuses."""

    def __init__(self, path: Path | None = None) -> None:
        """Begin an empty one, or open the one at a path."""
        with storing():
            self.path = path or _new_path()
            self._handle = self.path.open("ab" if path else "xb")

    @classmethod
    def linked(cls, file: Path) -> Draft | None:
        """Give a complete file a second name, as a draft; None where the file system has no links."""
        if os.name == "nt":  # where no name of an open file can change
            return None
        with storing():
            path = _new_path()
            try:
                os.utime(file)  # first, since the sweep removes what is old
                path.hardlink_to(file)
            except OSError:
                return None
        return cls(path)

    def write(self, data: bytes | bytearray) -> None:
        with storing():
            self._handle.write(data)

    def finish(self) -> Path:
        """Make what was written durable, and return where it is."""
        with storing():
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()
        return self.path

    def discard(self) -> None:
        """Remove the file, unless a store has taken it."""
        with suppress(OSError):  # flushes what a full disk did not take
            self._handle.close()
        with suppress(OSError):  # the sweep removes it later
            self.path.unlink()


class LocalStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, draft: Path, sha256: str) -> str:
        name = new_name(sha256)
        with storing():
            _move(draft, self._folder / place_of(name))
        return name

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Readable]:
        with _reading(), (self._folder / place_of(name)).open("rb") as handle:
            handle.seek(start)
            yield handle

    def stored(self) -> Iterator[Stored]:
        return _files(self._folder.glob("??/??/*"), NAME)

    def remove(self, name: str) -> None:
        with storing():
            sync_commits()
            (self._folder / place_of(name)).unlink(missing_ok=True)

    def put_aside(self, name: str) -> None:
        with storing(), suppress(FileNotFoundError):
            _move(self._folder / place_of(name), self._folder / "damaged" / name)


def drafts_left() -> Iterator[Stored]:
    """Yield files that are being written, or were when their process died."""
    return _files(drafts().glob("*"), _DRAFT)


def remove_draft(name: str) -> None:
    with storing():
        (drafts() / name).unlink(missing_ok=True)


def _new_path() -> Path:
    make_folder(drafts())
    return drafts() / f"{os.getpid()}.{secrets.token_hex(8)}"


def _files(paths: Iterable[Path], pattern: re.Pattern[str]) -> Iterator[Stored]:
    for path in paths:
        with suppress(FileNotFoundError):  # removed since it was listed
            if pattern.fullmatch(path.name):
                about = path.stat()
                yield Stored(path.name, about.st_size, about.st_mtime)


def _move(path: Path, target: Path) -> None:
    make_folder(target.parent)
    path.replace(target)
    sync_folder(target.parent)
