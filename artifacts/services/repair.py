"""Restore stored bytes from a mirror, which may hold the same ones as a plain file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from artifacts import storage
from artifacts.models import Content
from artifacts.services.mirror import PLACE
from orchestrator_site.kernel.folders import Folder, InTheWay, entered, opened_file
from tasks.models import Project

_CHUNK = 1024 * 1024


def restore_from_mirror(*, content: Content) -> bool:
    """Store a content again from a file that has its sha256; returns whether there was one.

    Raises Transient where the store refuses.
    """
    return any(_stored_from(path, content) for path in _candidates(content))


def _candidates(content: Content) -> Iterator[Path]:
    """Yield plain files of the same size in the mirrors of the projects that it was delivered for."""
    projects = Project.objects.filter(artifacts__versions__content=content, settings__mirror=True).distinct()
    for project in projects:
        for path in _files_of_mirror(Path(project.root_path)):
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and found.st_size == content.size_bytes:
                    yield path


def _files_of_mirror(root: Path) -> Iterator[Path]:
    with suppress(OSError, InTheWay), closing(Folder.at(root)) as top, entered(top, PLACE) as mirror:
        for folder, _, names in os.walk(mirror.path):
            yield from (Path(folder, name) for name in names)


def _stored_from(path: Path, content: Content) -> bool:
    with suppress(OSError, InTheWay), opened_file(path) as handle:  # it is a user's folder: files come and go
        if hashlib.file_digest(handle, "sha256").hexdigest() != content.sha256:
            return False
        handle.seek(0)
        with storage.Writer() as writer:
            while chunk := handle.read(_CHUNK):
                writer.write(chunk)
            prepared = writer.finish()
        if prepared.sha256 == content.sha256:  # it did not change between the two reads
            storage.insert(prepared)
            return True
    return False
