"""The local folder: files that are written aside, synced and renamed, so that each is there whole or not at all."""

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
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import sync_folder

_DRAFT = re.compile(r"\d+\.[0-9a-f]{16}")


def folder() -> Path:
    """The folder of stored files."""
    return Path(settings.ORCHESTRATOR_HOME) / "content"


def drafts() -> Path:
    """The folder of files that are still being written, whatever store they will go to."""
    return folder() / "drafts"


def path_of(sha256: str) -> Path:
    """The local file of some content; its name begins with the hash and holds no text of a caller."""
    row = Content.objects.filter(sha256=sha256).only("sha256", "stored_as").first()
    return folder() / place_of(row.kept_as if row else sha256)


@contextmanager
def storing() -> Iterator[None]:
    """Turn what a disk refuses into Transient."""
    try:
        yield
    except OSError as error:
        raise refused(error.strerror or "the disk refused it") from error


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what a disk does not read into Unreadable; what is not there stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(
            f"The stored work cannot be read: {error.strerror or 'the disk refused it'}.",
            retry_after_ms=5000,
            next="Try again; if it goes on, ask the person who runs the server to look at ORCHESTRATOR_HOME/content.",
        ) from error


def refused(why: str) -> Transient:
    """The answer where work cannot be stored at this moment."""
    return Transient(
        f"The work could not be stored: {why}.",
        retry_after_ms=5000,
        next="Nothing was changed. Free disk space or ask the person who runs the server, then send it again.",
    )


class Draft:
    """A file that grows aside until it is whole. Raises Transient where the disk refuses."""

    def __init__(self) -> None:
        self.path = drafts() / f"{os.getpid()}.{secrets.token_hex(8)}"
        with storing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = self.path.open("xb")

    def write(self, packed: bytes) -> None:
        """Add bytes."""
        with storing():
            self._handle.write(packed)

    def finish(self) -> Path:
        """Make what was written durable, and return where it is."""
        with storing():
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()
        return self.path

    def discard(self) -> None:
        """Remove the file, unless a store has taken it."""
        with suppress(OSError):  # what a full disk did not take is not wanted any more
            self._handle.close()
        with suppress(OSError):  # the sweep removes what cannot be removed now
            self.path.unlink()


class LocalStore:
    """Files in a folder, two levels below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, draft: Path, sha256: str) -> str:
        """Rename the draft to its place, and make that durable."""
        name = new_name(sha256)
        with storing():
            _move(draft, self._folder / place_of(name))
        return name

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Readable]:
        """Open the file."""
        with _reading(), (self._folder / place_of(name)).open("rb") as handle:
            handle.seek(start)
            yield handle

    def stored(self) -> Iterator[Stored]:
        """Yield the files whose names are ours."""
        return _files(self._folder.glob("??/??/*"), NAME)

    def remove(self, name: str) -> None:
        """Remove the file."""
        with storing():
            (self._folder / place_of(name)).unlink(missing_ok=True)

    def put_aside(self, name: str) -> None:
        """Move the file to the folder `damaged`."""
        with storing(), suppress(FileNotFoundError):
            _move(self._folder / place_of(name), self._folder / "damaged" / name)


def drafts_left() -> Iterator[Stored]:
    """Yield what is being written, or was when its process died."""
    return _files(drafts().glob("*"), _DRAFT)


def remove_draft(name: str) -> None:
    """Remove a draft that nobody writes any more."""
    with storing():
        (drafts() / name).unlink(missing_ok=True)


def _files(paths: Iterable[Path], pattern: re.Pattern[str]) -> Iterator[Stored]:
    for path in paths:
        with suppress(FileNotFoundError):  # it was removed meanwhile
            if pattern.fullmatch(path.name):
                about = path.stat()
                yield Stored(path.name, about.st_size, about.st_mtime)


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    sync_folder(target.parent)
