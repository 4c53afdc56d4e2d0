"""What would balance the work better: proposals, each with its reason. Nothing that is held is ever moved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Max
from django.utils import timezone

from tasks.choices import Complexity, Priority, Status
from tasks.insights.choices import Dimension, Horizon, Name
from tasks.insights.selectors.figures import Figures, figures_of
from tasks.insights.selectors.workload import THRESHOLD, Workload, workload_of
from tasks.models import Event, Project, Session, Task
from tasks.project_settings import setting

OLD = timedelta(days=7)
SEEN = timedelta(minutes=15)
"""A client that called within this time is there."""
SHOWN = 3  # proposals of a kind
_UNBLOCKS = 2
_TOKEN = 16


class Kind(StrEnum):
    BOOST = "boost"
    ASSIGN = "assign"
    SPLIT = "split"
    REVIEW = "review"


APPLIED = (Kind.BOOST, Kind.ASSIGN)
"""What can be applied; how to split a task, and who reviews, is for others to say."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change to one task; `arguments` are those of its verb."""

    kind: Kind
    task: Task
    reason: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def priority(self) -> str | None:
        return Priority(self.arguments["priority"]).label if "priority" in self.arguments else None

    @property
    def client(self) -> str | None:
        return self.arguments.get("client")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be balanced: proposals of one request are applied by the same one."""

    horizon: Horizon = Horizon.DAILY
    threshold: float = THRESHOLD
    specialist: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    workload: Workload
    proposals: list[Proposal]
    plan_token: str
    is_off: bool = False


def preview_of(project: Project, request: Request) -> Preview:
    """Return what would balance the work better, and the token that applies exactly that."""
    figures = figures_of(project)
    workload = workload_of(
        project, figures, horizon=request.horizon, threshold=request.threshold, specialist=request.specialist
    )
    is_off = setting(project, "routing.rebalance") == "off"
    proposals = [] if is_off else list(_proposals(project, request, figures, workload))
    return Preview(workload, proposals, token_of(request, proposals) if proposals else "", is_off)


def token_of(request: Request, proposals: Sequence[Proposal]) -> str:
    """Return the hash of what would be done, and of the newest event of the tasks that it would be done to."""
    rows = [[each.kind, each.task.pk, each.arguments] for each in proposals]
    newest = Event.objects.filter(task__in=[each.task.pk for each in proposals]).aggregate(newest=Max("pk"))["newest"]
    asked = [request.horizon, request.threshold, request.specialist]
    return hashlib.sha256(json.dumps([asked, rows, newest]).encode()).hexdigest()[:_TOKEN]


def _proposals(project: Project, request: Request, figures: Figures, workload: Workload) -> Iterator[Proposal]:
    of_whom = {"specialist": request.specialist} if request.specialist else {}
    ready = Task.objects.filter(project=project, is_ready=True, **of_whom).select_related("project")
    for task in ready.filter(priority__lt=Priority.HIGH, unblocks__gte=_UNBLOCKS).order_by("-unblocks", "pk")[:SHOWN]:
        yield Proposal(Kind.BOOST, task, f"{task.unblocks} tasks wait for it", {"priority": Priority.HIGH.value})
    old = ready.filter(complexity=Complexity.VERY_COMPLEX, created_at__lt=timezone.now() - OLD)
    for task in old.order_by("created_at", "pk")[:SHOWN]:
        yield Proposal(Kind.SPLIT, task, f"very complex, and ready for more than {OLD.days} days")
    yield from _wishes(project, workload)
    yield from _reviews(project, request, figures)


def _wishes(project: Project, workload: Workload) -> Iterator[Proposal]:
    """Give clients that have nothing in hand a task each of the specialists with too much, where several are there."""
    there = Session.objects.filter(
        project=project, ended_at__isnull=True, last_seen_at__gte=timezone.now() - SEEN
    ).exclude(client_name="")
    rows = [(name.lower(), held) for name, held in there.values_list("client_name", Max("leased_tasks"))]
    clients, busy = {name for name, _ in rows}, {name for name, held in rows if held}
    free = sorted(clients - busy) if len(clients) > 1 else []
    for load, client in zip(workload.over[:SHOWN], free, strict=False):
        unwished = Task.objects.ready().filter(project=project, specialist=load.specialist, for_client="", for_model="")
        if (task := unwished.select_related("project").first()) is not None:
            times = f"{load.share:.1f} times" if load.share else "more than"
            reason = f"{load.specialist} has {times} what it finishes, and {client} has nothing in hand"
            yield Proposal(Kind.ASSIGN, task, reason, {"client": client})


def _reviews(project: Project, request: Request, figures: Figures) -> Iterator[Proposal]:
    """Ask for reviews where tasks wait longer for them than they take."""
    about = (Dimension.SPECIALIST, request.specialist) if request.specialist else (Dimension.PROJECT, "")
    wait, work = figures.get(Name.REVIEW_WAIT, *about), figures.get(Name.WORK, *about)
    if wait is None or work is None or not wait.is_enough or not work.is_enough or wait.value <= work.value:
        return
    of_whom = {"specialist": request.specialist} if request.specialist else {}
    reviewed = Task.objects.on_board().leaves().filter(project=project, status=Status.IN_REVIEW, **of_whom)
    if (task := reviewed.order_by("active_at", "pk").first()) is not None:
        yield Proposal(
            Kind.REVIEW, task, f"reviews take longer than the tasks (median of {wait.n}): ask another reviewer"
        )
