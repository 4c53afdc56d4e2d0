"""Specialists for pages: where each comes from and how much it is used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Count, Q

from orchestrator_site.kernel.text import shortened
from tasks.choices import FINISHED, Verb
from tasks.models import Event, Project, Specialist, Task, TaskQuerySet
from tasks.roles import Catalogue, Role

SOURCES = {"default": "Built-in", "site": "Site", "project": "Project"}
"""Sources that are not files; for a file, its path is the source."""
TASKS_SHOWN = 20
_SAYS = 200
_SENTENCE = re.compile(r".+?[.!?…](?=\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Use:
    total: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    role: Role
    use: Use = field(default_factory=Use)

    @property
    def says(self) -> str:
        sentence = _SENTENCE.match(self.role.role_definition.strip())
        return shortened(sentence.group() if sentence else self.role.role_definition, _SAYS)

    @property
    def is_file(self) -> bool:
        return self.role.source not in SOURCES

    @property
    def is_own(self) -> bool:
        return self.role.source == "project"

    @property
    def source(self) -> str:
        return SOURCES.get(self.role.source, self.role.source)


def described(roles: Catalogue, uses: dict[str, Use]) -> list[Described]:
    return [Described(roles.roles[name], uses.get(name, Use())) for name in sorted(roles.roles)]


def uses_of(project: Project) -> dict[str, Use]:
    """Count the tasks of each specialist in one walk along their index; grouped by status too, it would sort."""
    return {name: use for name, use in _uses(Task.objects.filter(project=project)) if name}


def use_of(project: Project, name: str) -> Use:
    return dict(_uses(Task.objects.filter(project=project, specialist=name))).get(name, Use())


def _uses(tasks: TaskQuerySet) -> Iterator[tuple[str, Use]]:
    by_name = tasks.on_board().leaves().order_by().values_list("specialist")
    counted = by_name.annotate(total=Count("pk"), still_open=Count("pk", filter=~Q(status__in=FINISHED)))
    return ((name, Use(total, still_open)) for name, total, still_open in counted)


def tasks_of(project: Project, name: str) -> list[Task]:
    leaves = Task.objects.filter(project=project, specialist=name).on_board().leaves()
    return list(leaves.order_by("-id").only("public_id", "title", "status")[:TASKS_SHOWN])


def own_row(project: Project, name: str) -> Specialist | None:
    return Specialist.objects.filter(project=project, name=name).first()


def last_editor(project: Project, name: str) -> str:
    verbs = (Verb.EDIT_SPECIALIST, Verb.DELETE_SPECIALIST)
    written = Event.objects.filter(project=project, verb__in=verbs, after__specialist_type=name)
    return written.order_by("-id").values_list("actor_name", flat=True).first() or ""


def fingerprint(role: Role | None) -> str:
    return hashlib.sha256(repr(role).encode(errors="surrogatepass")).hexdigest()[:32]
