"""What a verb did."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.models import Task


@dataclass(frozen=True, slots=True)
class Effect:
    """The task after a verb, and the other tasks that it concerns."""

    task: Task
    unblocked: list[Task] = field(default_factory=list)
    """Became ready."""
    built_on_it: list[Task] = field(default_factory=list)
    """Were started on the ground of what is being revised."""
    cancelled: list[Task] = field(default_factory=list)
    """The task itself first."""
    still_waiting: list[Task] = field(default_factory=list)
    """Depend on what was cancelled."""
