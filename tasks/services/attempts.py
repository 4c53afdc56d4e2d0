"""Attempts: what came of each claim, written in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.utils import timezone

from tasks.choices import Verb
from tasks.models import Attempt, Task

TOKENS_LIMIT = 2**53
COST_LIMIT = 999_999
_LIMITS = {"read_tokens": TOKENS_LIMIT, "written_tokens": TOKENS_LIMIT, "cost_usd": COST_LIMIT}


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used, as whoever did it reports; None is unknown."""

    read_tokens: int | None = None
    written_tokens: int | None = None
    cost_usd: Decimal | None = None


UNKNOWN = Usage()


def usage_of(sent: Mapping[str, Any] | None) -> Usage:
    """Return the usage that a caller sent; what no attempt can have used is unknown."""
    given = {name: (sent or {}).get(name) for name in _LIMITS}
    known = {name: value for name, value in given.items() if value is not None and 0 <= value <= _LIMITS[name]}
    if "cost_usd" in known:
        known["cost_usd"] = Decimal(str(known["cost_usd"])).quantize(Decimal("0.000001"))
    return Usage(**known)


def ending(task: Task, outcome: Verb, note: dict[str, Any] | None, usage: Usage = UNKNOWN) -> Attempt:
    """Return the row of the attempt that ends now; one whose lease ran out before ended then."""
    now, note, until = timezone.now(), note or {}, task.lease_expires_at
    session = task.lease_session
    return Attempt(
        task=task,
        lease_number=task.lease_number,
        session=session,
        holder=task.lease_holder,
        client=session.client_name if session else "",
        model=session.model if session else "",
        outcome=outcome,
        reason=note.get("reason") or note.get("comment") or "",
        started_at=task.active_at,
        ended_at=until if outcome == Verb.RELEASE and until is not None and until < now else now,
        **asdict(usage),
    )


def send_back(task: Task, comment: str) -> None:
    """Say of the attempt that delivered a task last that it was sent back."""
    delivered = Attempt.objects.filter(task=task, lease_number=task.lease_number)
    delivered.update(outcome=Verb.REQUEST_REVISION, reason=comment)


def measured(*, task: Task, lease_number: int, usage: Usage) -> None:
    """Keep what was measured of an attempt that has ended; it counts more than what its holder reported."""
    known = {name: value for name, value in asdict(usage).items() if value is not None}
    if known:
        Attempt.objects.filter(task=task, lease_number=lease_number).update(**known)
