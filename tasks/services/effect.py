"""What a verb did."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.models import Task


@dataclass(frozen=True, slots=True)
class Effect:
    task: Task
    unblocked: list[Task] = field(default_factory=list)  # became ready
    built_on_it: list[Task] = field(default_factory=list)  # were started on the ground of what is being revised
    cancelled: list[Task] = field(default_factory=list)  # the task itself first
    reopened: list[Task] = field(default_factory=list)  # the same
    still_waiting: list[Task] = field(default_factory=list)  # depend on what was cancelled
    tasks_total: int = 0  # archived or restored together, the task itself included
    changed_total: int = 0  # whose order changed
