"""Reads a configuration, and writes it back whole or not at all, with a dated backup next to it."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator_site.kernel.errors import Conflict, Invalid, TooLarge
from orchestrator_site.kernel.files import sync_folder

SIZE_LIMIT = 32 * 1024 * 1024
_PRIVATE = 0o600
# Without O_BINARY, Windows would turn every line end into two characters.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read. `path` is what the client opens, `target` the file itself where that is a link.

    `content` is None where there is no file yet.
    """

    path: Path
    target: Path
    content: bytes | None = None
    mode: int = _PRIVATE
    owner: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The content as text; raises Invalid where it is not UTF-8."""
        try:
            return (self.content or b"").decode("utf-8")
        except UnicodeDecodeError as error:
            raise Invalid(f"{self.path} is not UTF-8 (byte {error.start + 1}).") from error


def read(path: Path) -> Snapshot:
    """Read a file that may be missing or a link to another one.

    Raises Invalid where it is no file or cannot be read, and TooLarge.
    """
    try:
        target = path.resolve()
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Snapshot(path, path.resolve())
    except (OSError, RuntimeError) as error:  # links in a circle are the one or the other, by version of Python
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise Invalid(f"{path} is no file.", next="Look at what is there, and move it away.")
    if found.st_size > SIZE_LIMIT:
        raise TooLarge(f"{path} is larger than {SIZE_LIMIT // 1024**2} MB, which no configuration is.")
    try:
        content = target.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    return Snapshot(path, target, content, stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))


def write(before: Snapshot, text: str, *, is_private: bool) -> Path | None:
    """Put a text in the place of what was read; return the backup, None where there was no file.

    A link stays a link; the mode stays too, but a file that holds a token is for its owner alone. Raises Conflict
    where the file has changed since it was read, and Invalid where it cannot be written.
    """
    try:
        before.target.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(before, text.encode(), is_private=is_private)
        try:
            _want_unchanged(before)
            backup = _back_up(before)
            draft.replace(before.target)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(before.target.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid(
            f"{before.path} cannot be written: {why}.",
            next="See to its rights and the disk, then try again.",
        ) from error
    return backup


def _unreadable(path: Path, error: OSError | RuntimeError) -> Invalid:
    why = error.strerror if isinstance(error, OSError) else "links that lead in a circle"
    return Invalid(f"{path} cannot be read: {why}.", next="See to its rights, then try again.")


def _draft(before: Snapshot, content: bytes, *, is_private: bool) -> Path:
    path = before.target.with_name(f".{before.target.name}.{secrets.token_hex(6)}")
    mode = before.mode & (stat.S_IRWXU if is_private else 0o7777)
    _put(path, content, mode, before.owner)
    return path


def _put(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Make a new file, whole or not at all: a full disk leaves no part of it. Nobody else can read it meanwhile."""
    descriptor = os.open(path, _NEW_FILE, _PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(path, owner)
        path.chmod(mode)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _keep_owner(path: Path, owner: tuple[int, int] | None) -> None:
    """The superuser who works for somebody else must not take the file from them."""
    if owner is not None and hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(path, *owner)


def _want_unchanged(before: Snapshot) -> None:
    now = read(before.path)
    if now.content != before.content or now.target != before.target:
        raise Conflict(
            f"{before.path} was changed by another program meanwhile; nothing was written.",
            next="Run the same command again; close the assistant first if it happens twice.",
        )


def _back_up(before: Snapshot) -> Path | None:
    """Keep what was there beside the path that the client opens, under the same mode: it may hold secrets."""
    if before.content is None:
        return None
    name = f"{before.path.name}.backup-{datetime.now():%Y%m%d-%H%M%S}"
    path = before.path.with_name(name)
    if path.exists():
        path = before.path.with_name(f"{name}-{secrets.token_hex(2)}")
    _put(path, before.content, before.mode, before.owner)
    return path
