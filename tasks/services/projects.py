"""Find the project of a connection, and create it on the first visit.

A project is its repository, not a path. It is known by its folders, and by a mark that a local assistant left in the
first of them (docs/architecture.md says why): by that it is found after the folder was renamed or moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils.text import slugify

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Hint, Invalid, NotFound
from orchestrator_site.kernel.identity import Principal, Scope
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project, ProjectPath
from tasks.repositories import Mark, Place, is_unfit, leave_mark, mark_in, new_mark, place_of, repository_of

OWN_VARIABLE = "ORCHESTRATOR_PROJECT_DIR"
CLIENT_VARIABLES = ("CLAUDE_PROJECT_DIR", "VSCODE_CWD", "CURSOR_CWD", "WINDSURF_CWD")
PATH_BYTES = 4096
"""Bytes of the longest path, as on Linux."""
_SLUG_TRIES = 1000
_OWNER = Principal("owner")


def find_folder(*, explicit: str | None, environ: Mapping[str, str], working_directory: str) -> Path:
    """Return the folder that a project is found by: from the argument, our variable, the clients' variables, or the
    working directory; but not this product's own folder by accident.

    Raises Invalid where a named folder does not exist, the one found is too wide for a project, or there is none.
    """
    if explicit is not None:
        return _fit(_named(explicit, "project_dir"), "project_dir")
    if environ.get(OWN_VARIABLE):
        return _fit(_named(environ[OWN_VARIABLE], OWN_VARIABLE), OWN_VARIABLE)
    for name in CLIENT_VARIABLES:
        if (found := folder(environ.get(name, ""))) and _is_fit(found):
            return found
    here = folder(working_directory)
    if here and not here.is_relative_to(settings.BASE_DIR):
        return _fit(here, "The working directory")
    raise Invalid("Cannot determine the project's folder from this connection.", hint=Hint.NAME_PROJECT)


def find_root(*, explicit: str | None, environ: Mapping[str, str], working_directory: str) -> Path:
    """Return the root of the repository of the folder that `find_folder` finds."""
    return place_of(find_folder(explicit=explicit, environ=environ, working_directory=working_directory)).root


def project_at(root: Path, principal: Principal = _OWNER) -> Project:
    """Return the project of a folder, which is made where there is none. Raises Forbidden for who may make none."""
    place = place_of(root)
    name = place.root.name.removesuffix(".git") or "root"
    slug = slugify(name)[:70] or "project"
    for number in range(1, _SLUG_TRIES):
        if found := _known(place, principal):
            return found
        principal.require(Scope.WRITE)
        if found := _under_another_path(place):
            return found
        if made := _made(str(place.root), slug if number == 1 else f"{slug}-{number}", name[:200]):
            return _marked(made, place.root, principal)
    raise Invalid("Too many projects share this folder's name.", next="Rename the folder.")


def known_at(root: Path) -> Project | None:
    """Return the project of a folder and change nothing; None where there is none."""
    owners = list(_owners({each: mark_in(each) for each in place_of(root).folders}).values())
    return next((project for project in owners if not _is_unused(project)), None)


@contextmanager
def taking_folders() -> Iterator[None]:
    """Open a transaction in which no other takes a folder for a project.

    A folder is in one of two tables, so no constraint keeps it from being in both. Whoever writes either looks at both
    first, in here. SQLite's transactions take turns anyway; on PostgreSQL this one waits for the table of further ones.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {ProjectPath._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        yield


def bound_project(project_id: int, project_dir: str) -> Project:
    """Return the project that a token is bound to, if the folder is that project's.

    Raises NotFound, which is the same for every other folder, also for one that does not exist.
    """
    project = Project.objects.get(pk=project_id)
    with suppress(Invalid):
        found = _known(place_of(_named(project_dir, "project_dir")), Principal("bound", frozenset({Scope.READ})))
        if found == project:
            return project
    raise NotFound(
        f"project_dir: this access token is for the project {project.slug!r}, which has another folder.",
        next="Omit project_dir.",
    )


def folder_of(project: Project, *, environ: Mapping[str, str], working_directory: str) -> Path:
    """Return the folder in which a local assistant works on a project: the worktree or clone that it was started in,
    else the project's first.

    Raises Invalid where the project has none on this machine.
    """
    with suppress(Invalid):
        place = place_of(find_folder(explicit=None, environ=environ, working_directory=working_directory))
        if _known(place, Principal("reader", frozenset({Scope.READ}))) == project:
            known = {project.root_path, *project.paths.values_list("path", flat=True)}
            return next((each for each in place.inside if str(each) in known), place.inside[-1])
    if folder(project.root_path) is None:
        raise Invalid(f"The project {project.slug!r} has no folder on this machine.", hint=Hint.NAME_PROJECT)
    return Path(project.root_path)


def folder(path: str) -> Path | None:
    """Return the folder of an absolute path, resolved; None where there is none."""
    if not _is_path(path):
        return None
    try:
        found = Path(os.path.realpath(path))
        return found if found.is_dir() else None
    except (OSError, ValueError):
        return None  # a name that is too long for the file system, or not of its encoding


def _is_path(text: str) -> bool:
    """Whether a string may be a folder's path; the time to resolve one grows with the square of its length."""
    return "\x00" not in text and len(text.encode(errors="replace")) <= PATH_BYTES and Path(text).is_absolute()


def _named(text: str, source: str) -> Path:
    if not _is_path(text):
        raise Invalid(f"{source}: must be an absolute path of at most {PATH_BYTES:,} bytes.", hint=Hint.NAME_PROJECT)
    if (found := folder(text)) is None:
        raise Invalid(f"{source}: no such folder on the server.", hint=Hint.NAME_PROJECT)
    return found


def _is_fit(found: Path) -> bool:
    """Whether a folder may be a project: one that is already may be as wide as it likes."""
    return not is_unfit(found) or Project.objects.filter(_at([str(found)])).exists()


def _fit(found: Path, source: str) -> Path:
    if _is_fit(found):
        return found
    raise Invalid(
        f"{source}: the home folder, those above it and the system's are too wide for one project: unrelated jobs "
        "would share its board.",
        next="If it is a project, a person gives it to one: manage.py project SLUG --add DIR, or in its settings.",
        hint=Hint.NAME_PROJECT,
    )


def _made(root: str, slug: str, name: str) -> Project | None:
    """Make a project; None where another process has just taken the folder, or another folder has the slug."""
    with suppress(IntegrityError), taking_folders():
        if not Project.objects.filter(_at([root])).exists():
            return Project.objects.create(slug=slug, name=name, root_path=root)
    return None


def _at(paths: list[str]) -> Q:
    return Q(root_path__in=paths) | Q(paths__path__in=paths)


def _known(place: Place, principal: Principal) -> Project | None:
    """Return the project that the nearest folder belongs to; one that was never used yields to the next."""
    marks = {each: mark_in(each) for each in place.folders}
    owners = _owners(marks)
    for number, (each, project) in enumerate(owners.items(), start=1):
        if number == len(owners) or not _is_unused(project):
            mark = marks[each]
            is_marked = mark is not None and mark.id == project.mark
            return _moved(project, each, principal) if is_marked else _marked(project, each, principal)
    return None


def _owners(marks: Mapping[Path, Mark | None]) -> dict[Path, Project]:
    """Return the project of each folder that has one, the nearest folder first."""
    ids = [mark.id for mark in marks.values() if mark]
    paths = [str(each) for each in marks]
    found = list(Project.objects.filter(_at(paths) | Q(mark__in=ids)).distinct().prefetch_related("paths"))
    return {each: owner for each, mark in marks.items() if (owner := _owner(found, each, mark))}


def _owner(found: list[Project], at: Path, mark: Mark | None) -> Project | None:
    """Return the project whose mark a folder has, or that knows its path."""
    for project in found:
        if mark and mark.id == project.mark and _is_same(project, at, mark):
            return project
    for project in found:
        if str(at) in (project.root_path, *(known.path for known in project.paths.all())):
            return project
    return None


def _is_unused(project: Project) -> bool:
    """Whether a project was made by a visit, as of a worktree whose repository was missing, and nothing came of it."""
    set_up = project.events.filter(verb__in=(Verb.CREATE_PROJECT, Verb.EDIT_PROJECT)).exclude(actor_kind="system")
    return not project.tasks.exists() and not set_up.exists()


def _under_another_path(place: Place) -> Project | None:
    """Return the project whose repository this is, under another mount, spelling or tree, and note that path too."""
    for project in Project.objects.exclude(root_path=""):
        there = Path(project.root_path)
        with suppress(OSError):
            if place.repository.samefile(repository_of(there) or there):
                return _noted(project, str(place.repository))
    return None


def _noted(project: Project, path: str) -> Project:
    """Note a further path of a project, and return the project that has it: another may have been faster."""
    with taking_folders():
        owner = Project.objects.filter(_at([path])).first()
        if owner is None:
            ProjectPath.objects.create(project=project, path=path)
    return owner or project


def _is_same(project: Project, at: Path, mark: Mark) -> bool:
    """Whether a folder with a project's mark is its own, rather than a copy: that still has the mark where it was."""
    if not project.root_path or project.root_path == str(at):
        return True
    there = mark_in(Path(project.root_path))
    return there is None or there.id != mark.id or there.file == mark.file


def _moved(project: Project, to: Path, principal: Principal) -> Project:
    """Note where a project lies now, unless it is still where it was, too: then the folder has two paths."""
    if project.root_path == str(to) or not _may_note(principal) or _has_mark(project):
        return project
    with taking_folders():
        project = Project.objects.select_for_update().get(pk=project.pk)
        if project.root_path != str(to):  # another process may have seen it first
            for each in Project.objects.select_for_update().filter(root_path=str(to)):
                _set_root(each, "")  # what lay there before has gone
            ProjectPath.objects.filter(path=str(to)).delete()
            _set_root(project, str(to))
    return project


def _may_note(principal: Principal) -> bool:
    return Scope.WRITE in principal.scopes and not read_only.is_on()


def _set_root(project: Project, path: str) -> None:
    before, project.root_path = project.root_path, path
    project.save(update_fields=["root_path"])
    events.record(
        actor=Actor.system(),
        verb=Verb.EDIT_PROJECT,
        project=project,
        before={"root_path": before},
        after={"root_path": path},
    )


def _has_mark(project: Project) -> bool:
    mark = mark_in(Path(project.root_path)) if project.root_path else None
    return mark is not None and mark.id == project.mark


def _marked(project: Project, at: Path, principal: Principal) -> Project:
    """Remember the mark of a project's folder, or leave it again where it has gone, as after `git clean -fdx`.

    Only a local assistant leaves one: tokens may name any folder.
    """
    if principal.token_id or not _may_note(principal) or project.root_path != str(at):
        return project
    found = mark_in(at)
    if project.mark:
        if found is None:
            leave_mark(at, project.mark)
        return project
    is_ours = found is not None and not Project.objects.filter(mark=found.id).exists()
    project.mark = found.id if found and is_ours else new_mark()
    # Of two processes one has its way. It fails where both have found the same mark in two folders.
    with suppress(IntegrityError), transaction.atomic():
        if Project.objects.filter(pk=project.pk, mark="").update(mark=project.mark) and not is_ours:
            leave_mark(at, project.mark)
    return project
