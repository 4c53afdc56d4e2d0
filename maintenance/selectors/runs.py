"""Operations as pages and REST show them."""

from __future__ import annotations

from maintenance.choices import State
from maintenance.models import Operation
from tasks.models import Project
from tasks.selectors.rows import Rows, page_of

PER_PAGE = 10


def listed(project: Project, *, page: int) -> Rows[Operation]:
    rows = Operation.objects.filter(project=project).defer("report", "answer").order_by("-id")
    return page_of(rows, page=page, size=PER_PAGE)


def is_running(operation: Operation) -> bool:
    return operation.state in (State.QUEUED, State.RUNNING)
