"""Export: write delivered versions as plain files, each in its project's folder and at its logical path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from artifacts.export import manifest
from artifacts.export.contents import chunks_of
from artifacts.export.filenames import ExportedVersion, PlacedFile, place_files, safe_name
from artifacts.export.manifest import Manifest, NotOurs
from artifacts.export.safe_writer import Root, Seen
from artifacts.models import ArtifactVersion
from artifacts.storage import Damaged, Unreadable
from orchestrator_site.kernel.errors import Conflict, Invalid, Transient
from orchestrator_site.kernel.folders import InTheWay
from tasks.models import Project

PATIENCE_SECONDS = 10.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """How many files were written, left as they were and removed, and why others were left out."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        self.written += other.written
        self.unchanged += other.unchanged
        self.removed += other.removed
        self.problems += other.problems


def export(*, project: Project, versions: Iterable[ExportedVersion], folder: Path) -> Report:
    """Write versions to `<folder>/<slug>/`. A file that is up to date is left alone, and so is one that is not ours.

    Raises Invalid for an unusable folder, Conflict where another `artifacts.json` or a link is in the way, Transient
    where the disk is full or another process exports there.
    """
    name = safe_name(project.slug, "~project")
    try:
        require_outside_home(folder, folder / name)
        folder.mkdir(parents=True, exist_ok=True)
        with Root.at(folder.resolve(), name) as root, root.locked(PATIENCE_SECONDS):
            known, report = Manifest.read(root, project), Report()
            for placed in place_files(versions, taken=[manifest.NAME]):
                write_file(root, placed, known, report, when_changed=_leave)
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
        failure = os_failure(error, str(folder))
        if isinstance(failure, Transient) or not folder.is_dir():
            raise failure from error
        # Only this project's folder cannot be used; others can.
        raise Conflict(f"{folder / name}: {error.strerror}.", next="Fix that, or export to another folder.") from error


def write_file(
    root: Root, placed: PlacedFile, known: Manifest, report: Report, *, when_changed: Callable[[Root, str], Seen]
) -> None:
    """Bring one file up to date, and note the outcome. Raises OSError where the disk is full.

    `when_changed` is called for a file that is not ours: it frees the name and returns what is there then, or raises.
    """
    version, file = placed.version, placed.file
    try:
        seen = root.look(file)
        if seen.sha256 == version.sha256:
            root.set_time(file, time_ns_of(version))
            report.unchanged += 1
        else:
            # Ours to replace is what we wrote there, and what the project has a version with.
            ours = ArtifactVersion.objects.filter(artifact__project=known.project, content__sha256=seen.sha256)
            if seen.sha256 not in (None, known.sha256(file)) and not ours.exists():
                seen = when_changed(root, file)
            root.write(file, chunks_of(version), time_ns_of(version), over=seen)
            report.written += 1
        known.note(placed)
    except InTheWay as error:
        report.problems.append(str(error))
    except Damaged:
        what = f"{version.artifact_id} version {version.number}"
        report.problems.append(f"{file}: {what} is damaged or missing in the store")
    except Unreadable as error:
        report.problems.append(f"{file}: {error.message}")
    except UnicodeEncodeError:
        report.problems.append(f"{file!a}: the file system of this locale cannot write the name")
    except OSError as error:
        if error.errno in _FULL:
            raise
        report.problems.append(f"{file}: {error.strerror}")


def time_ns_of(version: ExportedVersion) -> int:
    """Return when a version was delivered, in nanoseconds since the epoch."""
    return (version.delivered_at - _EPOCH) // timedelta(microseconds=1) * 1_000


def require_outside_home(folder: Path, target: Path) -> None:
    """Reject a folder that lies in ORCHESTRATOR_HOME, or holds it.

    Raises Invalid, and OSError for links that are removed while they are followed.
    """
    # Not Path.resolve: links that lead to each other make it raise RuntimeError.
    home, *places = (Path(os.path.realpath(each)) for each in (settings.ORCHESTRATOR_HOME, folder, target))
    if any(home in (each, *each.parents) for each in places) or places[-1] in home.parents:
        raise Invalid(f"{folder} belongs to the product's own data folder.", next="Name a folder outside of it.")


def os_failure(error: OSError, where: str) -> Transient | Invalid:
    """Return what the system refused as an error: a full disk may pass, anything else has to be fixed."""
    if error.errno in _FULL:
        return Transient(
            f"{where}: the disk is full.", retry_after_ms=60_000, next="Free space, then run it again: it continues."
        )
    return Invalid(f"{where}: {error.strerror}.", next="Name a folder that can be written to.")


def _leave(root: Root, file: str) -> Seen:
    raise InTheWay(file, "a file that was not exported, or was changed since,")
