"""Where a figure leads: to the tasks that it counts, and to what a person may do about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from tasks.choices import Status
from tasks.insights.choices import Dimension, Name
from tasks.models import Project

_COUNTED: dict[str, str] = {
    Name.WAIT: Status.PENDING,
    Name.PLANNED: "",
    Name.REVIEW_WAIT: Status.IN_REVIEW,
    Name.REOPENED: Status.NEEDS_REVISION,
    Name.LEASE_LOSS: Status.ACTIVE,
}
"""The state of the tasks that a figure leads to, where it is not completed."""


@dataclass(frozen=True, slots=True)
class Action:
    label: str
    page: str
    query: dict[str, str]
    is_for_owners: bool = False

    def address(self, project: Project) -> str:
        if self.page in ("reviews", "sessions"):
            return reverse(self.page, query={"project": project.slug, **self.query})
        return reverse(self.page, args=[project.slug], query=self.query or None)


_BOARD = Action("Open the board", "board", {})
_READY = Action("See what is ready", "board", {"ready": "1"})
_REVIEWS = Action("Open reviews", "reviews", {})
_SESSIONS = Action("Open sessions", "sessions", {})
_OPEN = Action("Correct open estimates", "tasks", {"kind": "leaf", "status": Status.PENDING})
_GATES = Action("Change the gates", "project-settings", {}, is_for_owners=True)
_ACTIONS: dict[str, Action] = {
    Name.WAIT: _READY,
    Name.PLANNED: _READY,
    Name.REVIEW_WAIT: _REVIEWS,
    Name.FIRST_PASS: _REVIEWS,
    Name.REOPENED: _REVIEWS,
    Name.LEASE_LOSS: Action("Release leases", "maintenance", {}),
    Name.SUCCESS: Action("Open specialists", "specialists", {}),
    **dict.fromkeys((Name.ESTIMATE_ERROR, Name.ESTIMATE_COVERAGE), _OPEN),
    **dict.fromkeys((Name.BYTES, Name.TOKENS, Name.COST, Name.WORK), _SESSIONS),
    **dict.fromkeys((Name.GATES_MISSED, Name.GATES_WAIVED), _GATES),
    Name.HANDOVER_COVERAGE: Action("Prepare a handover", "handovers", {}),
}


def action_of(name: str) -> Action:
    return _ACTIONS.get(name, _BOARD)


def tasks_address(project: Project, name: str, dimension: str = Dimension.PROJECT, key: str = "") -> str:
    """Return the list of the tasks that a figure is about."""
    if dimension == Dimension.TEMPLATE and key:
        return reverse("template", args=[project.slug, key.partition("@")[0]])
    narrowed = {"specialist": key.partition("/")[0]} if dimension == Dimension.CELL else {str(dimension): key}
    query = {"kind": "leaf", "status": _COUNTED.get(name, Status.COMPLETED), **(narrowed if key else {})}
    return reverse("tasks", args=[project.slug], query={name: value for name, value in query.items() if value})
