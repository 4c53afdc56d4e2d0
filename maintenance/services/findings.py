"""Findings as rows: written once per cause and subject, resolved when a scan no longer finds them, and snoozed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from maintenance.choices import Cause
from maintenance.found import Found
from maintenance.models import Finding
from maintenance.selectors.scope import Scope
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor

_CHUNK = 200
_CHANGES = ("severity", "evidence", "proposal", "advice", "since")


def record(*, scope: Scope, causes: Collection[Cause], found: Iterable[Found], now: datetime) -> None:
    """Keep what a scan for these causes found in a scope, and resolve what it found no longer.

    A finding that is open already keeps its row, and its snooze.
    """
    kept = {(each.cause, each.subject): each for each in found}
    rows = Finding.objects.open().filter(project=scope.project, cause__in=causes)
    if not scope.is_everything:
        rows = rows.filter(task__in=scope.tasks().order_by().values("pk"))
    known = {(Cause(row.cause), row.subject): row for row in rows}
    gone = [row.pk for key, row in known.items() if key not in kept]
    changed = [_brought_up_to_date(row, kept[key]) for key, row in known.items() if key in kept]
    new = [_row_of(scope, each, now) for key, each in kept.items() if key not in known]
    for start in range(0, len(gone), _CHUNK):
        Finding.objects.open().filter(pk__in=gone[start : start + _CHUNK]).update(resolved_at=now)
    for start in range(0, len(new), _CHUNK):  # another scan may have been first
        Finding.objects.bulk_create(new[start : start + _CHUNK], ignore_conflicts=True)
    Finding.objects.bulk_update([row for row in changed if row is not None], _CHANGES, batch_size=_CHUNK)


def snooze(*, finding: Finding, until: datetime | None, actor: Actor) -> Finding:
    """Leave a finding out of lists and counts until a time; None brings it back.

    Raises Forbidden, Invalid for a time in the past, Conflict where it is resolved by now.
    """
    actor.require(Permission.WRITE)
    if until is not None and until <= timezone.now():
        raise Invalid("until: must be in the future.", next="Send a later time.")
    with transaction.atomic():
        if not Finding.objects.open().filter(pk=finding.pk).update(snoozed_until=until):
            raise Conflict("This finding is resolved by now.", next="Look at the open findings.")
    finding.snoozed_until = until
    return finding


def _brought_up_to_date(row: Finding, found: Found) -> Finding | None:
    values = {name: getattr(found, name) for name in _CHANGES}
    if all(getattr(row, name) == value for name, value in values.items()):
        return None
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _row_of(scope: Scope, found: Found, now: datetime) -> Finding:
    return Finding(
        project=scope.project, task_id=found.task_pk, cause=found.cause, subject=found.subject, found_at=now,
        **{name: getattr(found, name) for name in _CHANGES},
    )  # fmt: skip
