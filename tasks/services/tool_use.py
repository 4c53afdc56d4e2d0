"""Add up what tool calls cost and how often they fail, for the pages of sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least

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


def add_uses(uses: Mapping[Key, Use]) -> Iterator[list[Key]]:
    """Add to what is stored already, in short transactions; yields the keys of each once it is committed.

    Sums of several processes come together in the database, so none of them is lost. What was called in a session that
    is gone by now is left out. Raises django.db.Error where the database is busy.
    """
    in_order = sorted(uses)  # so that two processes never wait for each other
    for start in range(0, len(in_order), _TOGETHER):
        keys = in_order[start : start + _TOGETHER]
        with transaction.atomic():
            there = set(Session.objects.filter(pk__in={key[0] for key in keys}).values_list("pk", flat=True))
            known = {key: uses[key] for key in keys if key[0] in there}
            empty = [
                ToolUse(session_id=session, tool=tool, first_at=use.first_at, last_at=use.last_at)
                for (session, tool), use in known.items()
            ]
            ToolUse.objects.bulk_create(empty, ignore_conflicts=True)
            for key, use in known.items():
                said = {"last_error": use.last_error} if use.last_error else {}
                ToolUse.objects.filter(session_id=key[0], tool=key[1]).update(
                    **{name: F(name) + getattr(use, name) for name in _SUMS},
                    first_at=Least(F("first_at"), Value(use.first_at)),
                    last_at=Greatest(F("last_at"), Value(use.last_at)),
                    **said,
                )
        yield keys
