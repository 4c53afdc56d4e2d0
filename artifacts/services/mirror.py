"""Mirror: keep what a project delivered as plain files in its own folder, and lose nothing that people put there."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from artifacts.export import manifest
from artifacts.export.contents import versions_in
from artifacts.export.filenames import PlacedFile, marked, place_files
from artifacts.export.manifest import Manifest, NotOurs, row_of
from artifacts.export.safe_writer import Root, Seen
from artifacts.services.export import Report, os_failure, require_outside_home, time_ns_of, write_file
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError
from orchestrator_site.kernel.folders import InTheWay
from tasks.models import Project
from tasks.project_settings import setting

logger = logging.getLogger(__name__)

PLACE = (".task_orchestrator", "artifacts")
PATIENCE_SECONDS = 5.0
_ABOUT, _IGNORED = "ARTIFACTS.md", ".gitignore"
_ABOUT_TEXT = b"""# Artifacts

The files in this folder are copies of the artifacts that were delivered for this project, each at its path. The
originals are in the orchestrator's store, with all versions; `artifacts.json` names the version of each file.

What you change here is not read back. A file that you changed is kept next to the delivered one as `name~changed-...`.
"""
_TAKEN = (manifest.NAME, _ABOUT, _IGNORED)


def mirror_now(project_id: int) -> None:
    """Bring the mirror of a project up to date, if it has one. Raises as `mirror` does."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None or not setting(project, "mirror"):
        return
    if problems := mirror(project=project).problems:
        raise Conflict(f"The mirror of project {project.slug} lacks files: {'; '.join(problems)}.")


def mirror_all() -> str:
    """Check all mirrors and repair them; returns a summary in one sentence."""
    done, problems = Report(), []
    projects = Project.objects.filter(settings__mirror=True)
    for project in projects:
        try:
            report = mirror(project=project, look_at_all=True)
        except OrchestratorError as error:
            report = Report(problems=[error.message.rstrip(".")])
        done.add(report)
        problems += [f"{project.slug}: {problem}" for problem in report.problems[:3]]
    summary = f"Wrote {done.written} and removed {done.removed} files of {len(projects)} mirrors."
    if not done.problems:
        return summary
    logger.warning("Mirrors lack %d files: %s", len(done.problems), "; ".join(problems))
    return f"{summary} {len(done.problems)} could not be written: {'; '.join(problems)[:500]}."


def mirror(*, project: Project, look_at_all: bool = False) -> Report:
    """Make the mirror what the project has now, replacing only files that we wrote and that did not change since.

    Without `look_at_all`, files that the manifest says are right are not looked at. Raises Conflict where a link or a
    file is in the way of the folder, Invalid where there is no folder, Transient where the disk is full or another
    process holds the mirror for long.
    """
    if not project.root_path:
        raise Invalid("The project has no folder.", next="Switch its mirror off, or export its artifacts.")
    top = Path(project.root_path)
    where = "/".join(PLACE)
    try:
        require_outside_home(top.joinpath(*PLACE), top.joinpath(*PLACE))
        with Root.at(top, *PLACE) as root, root.locked(PATIENCE_SECONDS):
            return _update(root, project, look_at_all)
    except InTheWay as error:
        raise Conflict(f"{where}: {error}.", next="Move it away; the mirror is a folder, never a link.") from error
    except OSError as error:
        raise os_failure(error, where) from error


def _update(root: Root, project: Project, look_at_all: bool) -> Report:
    known, report = _manifest(root, project), Report()
    before = dict(known.files)
    placed = place_files(versions_in(project), taken=_TAKEN)
    _remove_gone(root, placed, known, report)
    for each in placed:
        if known.files.get(each.file) == row_of(each) and (not look_at_all or _is_unchanged(root, each)):
            report.unchanged += 1
        else:
            write_file(root, each, known, report, when_changed=_keep_beside)
    if known.files != before or root.stat(manifest.NAME) is None:
        known.write(root)
    return report


def _manifest(root: Root, project: Project) -> Manifest:
    """Read the manifest, keeping another file of its name; describe a new mirror, and hide it from the user's Git."""
    if root.stat(manifest.NAME) is None:
        for name, text in ((_ABOUT, _ABOUT_TEXT), (_IGNORED, b"*\n")):
            if root.stat(name) is None:
                root.write(name, [text])
    try:
        return Manifest.read(root, project)
    except NotOurs:
        _keep_beside(root, manifest.NAME)
        return Manifest(project, {})


def _remove_gone(root: Root, placed: list[PlacedFile], known: Manifest, report: Report) -> None:
    """Remove files of versions that are gone or lie elsewhere now, unless they changed."""
    for file in sorted(set(known.files) - {each.file for each in placed}):
        try:
            seen = root.look(file)
            if seen.sha256 == known.sha256(file):
                root.remove(file, seen)
                report.removed += 1
        except InTheWay:
            pass  # it is not ours any more
        except UnicodeEncodeError:
            pass  # this locale never wrote it
        except OSError as error:
            report.problems.append(f"{file}: it could not be removed: {error.strerror}")
            continue
        del known.files[file]


def _is_unchanged(root: Root, placed: PlacedFile) -> bool:
    """Whether a file has the right size and time, which is all that can be seen without reading it."""
    with suppress(InTheWay, OSError, UnicodeEncodeError):
        if found := root.stat(placed.file):
            return (found.st_size, found.st_mtime_ns) == (placed.version.size_bytes, time_ns_of(placed.version))
    return False


def _keep_beside(root: Root, file: str) -> Seen:
    """Rename a file that a person changed, by its bytes."""
    sha256, number = root.look(file).sha256 or "", 1
    beside = marked(file, f"~changed-{sha256[:12]}")
    while root.look(beside).sha256 not in (None, sha256):
        number += 1
        beside = marked(file, f"~changed-{sha256[:12]}-{number}")
    root.rename(file, beside.rpartition("/")[2])
    return Seen()
