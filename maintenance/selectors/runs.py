"""Operations as pages, REST and tools show them."""

from __future__ import annotations

from typing import Any

from maintenance.choices import State
from maintenance.models import Operation
from orchestrator_site.kernel.errors import NotFound
from tasks.models import Project
from tasks.selectors.rows import Rows, page_of

PER_PAGE = 10
OPERATION_PREFIX = "operation_"


def listed(project: Project, *, page: int) -> Rows[Operation]:
    rows = Operation.objects.filter(project=project).defer("report", "answer").order_by("-id")
    return page_of(rows, page=page, size=PER_PAGE)


def is_running(operation: Operation) -> bool:
    return operation.state in (State.QUEUED, State.RUNNING)


def operation_by_id(project: Project, public_id: str) -> Operation:
    """Return an operation of a project. Raises NotFound."""
    found = Operation.objects.filter(project=project, public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise NotFound(
            f"There is no operation {public_id[:64]!r} in project {project.slug}.",
            next="Send the operation_id that the maintenance coordinator answered.",
        )
    return found


def progress_of(operation: Operation) -> dict[str, Any]:
    """Return how far an operation is, and what it answered once it has ended."""
    return {
        "operation_id": operation.public_id,
        "action": operation.action,
        "state": operation.state,
        "done": operation.done,
        "total": operation.total,
        "problem": operation.problem or None,
        **operation.answer,
        "next": "Ask again in a few seconds." if is_running(operation) else None,
    }
