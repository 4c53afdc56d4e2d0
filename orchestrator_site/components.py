"""/components/ (with DEBUG): every component of the pages in every state, to look at and to photograph."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from artifacts.selectors.cards import Card
from orchestrator_site.web.pages import page
from tasks.choices import Priority, Status
from tasks.models import Project, Task
from tasks.selectors.board import Node, Tree
from tasks.selectors.rows import Counts

_GROUNDS = ("bg", "surface", "raised", "sunken", "hover", "selected")
_TEXTS = ("text", "text-2", "text-3", "accent", "danger")


@page
def components(request: HttpRequest) -> HttpResponseBase:
    tasks = [_task(status, number) for number, status in enumerate(Status)]
    counts = Counts({status: number + 1 for number, status in enumerate(Status)})
    facts = {"tasks": tasks, "counts": counts, "grounds": _GROUNDS, "texts": _TEXTS, "priorities": Priority.labels}
    facts["cards"] = [Card(task, lease_is_over=False, has_menu=True, waits_for=4, needed_by=2) for task in tasks]
    facts["tree"] = Tree([Node(task, task.updated_at, needed_by=1, artifacts=2) for task in tasks], is_cut=False)
    return render(request, "components.html", facts)


def _task(status: str, number: int) -> Task:
    return Task(
        project=Project(name="Bookshop", slug="bookshop"), public_id=f"tester_{number:06}", title="Build the client",
        status=status, summary="One idempotency key per payment, kept across retries.", specialist="tester",
        effort="2 h", lease_holder="claude-code" if status == Status.ACTIVE else "", is_leaf=True,
        updated_at=timezone.now() - timedelta(hours=number),
    )  # fmt: skip
