"""Operations as pages and REST show them."""

from __future__ import annotations

from maintenance.choices import Action, State
from maintenance.models import Operation
from tasks.models import Project
from tasks.selectors.rows import Rows, page_of

PER_PAGE = 10
_RUNNING = (State.QUEUED, State.RUNNING)


def listed(project: Project, *, page: int) -> Rows[Operation]:
    rows = Operation.objects.filter(project=project).defer("report", "answer").order_by("-id")
    return page_of(rows, page=page, size=PER_PAGE)


def is_running(operation: Operation) -> bool:
    return operation.state in _RUNNING


def why_no_undo(operation: Operation) -> str:
    """Return why an operation cannot be undone, as far as its row says; empty where it can be tried."""
    if operation.undone_at:
        return "Undone"
    if is_running(operation):
        return "Not finished"
    if not operation.changes:
        return "Changed nothing"
    return "Cannot be undone" if operation.action == Action.PURGE else ""
