"""Where a figure leads: to the tasks that it counts, and to what a person may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.urls import reverse

from tasks.choices import Status
from tasks.insights.choices import Dimension, Name
from tasks.models import Project


class Listed(NamedTuple):
    """The tasks that a figure leads to, in words, and how a list is narrowed to them."""

    words: str
    since: str = ""
    status: str = ""
    only: str = ""


_COMPLETED = Listed("completed tasks", "completed_since", Status.COMPLETED)
_LISTED: dict[str, Listed] = {
    Name.PLANNED: Listed("planned tasks", "planned_since"),
    Name.WAIT: Listed("claimed tasks", "claimed_since"),
    **dict.fromkeys((Name.REVIEW_WAIT, Name.FIRST_PASS), Listed("reviewed tasks", "reviewed_since")),
    Name.REOPENED: Listed("reopened tasks", "reopened_since"),
    **dict.fromkeys((Name.LEASE_LOSS, Name.SUCCESS), Listed("attempted tasks", "attempted_since")),
    Name.ESTIMATE_ERROR: _COMPLETED._replace(words="estimated tasks", only="estimated"),
    Name.TOKENS: _COMPLETED._replace(words="tasks with tokens", only="tokens"),
    Name.COST: _COMPLETED._replace(words="tasks with a cost", only="cost"),
    **dict.fromkeys(
        (Name.GATES_MISSED, Name.GATES_WAIVED), _COMPLETED._replace(words="tasks with gates", only="gated")
    ),
    Name.HANDOVER_COVERAGE: Listed("tasks in hand", status=Status.ACTIVE),
}


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


def tasks_words(name: str, dimension: str = Dimension.PROJECT) -> str:
    """Say what is behind the link of a figure."""
    return "the template" if dimension == Dimension.TEMPLATE else _LISTED.get(name, _COMPLETED).words


def tasks_address(
    project: Project, name: str, dimension: str = Dimension.PROJECT, key: str = "", since: date | None = None
) -> str:
    """Return the list of the tasks that a figure is about, which counts `since` a day."""
    if dimension == Dimension.TEMPLATE and key:
        return reverse("template", args=[project.slug, key.partition("@")[0]])
    listed = _LISTED.get(name, _COMPLETED)
    by = {"specialist": key.partition("/")[0]} if dimension == Dimension.CELL else {str(dimension): key}
    query = {"kind": "leaf", "status": listed.status, "only": listed.only, listed.since: since, **(by if key else {})}
    return reverse("tasks", args=[project.slug], query={name: value for name, value in query.items() if name and value})
