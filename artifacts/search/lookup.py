"""Find projects, specialists and sessions by name, and anything by its full id."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from artifacts.models import Artifact
from tasks.models import Project, Session, Specialist, Task
from tasks.roles import NAME, Role, catalogue

KINDS = {"project": "Projects", "specialist": "Specialists", "session": "Sessions"}
FEW, MANY, COUNTED = 5, 50, 1_000
"""Rows next to other results, rows where only this kind is requested, and where counting ends."""
_ID = re.compile(r"[A-Za-z][\w-]{3,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expert:
    role: Role
    project: Project

    @property
    def is_everywhere(self) -> bool:
        """Whether every project has it, unless one says otherwise."""
        return self.role.source in ("default", "site")


@dataclass(frozen=True, slots=True)
class Few:
    """Some rows of a kind, and how many there are, or at least where `is_least`."""

    items: list[Any] = field(default_factory=list)
    total: int = 0
    is_least: bool = False

    @property
    def more(self) -> int:
        return self.total - len(self.items)


@dataclass(frozen=True, slots=True)
class Named:
    projects: Few = field(default_factory=Few)
    specialists: Few = field(default_factory=Few)
    sessions: Few = field(default_factory=Few)

    @property
    def total(self) -> int:
        return self.projects.total + self.specialists.total + self.sessions.total


def named(text: str, *, project: Project | None, kind: str) -> Named:
    """Return what has a string in its name, in one project or in all; `kind` is one of KINDS, empty for all."""
    asked = [kind] if kind else list(KINDS)
    size = MANY if kind else FEW
    projects = Project.objects.filter(Q(name__icontains=text) | Q(slug__icontains=text)).order_by("name", "id")
    projects = projects.filter(pk=project.pk) if project else projects
    sessions = Session.objects.filter(Q(client_name__icontains=text) | Q(public_id__startswith=text))
    sessions = _within(sessions, project).select_related("project").order_by("-id")
    return Named(
        projects=_few(projects, size) if "project" in asked else Few(),
        specialists=_experts(text, project, size) if "specialist" in asked else Few(),
        sessions=_few(sessions, size) if "session" in asked else Few(),
    )


def by_id(text: str, project: Project | None) -> Task | Artifact | Session | None:
    """Return the task, artifact or session with exactly this id."""
    if not _ID.fullmatch(text):
        return None
    kinds: tuple[QuerySet[Any], ...] = (Task.objects.all(), Artifact.objects.all(), Session.objects.all())
    found = (_within(rows, project).filter(public_id__in={text, text.lower()}).first() for rows in kinds)
    return next(filter(None, found), None)


def _within(rows: QuerySet[Any], project: Project | None) -> QuerySet[Any]:
    return rows.filter(project=project) if project else rows


def _few(rows: QuerySet[Any], size: int) -> Few:
    found = list(rows[: size + 1])
    if len(found) <= size:
        return Few(found, len(found))
    total = rows.order_by()[: COUNTED + 1].count()
    return Few(found[:size], min(total, COUNTED), total > COUNTED)


def _experts(text: str, project: Project | None, size: int) -> Few:
    word = text.casefold()
    # Without a project, what all of them have is shown for the newest.
    shown_for = (project or Project.objects.order_by("-id").first()) if NAME.fullmatch(word) else None
    if shown_for is None:
        return Few()
    roles = catalogue(project).roles
    found = [Expert(roles[name], shown_for) for name in sorted(roles) if word in name]
    if project is None:  # and what projects added, except in files
        added = Specialist.objects.filter(name__contains=word, project__isnull=False).select_related("project")
        for row in added[:MANY]:
            if row.project:
                found.append(Expert(Role(row.name, row.role_definition, source="project"), row.project))
    return Few(found[:size], len(found))
