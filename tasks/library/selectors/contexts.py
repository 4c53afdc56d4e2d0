"""Contexts: those that fit a task, those of a project, and whether it has any at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from orchestrator_site.kernel.alike import words_of
from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import NotFound
from tasks.library.choices import ContextState
from tasks.library.contexts import reading
from tasks.library.contexts.choosing import About, Entry, choose
from tasks.library.models import Context, ContextUse
from tasks.models import Project, Task

REMEMBERED_SECONDS = 5
CANDIDATES = 200
"""The newest contexts for one specialist that are looked at."""
_PROJECTS_REMEMBERED = 1_000

_any_of = Compiled(lambda project: _visible_in(project).filter(state=ContextState.ACTIVE).values_list("pk")[:1])
_for_specialist = Compiled(
    lambda project, specialist: (
        _visible_in(project)
        .filter(Q(specialist="") | Q(specialist=specialist), state=ContextState.ACTIVE)
        .order_by("-id")[:CANDIDATES]
    )
)
_has_any: dict[tuple[int, datetime], tuple[float, bool]] = {}
"""By project, until when it is trusted: most projects have no contexts, and each claim and delivery asks."""


def _visible_in(project: Project | int) -> QuerySet[Context]:
    return Context.objects.filter(Q(project=project) | Q(project__isnull=True))


def has_contexts(project: Project) -> bool:
    """Say whether a project has contexts. What another process has changed counts after a few seconds."""
    key = project.pk, project.created_at
    until, answer = _has_any.get(key, (0.0, False))
    if monotonic() >= until:
        answer = bool(reading.specialists_in(project.root_path)) or bool(_any_of(project=project.pk))
        if len(_has_any) >= _PROJECTS_REMEMBERED:
            _has_any.clear()
        _has_any[key] = monotonic() + REMEMBERED_SECONDS, answer
    return answer


def forget(project: Project) -> None:
    """Ask again next time."""
    _has_any.pop((project.pk, project.created_at), None)


def contexts_for(task: Task) -> list[Entry]:
    """Return the contexts that fit a task, the best first."""
    if not has_contexts(task.project):
        return []
    about = About(task.specialist, words_of(f"{task.title} {task.description}"), tuple(task.paths))
    return choose(entries(task.project, task.specialist), about, timezone.now())


def entries(project: Project, specialist: str) -> list[Entry]:
    """Return the active contexts that one specialist may get, expired ones too: of files first, then the newest."""
    files, _ = reading.read(project.root_path, ("", specialist))
    return files + [as_entry(row) for row in _for_specialist(project=project.pk, specialist=specialist)]


def all_entries(project: Project, specialist: str | None = None) -> list[Entry]:
    """Return the active contexts of a project: all, or those that one specialist may get."""
    if specialist is not None:
        return entries(project, specialist)
    rows = _visible_in(project).filter(state=ContextState.ACTIVE).order_by("-id")[:CANDIDATES]
    return [each.entry for each in files_of(project).contexts] + [as_entry(row) for row in rows]


def rivals(project: Project, context: Context, files: Iterable[Entry], besides: Collection[int]) -> list[Entry]:
    """Return what the specialists that get a context may get already, to compare it; for a draft, drafts as well."""
    rows = _visible_in(project).filter(state__in={ContextState.ACTIVE, ContextState(context.state)})
    if context.specialist:
        files = [each for each in files if each.specialist in ("", context.specialist)]
        rows = rows.filter(specialist__in=("", context.specialist))
    return [*files, *(as_entry(row) for row in rows.exclude(pk__in=[pk for pk in besides if pk]))]


def as_entry(row: Context) -> Entry:
    return Entry(
        key=row.public_id,
        name=row.name,
        specialist=row.specialist,
        text=row.text,
        paths=tuple(row.paths),
        words=tuple(row.words),
        sources=tuple(row.sources),
        expires_at=row.expires_at,
        is_disputed=row.is_disputed,
    )


def context_by_id(project: Project, public_id: str) -> Context:
    """Return a context that a project sees. Raises NotFound."""
    if found := _visible_in(project).filter(public_id=public_id).first():
        return found
    raise NotFound(f"There is no context {public_id[:80]!r} in project {project.slug}.", next="List them.")


def entry_by_key(project: Project, key: str) -> Entry:
    """Return a context by its id, or by the path of its file. Raises NotFound."""
    for each in files_of(project).contexts:
        if each.entry.key == key:
            return each.entry
    return as_entry(context_by_id(project, key))


def contexts_of(project: Project) -> QuerySet[Context]:
    """Return the contexts that a project has, and those of the site."""
    return _visible_in(project).select_related("project")


@dataclass(frozen=True, slots=True)
class FromFile:
    """A context of a file with how often briefs had it, and deliveries named it."""

    entry: Entry
    used: int = 0
    unused: int = 0

    @property
    def briefs(self) -> int:
        return self.used + self.unused


@dataclass(frozen=True, slots=True)
class Files:
    """What the files of a project hold, and what is wrong with some."""

    contexts: list[FromFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_files(project: Project) -> tuple[list[Entry], list[str]]:
    """Return the contexts that a project's files hold, and what is wrong with others. It may take long."""
    return reading.read(project.root_path, reading.specialists_in(project.root_path))


def files_of(project: Project) -> Files:
    found, problems = read_files(project)
    uses = _uses(project, [entry.key for entry in found]) if found else {}
    return Files([FromFile(entry, *uses.get(entry.key, (0, 0))) for entry in found], problems)


def _uses(project: Project, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    rows = ContextUse.objects.filter(task__project=project, context__in=list(keys)).order_by().values_list("context")
    used, unused = Count("pk", filter=Q(is_used=True)), Count("pk", filter=Q(is_used=False))
    return {key: (named, not_named) for key, named, not_named in rows.annotate(used=used, unused=unused)}
