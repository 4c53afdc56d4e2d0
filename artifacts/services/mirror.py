"""Mirror: keep what a project delivered as plain files in its own folder, and lose nothing that people put there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from artifacts.export import manifest
from artifacts.export.contents import works_in
from artifacts.export.filenames import Placed, laid_out, marked
from artifacts.export.manifest import Manifest, NotOurs, facts_of
from artifacts.export.safe_writer import NOTHING, InTheWay, Root
from artifacts.services.export import Report, is_ours, moment_of, problem_of, refused, require_apart, write
from artifacts.storage import Damaged, Unreadable
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError
from tasks.models import Project

logger = logging.getLogger(__name__)

PLACE = (".task_orchestrator", "artifacts")
PATIENCE_SECONDS = 5.0
_ABOUT, _IGNORED = "ARTIFACTS.md", ".gitignore"
_ABOUT_TEXT = b"""# Delivered work

The files in this folder are copies of the work that was delivered for this project, each at its path. The originals
are in the orchestrator's store, with all versions; `artifacts.json` tells which file is which version of which work.

What you change here is not read back. A file that you changed is kept beside the delivered one as `name~changed-...`.
"""
_TAKEN = (manifest.NAME, _ABOUT, _IGNORED)


def mirror_now(project_id: int) -> None:
    """Bring the mirror of a project up to date, if it has one. What goes wrong is logged, and mended by the job."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None or not project.settings.get("mirror"):
        return
    try:
        report = mirror(project=project)
    except OrchestratorError as error:
        logger.warning("The mirror of project %s was not written: %s", project.slug, error.message)
        return
    for problem in report.problems:
        logger.warning("The mirror of project %s lacks a file: %s", project.slug, problem)


def mirror_all() -> str:
    """Look through all mirrors and mend what is not as it should be; returns what was done, in one sentence."""
    done, problems = Report(), []
    projects = Project.objects.filter(settings__mirror=True)
    for project in projects:
        try:
            report = mirror(project=project, look_at_all=True)
        except OrchestratorError as error:
            report = Report(problems=[error.message.rstrip(".")])
        done += report
        problems += [f"{project.slug}: {problem}" for problem in report.problems[:3]]
    told = f"Wrote {done.written} and removed {done.removed} files of {len(projects)} mirrors."
    if not done.problems:
        return told
    logger.warning("Mirrors lack %d files: %s", len(done.problems), "; ".join(problems))
    return f"{told} {len(done.problems)} could not be written: {'; '.join(problems)[:500]}."


def mirror(*, project: Project, look_at_all: bool = False) -> Report:
    """Make the mirror what the project has now. Only what the manifest says we wrote, and nobody changed, is replaced.

    Without `look_at_all`, files that the manifest tells to be right are not looked at. Raises Conflict where a link
    or a file is in the way of the folder, Invalid where there is no folder, Transient where the disk is full or
    somebody else holds the mirror for long.
    """
    if not project.root_path:
        raise Invalid("The project has no folder.", next="Switch its mirror off, or export its work.")
    top = Path(project.root_path)
    where = "/".join(PLACE)
    try:
        require_apart(top.joinpath(*PLACE), top.joinpath(*PLACE))
        with Root.at(top, *PLACE) as root, root.locked(PATIENCE_SECONDS):
            return _brought_up(root, project, look_at_all)
    except InTheWay as error:
        raise Conflict(f"{where}: {error}.", next="Move it away; the mirror is a folder, never a link.") from error
    except OSError as error:
        raise refused(error, where) from error


def _brought_up(root: Root, project: Project, look_at_all: bool) -> Report:
    known = _known(root, project)
    before = dict(known.files)
    placed = laid_out(works_in(project), taken=_TAKEN)
    report = Report()
    _remove_gone(root, placed, known, report)
    for each in placed:
        _bring(root, each, known, report, look_at_all)
    if known.files != before or not root.is_there(manifest.NAME):
        known.write(root)
    return report


def _known(root: Root, project: Project) -> Manifest:
    """Read the manifest; what is none is kept beside. A new mirror is told of, and kept out of the user's Git."""
    if not root.is_there(manifest.NAME):
        for name, text in ((_ABOUT, _ABOUT_TEXT), (_IGNORED, b"*\n")):
            if not root.is_there(name):
                root.write(name, [text])
    try:
        return Manifest.read(root, project)
    except NotOurs:
        _keep_beside(root, manifest.NAME)
        return Manifest(project, {})


def _remove_gone(root: Root, placed: Iterable[Placed], known: Manifest, report: Report) -> None:
    """Remove files of works that are gone or lie elsewhere now, unless somebody changed them."""
    for file in sorted(set(known.files) - {each.file for each in placed}):
        try:
            seen = root.look(file)
            if seen.sha256 == known.sha256(file):
                root.remove(file, seen)
                report.removed += 1
        except InTheWay:
            pass  # it is not ours any more
        except OSError as error:
            report.problems.append(f"{file}: it could not be removed: {error.strerror}")
            continue
        del known.files[file]


def _bring(root: Root, placed: Placed, known: Manifest, report: Report, look_at_all: bool) -> None:
    """Make one file what it should be."""
    work, file = placed.work, placed.file
    is_told = known.files.get(file) == facts_of(placed)
    try:
        if is_told and (not look_at_all or root.is_as(file, work.size_bytes, moment_of(work))):
            report.unchanged += 1
            return
        seen = root.look(file)
        if seen.sha256 == work.sha256:
            root.set_time(file, moment_of(work))
            report.unchanged += 1
        else:
            if seen.sha256 is not None and not is_ours(known, file, seen.sha256):
                _keep_beside(root, file)
                seen = NOTHING
            write(root, placed, seen)
            report.written += 1
        known.note(placed)
    except (InTheWay, Damaged, Unreadable, OSError) as error:
        report.problems.append(problem_of(error, placed))


def _keep_beside(root: Root, file: str) -> None:
    """Give what somebody changed another name, by its bytes, which nothing else has."""
    folder, slash, name = file.rpartition("/")
    sha256, number = root.sha256(file) or "", 1
    beside = folder + slash + marked(name, f"~changed-{sha256[:12]}")
    while root.is_there(beside) and root.sha256(beside) != sha256:
        number += 1
        beside = folder + slash + marked(name, f"~changed-{sha256[:12]}-{number}")
    root.rename(file, beside)
