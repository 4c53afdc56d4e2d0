"""Pages of rows, and counts of leaves by status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import Count, QuerySet

from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.models import Task

ROW_FIELDS = (
    "public_id", "title", "status", "specialist", "is_leaf", "parent_id", "root_id", "project_id", "position",
    "priority", "due_at", "not_before", "for_client", "for_model", "is_ready", "lease_holder", "lease_expires_at",
    "updated_at", "created_at", "archived_at",
)  # fmt: skip

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """One page of rows. `total` is None if counting would mean reading everything."""

    items: list[Row]
    page: int
    first: int
    has_next: bool
    total: int | None = None

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1

    @property
    def has_others(self) -> bool:
        return self.has_next or self.page > 1


def page_of(rows: QuerySet[Any], *, page: int, size: int, total: int | None = None) -> Rows[Any]:
    """Read one page and one row more, which tells whether there is a next page without counting."""
    start = (page - 1) * size
    found = list(rows[start : start + size + 1])
    if total is None and len(found) <= size and (found or page == 1):
        total = start + len(found)
    return Rows(items=found[:size], page=page, first=start + 1, has_next=len(found) > size, total=total)


@dataclass(frozen=True, slots=True)
class Counts:
    by_status: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All leaves except cancelled ones."""
        return sum(self.by_status.values()) - self.by_status.get(Status.CANCELLED, 0)

    @property
    def done(self) -> int:
        return self.by_status.get(Status.COMPLETED, 0)

    @property
    def percent(self) -> int:
        """Percent completed, rounded down; 100 only if everything is."""
        return self.done * 100 // self.total if self.total else 0

    @property
    def waiting(self) -> int:
        return sum(self.by_status.get(status, 0) for status in WAITS_FOR_A_PERSON)

    @property
    def states(self) -> list[tuple[str, int]]:
        return [(str(status), self.by_status[status]) for status in Status if self.by_status.get(status)]


def count_by(column: str, keys: Iterable[int]) -> dict[int, Counts]:
    """Count the leaves on the board by state, for each project (`project_id`) or plan (`root_id`)."""
    found: dict[int, dict[str, int]] = {key: {} for key in keys}
    # `IN (true)` instead of a bare `is_leaf`: only a comparison lets SQLite stay within the index of counts.
    leaves = Task.objects.on_board().filter(**{f"{column}__in": list(found), "is_leaf__in": [True]}).order_by()
    for key, status, number in leaves.values_list(column, "status").annotate(Count("pk")):
        found[key][status] = number
    return {key: Counts(by_status) for key, by_status in found.items()}
