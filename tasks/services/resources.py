"""Add, change and delete the resources of a project; hold one alone, and give it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from tasks import events
from tasks.choices import FINISHED, Verb
from tasks.gates.definition import NAME
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Resource, ResourceHold, Task
from tasks.selectors.resources import resource_named
from tasks.services import holds, leases, readiness

CAPACITY_LIMIT = 1000
PROJECT_LIMIT = 100
"""Resources of one project."""
TITLE_LIMIT = 200
Guard = Callable[[Resource | None], None]


def put_resource(
    *, project: Project, actor: Actor, name: str, title: str = "", capacity: int = 1, guard: Guard | None = None
) -> Resource:
    """Create or replace a resource.

    Raises Forbidden, Invalid, Conflict where more is held than the new capacity, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    _check(name, title, capacity)
    try:
        with transaction.atomic():
            before = _locked(project, name, guard)
            resource = before or _new(project, name)
            resource.title, resource.capacity = title.strip(), capacity
            resource.held = resource.holds.count() if before else 0
            if resource.held > capacity:
                raise Conflict(
                    f"{name} is held {resource.held} times: its capacity cannot be {capacity}.",
                    next="Wait until fewer hold it, or free a hold.",
                )
            resource.save()
            refresh = readiness.refresh_freed if resource.held < capacity else readiness.refresh_full
            refresh(resource=resource.pk)
            after = {"resource": name, "title": resource.title, "capacity": capacity}
            events.record(actor=actor, verb=Verb.EDIT_RESOURCE, project=project, after=after)
    except IntegrityError as error:
        raise Conflict(f"{name} was changed at the same time.", next="Read it again.") from error
    return resource_named(project, name)


def delete_resource(*, project: Project, actor: Actor, name: str, guard: Guard | None = None) -> None:
    """Delete a resource that no one holds and no unfinished task needs.

    Raises Forbidden, NotFound, Conflict, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    with transaction.atomic():
        resource = _locked(project, name, guard) or resource_named(project, name)
        if resource.held:
            raise Conflict(f"{name} is held.", next="Wait until it is given back, or free it.")
        waiting = Task.objects.on_board().filter(needs__resource=resource).exclude(status__in=FINISHED)
        if first := waiting.order_by("id").first():
            raise Conflict(f"{first.public_id} needs {name}.", next="Edit what it needs first, or cancel it.")
        resource.delete()
        after = {"resource": name, "last_number": resource.last_number}
        events.record(actor=actor, verb=Verb.DELETE_RESOURCE, project=project, after=after)


def hold(*, project: Project, actor: Actor, name: str, number: int | None = None) -> ResourceHold:
    """Hold a resource without a task, as long as a lease lasts; whoever holds it renews it.

    With the number of a hold, another session of the same token renews it, too.

    Raises NotFound, Full where nothing is left, Conflict for the number of another's hold, Forbidden for an agent in a
    run.
    """
    actor.require(Scope.WRITE)
    leases.free_run_out(project=project)
    with transaction.atomic():
        resource = _locked(project, name) or resource_named(project, name)
        until = timezone.now() + leases.duration(project)
        if own := _found(resource, actor, number):
            if not _is_own(own, actor, number):
                raise Conflict(f"Hold {number} of {name} is another's.", next="Omit the number to hold it yourself.")
            own.session, own.expires_at = actor.session, until
            own.save(update_fields=["session", "expires_at"])
            return own
        made = holds.take(resource, actor, expires_at=until)
        after = {"resource": name, "number": made.number}
        events.record(actor=actor, verb=Verb.HOLD, project=project, after=after)
    return made


def let_go(*, project: Project, actor: Actor, name: str, number: int | None = None) -> None:
    """Give back a resource that is held alone. `number` is that of the hold; a reviewer needs it to free another's.

    Raises NotFound, Conflict for a number that was replaced or belongs to a task, Forbidden for what another holds.
    """
    actor.require(Scope.WRITE)
    with transaction.atomic():
        resource = _locked(project, name) or resource_named(project, name)
        found = _found(resource, actor, number)
        if found is None:
            raise Conflict(f"You do not hold {name}.", next="Nothing has to be given back.")
        if not _is_own(found, actor, number):
            actor.require(Scope.REVIEW)
        holds.let_go([found])
        after = {"resource": name, "number": found.number, "holder": found.holder}
        events.record(actor=actor, verb=Verb.LET_GO, project=project, after=after)


def _by_number(resource: Resource, number: int) -> ResourceHold:
    found = resource.holds.select_related("resource", "session", "task").filter(number=number).first()
    if found is None:
        raise Conflict(
            f"Hold {number} of {resource.name} has ended."
            if number <= resource.last_number
            else f"{resource.name} has no hold {number} yet.",
            next="Read the resource to see who holds it.",
            details={"last_number": resource.last_number},
        )
    if found.task is not None:
        raise Conflict(
            f"{resource.name} is held with {found.task.public_id}.", next="Complete or release that task instead."
        )
    return found


def _found(resource: Resource, actor: Actor, number: int | None) -> ResourceHold | None:
    if number is not None:
        return _by_number(resource, number)
    alone = resource.holds.select_related("resource", "session", "task").filter(task=None)
    return next((each for each in alone if _is_own(each, actor)), None)


def _is_own(found: ResourceHold, actor: Actor, number: int | None = None) -> bool:
    """Whether the actor's session holds it, or the actor knows its number and has the token of the holder."""
    if actor.session is None or found.session is None:
        return (actor.session, actor.label) == (found.session, found.holder)
    has_its_token = bool(actor.session.token_id) and found.session.token_id == actor.session.token_id
    return found.session.pk == actor.session.pk or (number is not None and has_its_token)


def _locked(project: Project, name: str, guard: Guard | None = None) -> Resource | None:
    holds.lock_all(project.pk)
    found = Resource.objects.filter(project=project, name=name.replace("\x00", "")).first()
    if guard:
        guard(found)
    return found


def _new(project: Project, name: str) -> Resource:
    if Resource.objects.filter(project=project).count() >= PROJECT_LIMIT:
        raise Conflict(f"{project.slug} has {PROJECT_LIMIT} resources already.", next="Delete one first.")
    deleted = Event.objects.filter(project=project, verb=Verb.DELETE_RESOURCE, after__resource=name)
    last = deleted.order_by("-id").values_list("after", flat=True).first() or {}
    return Resource(project=project, name=name, last_number=last.get("last_number", 0))  # numbers only grow


def _check(name: str, title: str, capacity: Any) -> None:
    problems = check_texts({"title": title})
    if not NAME.fullmatch(name):
        problems.append({"at": "name", "problem": "must be up to 64 lower-case letters, digits, - and _"})
    if len(title) > TITLE_LIMIT:
        problems.append({"at": "title", "problem": f"more than {TITLE_LIMIT} characters"})
    if not isinstance(capacity, int) or isinstance(capacity, bool) or not 1 <= capacity <= CAPACITY_LIMIT:
        problems.append({"at": "capacity", "problem": f"must be 1 to {CAPACITY_LIMIT}"})
    if problems:
        raise invalid(problems, next="Fix these and retry.")
