"""The local folder: a file for each sha256, written aside, synced and renamed, so that it is there whole or not."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from artifacts.store.seam import IsNeeded, Readable, Stored
from tasks.errors import Transient

_ASIDE = ".aside"
_STORED = re.compile(r"[0-9a-f]{64}")
_OLD_DRAFT = re.compile(r"\.[0-9a-f]{64}\.\d+\.[0-9a-f]{8}")
_DRAFT = re.compile(r"\d+\.[0-9a-f]{16}")


def folder() -> Path:
    """The folder of stored files."""
    return Path(settings.ORCHESTRATOR_HOME) / "content"


def drafts() -> Path:
    """The folder of files that are still being written, whatever store they will go to."""
    return folder() / "drafts"


def path_of(sha256: str) -> Path:
    """The local file of some content; the name is a hash, never a caller's text."""
    return _place(folder(), sha256)


@contextmanager
def storing() -> Iterator[None]:
    """Turn what a disk refuses into Transient."""
    try:
        yield
    except OSError as error:
        raise refused(error.strerror or "the disk refused it") from error


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
        self.path.unlink(missing_ok=True)


class LocalStore:
    """Files in a folder and two levels below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, draft: Path, name: str) -> None:
        """Rename the draft to its place, and make that durable."""
        path = _place(self._folder, name)
        with storing():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(path)
            _sync_folder(path.parent)

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Readable]:
        """Open the file. Whoever reads knows how much belongs to it, so `stop` changes nothing."""
        with _place(self._folder, name).open("rb") as handle:
            handle.seek(start)
            yield handle

    def touch(self, name: str) -> bool:
        """Set the file's time to now."""
        with suppress(FileNotFoundError, PermissionError):  # a file of somebody else is replaced by one of ours
            os.utime(_place(self._folder, name))
            return True
        return False

    def stored(self) -> Iterator[Stored]:
        """Yield the files whose names are hashes."""
        for path in self._folder.glob("??/??/*"):
            with suppress(FileNotFoundError):
                if _STORED.fullmatch(path.name):
                    yield Stored(path.name, path.stat().st_mtime)

    def remove(self, name: str, *, before: float, is_needed: IsNeeded) -> bool:
        """Put the file aside, look again, and only then remove it.

        Whoever found it before it was put aside made it new, and it is put back; whoever comes later writes a new one.
        """
        path = _place(self._folder, name)
        aside = path.with_name(f".{name}{_ASIDE}")
        with suppress(FileNotFoundError, PermissionError):
            path.rename(aside)
            return _settle(aside, path, before, is_needed)
        return False

    def tidy(self, *, before: float, is_needed: IsNeeded) -> int:
        """Settle what killed sweeps put aside, and remove drafts that nobody writes any more."""
        asides = [path for path in self._folder.glob("??/??/.*") if path.name.endswith(_ASIDE)]
        removed = sum(
            _settle(path, path.with_name(path.name[1 : -len(_ASIDE)]), before, is_needed) for path in asides
        )
        left = (path for path in self._folder.glob("??/??/.*") if _OLD_DRAFT.fullmatch(path.name))
        return removed + _remove_old(left, before) + remove_drafts(before)


def remove_drafts(before: float) -> int:
    """Remove drafts that were last written before a time; returns how many."""
    return _remove_old((path for path in drafts().glob("*") if _DRAFT.fullmatch(path.name)), before)


def _remove_old(paths: Iterator[Path], before: float) -> int:
    old = [path for path in paths if _is_older(path, before)]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _settle(aside: Path, path: Path, before: float, is_needed: IsNeeded) -> bool:
    """Remove a file that was put aside, or put it back where it is needed; tells whether it was removed."""
    needed = not _is_older(aside, before) or is_needed(path.name)
    if needed and not path.exists():
        aside.replace(path)
        return False
    aside.unlink(missing_ok=True)
    return not needed


def _is_older(path: Path, before: float) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime < before
    return False


def _place(folder: Path, name: str) -> Path:
    return folder / name[:2] / name[2:4] / name


def _sync_folder(path: Path) -> None:
    """Make a rename outlive a power cut; platforms that cannot open a folder do without."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
