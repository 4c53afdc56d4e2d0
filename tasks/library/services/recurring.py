"""Recurring plans: create, edit, switch and delete them, plan one now, and plan what is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, NotFound, OrchestratorError, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from orchestrator_site.kernel.text import shortened
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.library import schedules
from tasks.library.catalogue import Library, catalogue
from tasks.library.models import Recurring
from tasks.library.selectors.recurring import NOT_PLANNED, schedule_of, waits_for_its_last
from tasks.library.services.apply import Applied, apply_template, expanded
from tasks.models import Project

logger = logging.getLogger(__name__)

NAME_LIMIT = 200
OUTCOME_LIMIT = 500
FIELDS = ("name", "template", "parameters", "cron", "every_minutes", "is_on")
Guard = Callable[[Recurring | None], None]


@dataclass(slots=True)
class Ran:
    """What came of the turns that were due."""

    planned: int = 0
    skipped: int = 0
    failed: int = 0


def create_recurring(*, project: Project, actor: Actor, **columns: Any) -> Recurring:
    """Put a template on a schedule; it is off unless `is_on` says otherwise.

    Raises Forbidden, NotFound for the template, Invalid for a schedule or parameters that do not fit, Conflict where
    the name is taken.
    """
    actor.require(Scope.ADMIN)
    row = Recurring(project=project)
    _set(row, columns, catalogue(project))
    with _named_once(row), transaction.atomic():
        _save(row, actor, before={})
    return row


def edit_recurring(
    *, recurring: Recurring, actor: Actor, columns: dict[str, Any], guard: Guard | None = None
) -> Recurring:
    """Change what is named, or switch it with `is_on`; a cron line replaces an interval and the reverse.

    Raises as `create_recurring` does, NotFound where it was deleted, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    library = catalogue(recurring.project)
    with _named_once(recurring), transaction.atomic():
        row = _locked(recurring)
        if guard:
            guard(row)
        before = _facts(row)
        _set(row, columns, library)
        if _facts(row) != before:
            _save(row, actor, before=before)
    return row


def delete_recurring(*, recurring: Recurring, actor: Actor, guard: Guard | None = None) -> None:
    """Delete it; the plans that came of it stay. Raises Forbidden, NotFound, and what `guard` raises."""
    actor.require(Scope.ADMIN)
    with transaction.atomic():
        row = _locked(recurring)
        if guard:
            guard(row)
        _record(row, actor, before=_facts(row), after={"name": row.name, "deleted": True})
        row.delete()


def plan_now(*, recurring: Recurring, actor: Actor) -> Applied:
    """Plan it at once, beside its turns. Raises Conflict while its last plan is open, and as `apply_template` does."""
    actor.require(Scope.WRITE)
    with transaction.atomic():
        row = _locked(recurring)
        if waits_for_its_last(row) and row.last_plan:
            raise Conflict(f"Its last plan, {row.last_plan.public_id}, is still open.", next="Finish or cancel that.")
        return _planned(row, actor)


def run_due(*, now: datetime | None = None) -> Ran:
    """Plan everything that is due. Of several processes, one takes a turn; killed anywhere, it is taken later."""
    now, ran = now or timezone.now(), Ran()
    for row in Recurring.objects.filter(is_on=True).select_related("project").order_by("next_at", "pk"):
        try:
            with db_errors_mapped("a turn of a recurring plan"):
                _take_turn_if_due(row, now, ran)
        except Exception:  # the outermost edge of each: the others go on, and this one is tried again
            ran.failed += 1
            logger.exception("The recurring plan %s of project %s could not take its turn.", row.pk, row.project.slug)
    return ran


def _take_turn_if_due(row: Recurring, now: datetime, ran: Ran) -> None:
    assert row.next_at is not None  # noqa: S101  # a constraint says so
    due = schedule_of(row).corrected(row.next_at, now)
    if due <= now:
        _take_turn(row, due, now, ran)
    elif due != row.next_at:
        Recurring.objects.filter(pk=row.pk, is_on=True, next_at=row.next_at).update(next_at=due)


def _take_turn(row: Recurring, due: datetime, now: datetime, ran: Ran) -> None:
    with transaction.atomic():
        following = schedule_of(row).turn_after(due, now)
        mine = Recurring.objects.filter(pk=row.pk, is_on=True, next_at=row.next_at)
        if not mine.update(next_at=following):
            return
        row = _locked(row)
        if waits_for_its_last(row) and row.last_plan:
            ran.skipped += 1
            _say(row, f"Skipped: the last plan, {row.last_plan.public_id}, is still open.")
            return
        try:
            _planned(row, Actor.system("recurring"))
            ran.planned += 1
        except OrchestratorError as error:
            ran.failed += 1
            _say(row, f"{NOT_PLANNED}{error.message}")


def _planned(row: Recurring, actor: Actor) -> Applied:
    made = apply_template(project=row.project, actor=actor, name=row.template, parameters=row.parameters, recurring=row)
    row.last_plan = made.plan.root
    row.save(update_fields=["last_plan"])
    _say(row, f"Planned {made.plan.root.public_id}.")
    return made


def _say(row: Recurring, outcome: str) -> None:
    Recurring.objects.filter(pk=row.pk).update(outcome=shortened(outcome, OUTCOME_LIMIT))


def _locked(recurring: Recurring) -> Recurring:
    rows = Recurring.objects.select_for_update(of=("self",)).select_related("project", "last_plan")
    row = rows.filter(pk=recurring.pk).first()
    if row is None:
        raise NotFound(f"The recurring plan {recurring.name[:64]!r} was deleted.")
    return row


def _set(row: Recurring, columns: dict[str, Any], library: Library) -> None:
    """Change the fields of a row. Raises NotFound, Invalid; what does not fit any more may only be switched off."""
    if columns.get("cron"):
        columns = {"every_minutes": None, **columns}
    elif columns.get("every_minutes") is not None:
        columns = {"cron": "", **columns}
    was_scheduled = (row.is_on, row.cron, row.every_minutes)
    for name, value in columns.items():
        setattr(row, name, value.strip() if isinstance(value, str) else value)
    if row.is_on or set(columns) != {"is_on"}:
        _check(row, library)
        row.outcome = "" if row.outcome.startswith(NOT_PLANNED) else row.outcome
    if not row.is_on:
        row.next_at = None
    elif (row.is_on, row.cron, row.every_minutes) != was_scheduled:
        row.next_at = schedule_of(row).following(timezone.now(), 1)[0]


def _check(row: Recurring, library: Library) -> None:
    problems = check_texts({"name": row.name})
    if not 1 <= len(row.name) <= NAME_LIMIT:
        problems.append({"at": "name", "problem": f"must have 1 to {NAME_LIMIT} characters"})
    problems += schedules.problems(row.cron, row.every_minutes)
    if problems:
        raise invalid(problems, next="Fix these and retry.")
    expanded(library.entry(row.template), row.parameters)


def _save(row: Recurring, actor: Actor, *, before: dict[str, Any]) -> None:
    row.changed_by, row.changed_at = actor.name, timezone.now()
    row.save()
    _record(row, actor, before=before, after=_facts(row))


def _record(row: Recurring, actor: Actor, *, before: dict[str, Any], after: dict[str, Any]) -> None:
    before, after = {"recurring": before}, {"recurring": after}
    events.record(actor=actor, verb=Verb.EDIT_PROJECT, project=row.project, before=before, after=after)


def _facts(row: Recurring) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


@contextmanager
def _named_once(row: Recurring) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        wrong = {"at": "name", "problem": "is that of another recurring plan"}
        raise Conflict(
            f"There is a recurring plan named {row.name[:64]!r}.", next="Choose another name.",
            details={"problems": [wrong]},
        ) from error  # fmt: skip
