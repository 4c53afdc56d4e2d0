"""The page of one task or plan."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from tasks.queries import board
from tasks.queries.brief import brief_of
from tasks.views.page import find_task, page, page_number


@page
def task(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id)
    tree = board.tree(found)
    context = {
        "task": found,
        "tree": tree,
        "counts": board.progress(found, tree),
        "brief": brief_of(found) if found.is_leaf else None,
        "needs": board.needs(found),
        "needed_by": board.needed_by(found),
        "artifacts": board.artifacts_of(found),
        "artifacts_shown": board.LINK_ROWS,
        "lease_is_over": found.lease_is_over(timezone.now()),
        "history": board.history(found, page=page_number(request)),
    }
    return render(request, "tasks/task.html", context)
