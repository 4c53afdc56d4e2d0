"""/components/ (with DEBUG): every component of the pages in every state, to look at and to photograph."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from orchestrator_site.web.pages import page
from tasks.choices import Priority, Status
from tasks.models import Project, Task
from tasks.selectors.rows import Counts

_GROUNDS = ("bg", "surface", "raised", "sunken", "hover", "selected")
_TEXTS = ("text", "text-2", "text-3", "accent", "danger")


@page
def components(request: HttpRequest) -> HttpResponseBase:
    tasks = [_task(status, number) for number, status in enumerate(Status)]
    counts = Counts({status: number + 1 for number, status in enumerate(Status)})
    facts = {"tasks": tasks, "counts": counts, "grounds": _GROUNDS, "texts": _TEXTS}
    return render(request, "components.html", facts | {"priorities": Priority.labels})


def _task(status: str, number: int) -> Task:
    return Task(
        project=Project(name="Bookshop", slug="bookshop"), public_id=f"tester_{number:06}", title="Build the client",
        status=status, summary="One idempotency key per payment, kept across retries.", specialist="tester",
        updated_at=timezone.now() - timedelta(hours=number),
    )  # fmt: skip
