"""Write and remove a project's own specialists; files and packaged roles are not ours to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, NotFound, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Specialist
from tasks.roles import NAME, Role, catalogue

LINES_LIMIT = 100
_OURS = ("default", "site", "project")
Guard = Callable[[Role | None], None]
"""Is asked with the role as it holds now, before anything is changed."""


def put_specialist(
    *,
    project: Project,
    actor: Actor,
    name: str,
    role_definition: str,
    expertise: Sequence[str] = (),
    approach: Sequence[str] = (),
    output_format: str = "",
    guard: Guard | None = None,
) -> Role:
    """Write a project's specialist, new or anew; returns the role that holds from now on.

    Raises Forbidden for an actor that may not, Invalid for values that cannot be, Conflict where a file of the project
    says how this specialist works, or somebody else wrote it at the same moment, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    columns: dict[str, Any] = {
        "role_definition": role_definition,
        "expertise": list(expertise),
        "approach": list(approach),
        "output_format": output_format,
    }
    _check(name, columns)
    try:
        with transaction.atomic():
            before = _role(project, name, guard)
            if before is not None and before.source not in _OURS:
                raise Conflict(f"{name} comes from {before.source}, which wins.", next="Edit that file.")
            columns["updated_at"] = timezone.now()
            Specialist.objects.update_or_create(project=project, name=name, defaults=columns)
            _record(actor, Verb.EDIT_SPECIALIST, project, name)
    except IntegrityError as error:
        raise Conflict(f"{name} was written by somebody else at the same moment.", next="Read it again.") from error
    return catalogue(project).roles[name]


def delete_specialist(*, project: Project, actor: Actor, name: str, guard: Guard | None = None) -> None:
    """Remove a project's own specialist; what the site or the package says of it holds again.

    Raises Forbidden for an actor that may not, NotFound where the project has none of its own, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    with transaction.atomic():
        _role(project, name, guard)
        if not Specialist.objects.filter(project=project, name=name).delete()[0]:
            raise NotFound(
                f"{project.slug} has no specialist {name[:64]!r} of its own.",
                next="Those of files, of the site and of the package are not deleted here.",
            )
        _record(actor, Verb.DELETE_SPECIALIST, project, name)


def _role(project: Project, name: str, guard: Guard | None) -> Role | None:
    """Return the role as it holds now, with its row locked."""
    list(Specialist.objects.select_for_update().filter(project=project, name=name))
    role = catalogue(project).roles.get(name)
    if guard:
        guard(role)
    return role


def _record(actor: Actor, verb: Verb, project: Project, name: str) -> None:
    events.record(actor=actor, verb=verb, project=project, after={"specialist_type": name})


def _check(name: str, columns: dict[str, Any]) -> None:
    problems: list[dict[str, Any]] = []
    if not NAME.fullmatch(name):
        problems.append({"at": "name", "problem": "a role's name is lower-case letters, digits, - and _, at most 64."})
    problems += check_texts({key: columns[key] for key in ("role_definition", "output_format")})
    if not columns["role_definition"].strip():
        problems.append({"at": "role_definition", "problem": "say what the specialist is and does"})
    for key in ("expertise", "approach"):
        problems += check_texts({f"{key}[{number}]": line for number, line in enumerate(columns[key])})
        if len(columns[key]) > LINES_LIMIT:
            problems.append({"at": key, "problem": f"more than {LINES_LIMIT} lines"})
    if problems:
        raise invalid(problems, next="Nothing was changed. Mend these and send it again.")
