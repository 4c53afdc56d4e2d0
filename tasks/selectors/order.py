"""What the order form of a task shows: of a group, what is so for all unfinished tasks below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.models import Task
from tasks.selectors.descendants import unfinished_in

COLUMNS = ("priority", "not_before", "for_client", "for_model")


@dataclass(frozen=True, slots=True)
class Order:
    """Columns that are the same for all tasks that it is about; the others are left out."""

    columns: dict[str, Any]
    tasks_total: int


def order_of(task: Task) -> Order:
    tasks = unfinished_in(task).leaves()
    rows = tasks.order_by().values_list(*COLUMNS).distinct()
    values = {name: {*found} for name, found in zip(COLUMNS, zip(*rows, strict=True), strict=False)}
    return Order({name: found.pop() for name, found in values.items() if len(found) == 1}, tasks.count())
