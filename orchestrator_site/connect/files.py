"""Read a configuration file and replace it atomically, with a dated backup beside it; create a specialists file."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator_site.connect.diffs import masked
from orchestrator_site.kernel.errors import Conflict, Invalid, TooLarge
from orchestrator_site.kernel.files import sync_folder
from orchestrator_site.kernel.folders import Folder, InTheWay, entered, opened_file, read_within
from tasks.roles import ROLES_FOLDER

ROLES_FILE = ROLES_FOLDER / "project_roles.yaml"
SIZE_LIMIT = 32 * 1024 * 1024
_PRIVATE = 0o600
# Without O_BINARY, Windows would convert line ends.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read. `path` is what the client opens; `target` differs from it if that is a link.

    `content` is None if the file does not exist. `within` is the project's folder, which no link may leave.
    """

    path: Path
    target: Path
    content: bytes | None = None
    mode: int = _PRIVATE
    owner: tuple[int, int] | None = None
    within: Path | None = None

    @property
    def text(self) -> str:
        """Raises Invalid if the content is not UTF-8."""
        try:
            return (self.content or b"").decode("utf-8")
        except UnicodeDecodeError as error:
            raise Invalid(f"{self.path} is not UTF-8 (byte {error.start + 1}).") from error


def read(path: Path, *, within: Path | None = None) -> Snapshot:
    """Read a file, which may be missing or a link.

    Raises Invalid if it is unreadable, not a file, or leads out of the folder that it should be in, and TooLarge.
    """
    target = Path(os.path.realpath(path))
    if any(map(os.path.islink, (target, *target.parents))):  # only one that leads to itself is left; never raises
        raise Invalid(f"{path} leads to itself: a link is in the way.", next="Replace it by a file or folder.")
    if within is not None and not target.is_relative_to(os.path.realpath(within)):
        what = f"{path} leads out of the project, to {target}."
        raise Invalid(what, next="Replace the link by a file or folder of the project.")
    try:
        with opened_file(target) as handle:
            found = os.fstat(handle.fileno())
            content = read_within(handle, SIZE_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return Snapshot(path, target, within=within)
    except InTheWay as error:
        raise Invalid(f"{path} is not a file: {error.what} is in the way.", next="Move it away.") from error
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise Invalid(what, next="Check its permissions, then try again.") from error
    if len(content) > SIZE_LIMIT:
        raise TooLarge(f"{path} is larger than {SIZE_LIMIT // 1024**2} MB, the limit for a configuration file.")
    return Snapshot(path, target, content, stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid), within)


def write(before: Snapshot, text: str, *, is_private: bool) -> Path | None:
    """Replace the content and return the backup, or None if there was no file.

    Links and file modes are kept, but group and others lose access to a private file, and to a backup with a secret.
    Raises Conflict if the file has changed since it was read, Invalid if it cannot be written.
    """
    try:
        before.target.parent.mkdir(parents=True, exist_ok=True)
        draft = before.target.with_name(f".{before.target.name}.{secrets.token_hex(6)}")
        mode = before.mode & (stat.S_IRWXU if is_private else 0o7777)
        _put(draft, text.encode(), mode, before.owner)
        try:
            now = read(before.path, within=before.within)
            if now.content != before.content or now.target != before.target:
                raise Conflict(
                    f"{before.path} was changed by another program, and not by this command.",
                    next="Run the command again; if it happens again, close the assistant first.",
                )
            backup = _back_up(before, is_private=is_private)
            draft.replace(before.target)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(before.target.parent)
    except OSError as error:
        raise Invalid(
            f"{before.path} cannot be written: {error.strerror or error}.",
            next="Check its permissions and the free disk space, then try again.",
        ) from error
    return backup


def create_roles_file(project: Path) -> Path | None:
    """Create a commented-out specialists file that a project can start from.

    Return its path, or None if it exists. Raises Invalid if it cannot be written, or a link is in the way.
    """
    path, *folders, name = project / ROLES_FILE, *ROLES_FILE.parts
    content = Path(__file__).with_name("project_roles.yaml").read_bytes()
    try:
        with (
            closing(Folder.at(project)) as top,
            entered(top, folders, make=True) as folder,
            folder.open(name, str(ROLES_FILE), os.O_RDWR | os.O_CREAT | os.O_EXCL) as file,
        ):
            file.write(content)
    except FileExistsError:
        return None
    except (InTheWay, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.what} is in the way"
        raise Invalid(f"{path} cannot be written: {why}.", next="Check the folder and its permissions.") from error
    return path


def _put(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Create a file, private until it is complete; nothing is left of it if the disk is full."""
    descriptor = os.open(path, _NEW_FILE, _PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if owner is not None and hasattr(os, "geteuid") and os.geteuid() == 0:
            os.chown(path, *owner)  # root must not take over another user's file
        path.chmod(mode)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _back_up(before: Snapshot, *, is_private: bool) -> Path | None:
    """Save the old content beside the path the client opens, with the same mode, or private if it holds a secret."""
    if before.content is None:
        return None
    name = f"{before.path.name}.backup-{datetime.now():%Y%m%d-%H%M%S}"
    path = before.path.with_name(name)
    if path.exists():
        path = before.path.with_name(f"{name}-{secrets.token_hex(2)}")
    has_secret = is_private or masked(before.text) != before.text
    _put(path, before.content, before.mode & (stat.S_IRWXU if has_secret else 0o7777), before.owner)
    return path
