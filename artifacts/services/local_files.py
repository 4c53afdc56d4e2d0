"""Content from a file in a project's folder on this machine, and to one, for an assistant that was started there.

Paths are relative to that folder, and no link is followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path
from unicodedata import normalize

from django.conf import settings

from artifacts import storage
from artifacts.export.filenames import safe_path
from artifacts.export.safe_writer import Root, mark_of
from artifacts.models import ArtifactVersion, Upload
from artifacts.paths import normalised
from artifacts.services.commit import Arrived
from artifacts.services.export import os_failure, require_outside_home
from artifacts.services.mirror import PLACE
from artifacts.services.upload import require_may_store, too_large
from artifacts.storage import staging
from artifacts.truncation import MEASURED_BYTES, warnings_of
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import Conflict, NotFound, invalid
from orchestrator_site.kernel.folders import Folder, InTheWay, entered, read_within
from tasks.identity.actor import Actor

_CHUNK = 1024 * 1024


def prepare_file(
    upload: Upload, *, folder: Path, path: str, actor: Actor, lease_number: int | None = None
) -> tuple[Arrived, list[str]]:
    """Read a file for an upload that is not saved yet, and make its bytes ready to be stored; also return warnings.

    Call it outside any transaction. Raises Conflict where the actor may not deliver for the task, or the file changes
    while it is read or is not what was announced; Invalid for another path, what is no plain file and an empty one;
    NotFound, TooLarge, Transient where the disk refuses.
    """
    require_may_store(upload.task, actor, lease_number)
    with _opened(folder, path) as handle, storage.Writer() as writer:
        upload.received = _read(handle, writer, path)
        _require_announced(upload, path, writer.sha256)
        return Arrived(upload, writer.finish()), _warnings(handle, upload)


def export_file(version: ArtifactVersion, *, folder: Path, path: str, overwrite: bool = False) -> bool:
    """Write a whole version to a file, and return whether it had to be: the same bytes are left alone.

    What can be read again is replaced: a file that holds a version of the project. Anything else only to `overwrite`.

    Raises Conflict where something else is there, Invalid for another path and what cannot be written, Damaged,
    Transient where the disk is full.
    """
    if safe_path(path, PLACE[:1]) != path:
        raise invalid([{"at": "path", "problem": "not a name that an export writes: .git, HEAD and .task_orchestrator "
                        "are left alone, and so is what some system cannot hold"}])  # fmt: skip
    with _refusals(path), Root.at(folder, *_folders(folder, path)) as root:
        name = path.rpartition("/")[2]
        seen = root.look(name)
        if seen.sha256 == version.content.sha256:
            return False
        ours = ArtifactVersion.objects.filter(artifact__project=version.artifact.project_id)
        if seen.sha256 and not overwrite and not ours.filter(content__sha256=seen.sha256).exists():
            raise Conflict(
                f"{path} is there already, and holds no version of this project.",
                next="Name another path, or overwrite it with overwrite=true.",
            )
        root.write(name, storage.chunks(version.content), over=seen)
        return True


@contextmanager
def _opened(folder: Path, path: str) -> Iterator[FileIO]:
    name = path.rpartition("/")[2]
    with (
        _refusals(path),
        closing(Folder.at(folder)) as top,
        entered(top, _folders(folder, path)) as inner,
        inner.open(name, name) as handle,
    ):
        yield handle


def _folders(folder: Path, path: str) -> list[str]:
    """Return the folders in a path that stays in the folder, and outside of our own. Raises Invalid."""
    try:
        is_inside = normalised(path) == normalize("NFC", path)
    except ValueError:
        is_inside = False
    if not is_inside:
        raise invalid([{"at": "path", "problem": "must be relative to the project's folder, such as dist/report.pdf"}])
    require_outside_home(folder, folder / path)
    return path.split("/")[:-1]


def _read(handle: FileIO, writer: storage.Writer, path: str) -> int:
    """Write all of a file, and return its size. Raises Conflict where it changes while it is read."""
    before = os.fstat(handle.fileno())
    if not before.st_size:
        raise invalid([{"at": "path", "problem": f"{path} is empty"}])
    if before.st_size > settings.ORCHESTRATOR_MAX_UPLOAD_BYTES:
        raise too_large(before.st_size)
    staging.require_room(before.st_size)
    left = before.st_size + 1  # one more, to see whether it grows
    while chunk := handle.read(min(left, _CHUNK)):
        left -= len(chunk)
        writer.write(chunk)
    if left != 1 or mark_of(os.fstat(handle.fileno())) != mark_of(before):
        raise Conflict(
            f"{path} changed while it was read.", next=f"{unchanged()} Send it again once it is whole.".lstrip()
        )
    return before.st_size


@contextmanager
def _refusals(path: str) -> Iterator[None]:
    """Turn what the folder refuses into errors for the caller."""
    try:
        yield
    except InTheWay as error:
        raise Conflict(
            f"{path}: {error.what} is in the way.", next="Name a plain file that no link leads to."
        ) from error
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not in the project's folder.", next="Check the path.") from error
    except OSError as error:
        raise os_failure(error, path) from error


def _require_announced(upload: Upload, path: str, sha256: str) -> None:
    if upload.expected_size not in (None, upload.received) or upload.expected_sha256 not in ("", sha256):
        raise Conflict(
            f"{path} is not what was announced: it has {upload.received:,} bytes and the sha256 {sha256}.",
            next=f"{unchanged()} Check the file.".lstrip(),
            details={"size": upload.received, "sha256": sha256},
        )


def _warnings(handle: FileIO, upload: Upload) -> list[str]:
    if upload.received > MEASURED_BYTES:
        return []
    handle.seek(0)
    try:
        return warnings_of(read_within(handle, MEASURED_BYTES).decode(), kind=upload.kind, paths=upload.paths)
    except UnicodeDecodeError:
        return []
