"""Export: write delivered work as plain files, each in its project's folder and at its logical path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from artifacts.export import manifest
from artifacts.export.contents import chunks_of
from artifacts.export.filenames import Placed, Work, laid_out, safe_name
from artifacts.export.manifest import Manifest, NotOurs
from artifacts.export.safe_writer import InTheWay, Root, Seen
from artifacts.models import ArtifactVersion
from artifacts.storage import Damaged, Unreadable
from orchestrator_site.kernel.errors import Conflict, Invalid, Transient
from tasks.models import Project

PATIENCE_SECONDS = 10.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """What was written, what was as it should be already, and what was left out, with the reason for each."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)

    def __add__(self, other: Report) -> Report:
        """Return what both did."""
        return Report(
            self.written + other.written,
            self.unchanged + other.unchanged,
            self.removed + other.removed,
            self.problems + other.problems,
        )


def export(*, project: Project, works: Iterable[Work], folder: Path) -> Report:
    """Write works to `<folder>/<slug>/`. A file that is as it should be is left; one that is not ours is never touched.

    Raises Invalid for a folder that cannot be, Conflict where another `artifacts.json` or a link is in the way,
    Transient where the disk is full or somebody else exports there.
    """
    name = safe_name(project.slug, "~project")
    try:
        require_apart(folder, folder / name)
        folder.mkdir(parents=True, exist_ok=True)
        with Root.at(folder.resolve(), name) as root, root.locked(PATIENCE_SECONDS):
            known = Manifest.read(root, project)
            report = _write_all(root, laid_out(works, taken=[manifest.NAME]), known)
            known.write(root)
            return report
    except NotOurs as error:
        raise Conflict(
            f"{folder / name / manifest.NAME} is in the way and was not written by an export.",
            next="Move it away, or export to another folder.",
        ) from error
    except InTheWay as error:
        raise Conflict(f"{folder / name}: {error}.", next="Export to another folder.") from error
    except OSError as error:
        raise _left_out(error, folder, name) from error


def _left_out(error: OSError, folder: Path, name: str) -> Transient | Invalid | Conflict:
    """Say what the system refused: all of a folder, or one project's in it, which stands in the way of no other."""
    found = refused(error, str(folder))
    if isinstance(found, Transient) or not folder.is_dir():
        return found
    return Conflict(f"{folder / name}: {error.strerror}.", next="Mend that, or export to another folder.")


def _write_all(root: Root, placed: Iterable[Placed], known: Manifest) -> Report:
    """Write files, each where it is not as it should be, and note them. Raises OSError where the disk is full."""
    report = Report()
    for each in placed:
        try:
            seen = root.look(each.file)
            if seen.sha256 == each.work.sha256:
                report.unchanged += 1
            elif seen.sha256 is None or is_ours(known, each.file, seen.sha256):
                write(root, each, seen)
                report.written += 1
            else:
                raise InTheWay(each.file, "a file that was not exported, or was changed since,")
            known.note(each)
        except (InTheWay, Damaged, Unreadable, OSError) as error:
            report.problems.append(problem_of(error, each))
    return report


def write(root: Root, placed: Placed, over: Seen) -> None:
    """Write one file over what was seen there; its bytes are proven meanwhile. Raises Damaged, InTheWay, OSError."""
    root.write(placed.file, chunks_of(placed.work), moment_of(placed.work), over=over)


def moment_of(work: Work) -> int:
    """Return when a work was delivered as its file tells it, in nanoseconds since the epoch."""
    since = work.delivered_at - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def is_ours(known: Manifest, file: str, sha256: str) -> bool:
    """Whether these bytes may be replaced: we wrote them there, or the project's store has them as well."""
    if known.sha256(file) == sha256:
        return True
    return ArtifactVersion.objects.filter(artifact__project=known.project, content__sha256=sha256).exists()


def problem_of(error: InTheWay | Damaged | Unreadable | OSError, placed: Placed) -> str:
    """Say why a file was left out. Raises the error itself where the disk is full, as then nothing else goes on."""
    if isinstance(error, OSError):
        if error.errno in _FULL:
            raise error
        return f"{placed.file}: {error.strerror}"
    if isinstance(error, Damaged):
        return (
            f"{placed.file}: {placed.work.artifact_id} version {placed.work.number} is damaged or missing in the store"
        )
    if isinstance(error, Unreadable):
        return f"{placed.file}: {error.message}"
    return str(error)


def require_apart(folder: Path, target: Path) -> None:
    """Refuse a folder that lies in the product's own, or holds it.

    Raises Invalid, and OSError for links that go meanwhile.
    """
    # Not Path.resolve: links that lead to each other make it raise RuntimeError.
    home, *places = (Path(os.path.realpath(each)) for each in (settings.ORCHESTRATOR_HOME, folder, target))
    if any(home in (each, *each.parents) for each in places) or places[-1] in home.parents:
        raise Invalid(f"{folder} belongs to the product's own data folder.", next="Name a folder outside of it.")


def refused(error: OSError, where: str) -> Transient | Invalid:
    """Say what the system refused: a full disk passes, the rest has to be mended first."""
    if error.errno in _FULL:
        return Transient(
            f"{where}: the disk is full.", retry_after_ms=60_000, next="Free space, then do it again: it goes on."
        )
    return Invalid(f"{where}: {error.strerror}.", next="Name a folder that can be written to.")
