"""Add up what tool calls cost and how often they fail, for the pages of sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime

from django.db import transaction

from orchestrator_site.kernel.compiled import insert_all
from tasks.models import Session, ToolUse

Key = tuple[int, str]  # the primary key of a session, and the name of a tool
_TOGETHER = 200  # rows that one transaction changes, so that it stays short


@dataclass(slots=True)
class Use:
    first_at: datetime
    last_at: datetime
    calls: int = 0
    errors: int = 0
    repaired: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    last_error: str = ""

    def add(self, other: Use) -> None:
        newer = other if other.last_error and (other.last_at >= self.last_at or not self.last_error) else self
        self.last_error = newer.last_error
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS = ("calls", "errors", "repaired", "bytes_received", "bytes_sent")
_FACTS = [field.name for field in fields(Use)]


def add_uses(uses: Mapping[Key, Use]) -> Iterator[list[Key]]:
    """Add to what is stored already, in short transactions; yields the keys of each once it is committed.

    Sums of several processes come together in the database, so none of them is lost. What was called in a session that
    is gone by now is left out. Raises django.db.Error where the database is busy.
    """
    in_order = sorted(uses)  # so that two processes never wait for each other
    for start in range(0, len(in_order), _TOGETHER):
        keys = in_order[start : start + _TOGETHER]
        with transaction.atomic():
            _add({key: uses[key] for key in keys})
        yield keys


def _add(uses: Mapping[Key, Use]) -> None:
    """Replace the rows by their sums while their sessions are locked, so that no other process adds to them."""
    sessions = Session.objects.filter(pk__in={session for session, _ in uses}).order_by("pk")
    there = set(sessions.select_for_update(no_key=True).values_list("pk", flat=True))
    stored = {(row.session_id, row.tool): row for row in ToolUse.objects.filter(session__in=there)}
    sums = [_sum(key, use, stored.get(key)) for key, use in uses.items() if key[0] in there]
    insert_all(sums, update=_FACTS, unique=["session", "tool"])


def _sum(key: Key, use: Use, stored: ToolUse | None) -> ToolUse:
    total = replace(use)
    if stored is not None:
        total.add(Use(**{name: getattr(stored, name) for name in _FACTS}))
    return ToolUse(session_id=key[0], tool=key[1], **asdict(total))
