"""Write and delete a project's own specialists; files and packaged ones are read only."""

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
Guard = Callable[[Role | None], None]  # checks the role in effect before anything is changed


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
    """Create or replace a project's specialist; return the role in effect.

    Raises Forbidden, Invalid, Conflict where a file of the project defines it or another request wrote it at the same
    time, and what `guard` raises.
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
                raise Conflict(f"{name} is defined in {before.source}, which takes precedence.", next="Edit that file.")
            columns["updated_at"] = timezone.now()
            Specialist.objects.update_or_create(project=project, name=name, defaults=columns)
            events.record(actor=actor, verb=Verb.EDIT_SPECIALIST, project=project, after={"specialist_type": name})
    except IntegrityError as error:
        raise Conflict(f"{name} was changed at the same time.", next="Read it again.") from error
    return catalogue(project).roles[name]


def delete_specialist(*, project: Project, actor: Actor, name: str, guard: Guard | None = None) -> None:
    """Delete a project's own specialist; the site's or the packaged one takes effect again.

    Raises Forbidden, NotFound where the project has none of its own, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    with transaction.atomic():
        _role(project, name, guard)
        if not Specialist.objects.filter(project=project, name=name).delete()[0]:
            raise NotFound(
                f"{project.slug} has no specialist {name[:64]!r} of its own.",
                next="Specialists from files, the site and the package cannot be deleted here.",
            )
        events.record(actor=actor, verb=Verb.DELETE_SPECIALIST, project=project, after={"specialist_type": name})


def _role(project: Project, name: str, guard: Guard | None) -> Role | None:
    list(Specialist.objects.select_for_update().filter(project=project, name=name))
    role = catalogue(project).roles.get(name)
    if guard:
        guard(role)
    return role


def _check(name: str, columns: dict[str, Any]) -> None:
    problems: list[dict[str, Any]] = []
    if not NAME.fullmatch(name):
        problems.append({"at": "name", "problem": "must be up to 64 lower-case letters, digits, - and _"})
    problems += check_texts({key: columns[key] for key in ("role_definition", "output_format")})
    if not columns["role_definition"].strip():
        problems.append({"at": "role_definition", "problem": "describe the role"})
    for key in ("expertise", "approach"):
        problems += check_texts({f"{key}[{number}]": line for number, line in enumerate(columns[key])})
        if len(columns[key]) > LINES_LIMIT:
            problems.append({"at": key, "problem": f"more than {LINES_LIMIT} lines"})
    if problems:
        raise invalid(problems, next="Fix these and retry.")
