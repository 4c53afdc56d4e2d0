"""The figures of a large board on which everything happened within the window: counted, read, and as a page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter, process_time
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone

from tasks.choices import Status, Verb
from tasks.insights.choices import Dimension
from tasks.insights.selectors.figures import figures_of
from tasks.insights.services.figures import count_figures
from tasks.models import Attempt, Event, Project, Session, Task
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.entry_points import Failed
from tests.bench.figures import Figure, milliseconds, times
from tests.bench.pages import signed_in

GOAL_MS, READ_GOAL_MS = 100, 20
DAYS = 25
_CLIENTS = (("claude-code", "opus"), ("codex", "gpt"), ("gemini-cli", "flash"))
_BATCH = 5_000


def insights(bench: Bench) -> Iterator[Figure]:
    """Count all figures of the large board, read them, and get the page that shows them."""
    board = bench.board(bench.sizes[1])
    _live(board)
    what = f"figures of {board.size:,} tasks"
    began, cpu = perf_counter(), process_time()
    stored = count_figures(project=board.project)
    spent, cpu = perf_counter() - began, process_time() - cpu
    yield Figure(f"{what}, counted and stored", spent, "s", cpu={"worker": cpu * 1000}, note=f"{stored:,} figures")
    _check(board.project)
    for dimension in (Dimension.PROJECT, Dimension.PLAN):
        read = milliseconds(lambda each=dimension: figures_of(board.project).of("lead", each), runs=bench.runs(50))  # type: ignore[misc]
        yield times(f"{what}, read by {dimension}", read, goal=READ_GOAL_MS)
    client, address = signed_in(), f"/projects/{board.project.slug}/insights/"
    _answer(client, address)
    samples = milliseconds(lambda: client.get(address), runs=bench.runs(30))
    yield times(f"page of {board.size:,} tasks: insights", samples, goal=GOAL_MS)


def _check(project: Project) -> None:
    figures = figures_of(project)
    done = figures.get("done")
    if not figures.is_stored or done is None or done.n != _completed(project).count():
        raise Failed("The stored figures are not those of the board.")


def _answer(client: Client, address: str) -> None:
    status = client.get(address).status_code
    if status != 200:
        raise Failed(f"{address} answered {status}.")


def _completed(project: Project) -> Any:
    return Task.objects.leaves().filter(project=project, status=Status.COMPLETED)


def _live(board: Board) -> None:
    """Write that each task was planned, and that the completed ones were done by three clients in turn.

    Every fourth of those was approved after a review, and of these every third was sent back before.
    """
    sessions = [
        Session.objects.create(
            public_id=f"session_i{place:011x}", project=board.project, connection_id=f"insights-{place}",
            client_name=client, model=model,
        )
        for place, (client, model) in enumerate(_CLIENTS)
    ]  # fmt: skip
    keys = Task.objects.leaves().filter(project=board.project).order_by("pk").values_list("pk", "status")
    first = timezone.now() - timedelta(days=DAYS)
    step = timedelta(days=DAYS - 1) / board.size
    rows = list(keys)
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        with transaction.atomic():
            dated = ((pk, status, first + (start + place) * step) for place, (pk, status) in enumerate(batch))
            _write(board.project, sessions, dated)


def _write(project: Project, sessions: list[Session], tasks: Iterator[tuple[int, str, datetime]]) -> None:
    events, attempts = [], []
    for pk, status, at in tasks:
        events.append(_event(project, pk, Verb.PLAN, at, status=Status.PENDING))
        if status == Status.COMPLETED:
            for lease, (is_reviewed, verdict) in enumerate(_tries(pk), start=1):
                begun = at + timedelta(hours=lease)
                ended = begun + timedelta(minutes=pk % 45)
                to = Status.IN_REVIEW if is_reviewed else Status.COMPLETED
                events.append(_event(project, pk, Verb.CLAIM, begun, status=Status.ACTIVE, lease_number=lease))
                events.append(_event(project, pk, Verb.COMPLETE, ended, status=to, summary="Done."))
                if is_reviewed:
                    to = Status.COMPLETED if verdict == Verb.APPROVE else Status.NEEDS_REVISION
                    events.append(_event(project, pk, verdict, ended + timedelta(minutes=5), status=to))
                outcome = Verb.COMPLETE if verdict == Verb.APPROVE else verdict
                attempts.append(_attempt(pk, lease, sessions[(pk + lease) % 3], outcome, begun, ended))
    Event.objects.bulk_create(events)
    Attempt.objects.bulk_create(attempts)


def _tries(task: int) -> list[tuple[bool, Verb]]:
    """Return for each claim of a completed task whether its delivery was reviewed, and the verdict."""
    if task % 4:
        return [(False, Verb.APPROVE)]
    return [(True, Verb.REQUEST_REVISION)] * (task % 3 == 0) + [(True, Verb.APPROVE)]


def _attempt(task: int, lease: int, session: Session, outcome: Verb, begun: datetime, ended: datetime) -> Attempt:
    return Attempt(
        task_id=task, lease_number=lease, session=session, client=session.client_name, model=session.model,
        outcome=outcome, started_at=begun, ended_at=ended, read_tokens=20_000 + 1_000 * (task % 90),
        written_tokens=900 + 10 * (task % 90), cost_usd=Decimal("0.25"),
    )  # fmt: skip


def _event(project: Project, task: int, verb: Verb, at: datetime, **after: Any) -> Event:
    return Event(
        project=project, task_id=task, actor_kind="assistant", actor_name="bench", verb=verb, after=after, created_at=at
    )
