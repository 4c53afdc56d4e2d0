"""Maintenance of a large board of which nine tenths can be archived, and what that is worth to the calls after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from statistics import median
from time import perf_counter, process_time
from unittest import mock

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from artifacts.search.index import index_tasks
from maintenance.jobs import run_operation
from maintenance.models import Operation
from maintenance.services.run import run
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.claim import claim_next
from tests.bench import boards, entry_points
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.entry_points import Call, Facts, Failed
from tests.bench.figures import Figure, Samples, milliseconds, times

SHARE = 0.9
FASTER = 0.6
"""What share of its time a call may take once nine tenths of its board are archived."""
_TOGETHER = 5_000
_CLEANUP = {"action": "scan_cleanup", "scope": "full_project", "validation_level": "comprehensive"}


def maintenance(bench: Bench) -> Iterator[Figure]:
    """The coordinator on one board, then calls on it and, in turn with them, on an equal one that was not archived."""
    kept, board = (_board(bench, f"maintenance-{name}") for name in ("kept", "archived"))
    what = f"maintenance of {board.size:,}"
    call = entry_points.in_process(board.folder)
    for action, goal in (("validate_structure", 50), ("prepare_handover", 100)):
        ask = _asking(call, action)
        yield times(f"{what}, {action}, basic", milliseconds(ask, runs=bench.runs(30)), goal=goal)
    yield from _archived(what, call, board)
    run(name="optimise")
    for name, before, after in _compared(kept, board, bench.runs(100)):
        yield times(f"{name} of {board.size:,}, nothing archived", before)
        yield times(f"{name} of {board.size:,}, {SHARE:.0%} archived", after)
        yield Figure(f"{name}, time with {SHARE:.0%} archived / without", median(after) / median(before), "", FASTER)


def _asking(call: Call, action: str) -> Callable[[], object]:
    return lambda: call("maintenance_coordinator", action=action, scope="full_project")


def _board(bench: Bench, name: str) -> Board:
    """Make a board whose first nine of ten plans were completed a hundred days ago; search knows all of its tasks."""
    board = boards.build(bench.home.parent / name, bench.sizes[1])
    plans = list(Task.objects.filter(project=board.project).plans().order_by("pk").values_list("pk", flat=True))
    last, then = plans[int(len(plans) * SHARE) - 1], timezone.now() - timedelta(days=100)
    old = Task.objects.filter(Q(pk__lte=last, root=None) | Q(root__lte=last), project=board.project)
    old.update(
        status=Status.COMPLETED, is_ready=False, summary="Done.", completed_at=then, updated_at=then, active_at=then,
        lease_session=None, lease_holder="", lease_expires_at=None,
    )  # fmt: skip
    tasks = Task.objects.filter(project=board.project).order_by("pk")
    for start in range(0, tasks.count(), _TOGETHER):
        with transaction.atomic():
            index_tasks(tasks[start : start + _TOGETHER])
    return board


def _archived(what: str, call: Call, board: Board) -> Iterator[Figure]:
    """Preview and apply, each as an operation that the worker does; here it is done in this process."""
    with _write_transactions() as writes:
        began, cpu = perf_counter(), process_time()
        preview = _operated(call)
        _operated(call, apply=True, plan_token=preview.answer["plan_token"])
        spent, cpu = perf_counter() - began, process_time() - cpu
    left, plans = Task.objects.filter(project=board.project).plans(), board.size // boards.PLAN_SIZE
    if left.on_board().count() != plans - int(plans * SHARE):
        raise Failed("Not exactly the old plans are archived.")
    yield Figure(f"{what}, comprehensive, preview and apply", spent, "s", 5, cpu={"worker": cpu * 1000})
    typical = times("", writes)
    longest = Figure(f"{what}, comprehensive, longest write transaction", max(writes), "ms", 50)
    yield replace(longest, best=typical.best, p95=typical.p95, runs=typical.runs)


def _operated(call: Call, **arguments: object) -> Operation:
    run(name="heartbeat")  # the coordinator leaves to a worker what is long, if one runs
    queued: Facts = call("maintenance_coordinator", **_CLEANUP, **arguments)
    run_operation(queued["operation_id"])
    operation = Operation.objects.get(public_id=queued["operation_id"])
    if operation.problem:
        raise Failed(operation.problem)
    return operation


@contextmanager
def _write_transactions() -> Iterator[list[float]]:
    """Note how long each transaction keeps other writers waiting: from its beginning to the end of its commit."""
    taken: list[float] = []
    began = perf_counter()
    commit = connection._commit  # type: ignore[attr-defined]

    def execute(execute: Callable[..., object], sql: str, *rest: object) -> object:
        nonlocal began
        result = execute(sql, *rest)
        if sql.startswith("BEGIN"):
            began = perf_counter()
        return result

    def committed() -> None:
        commit()
        taken.append((perf_counter() - began) * 1000)

    with connection.execute_wrapper(execute), mock.patch.object(connection, "_commit", committed):
        yield taken


def _compared(kept: Board, archived: Board, runs: int) -> Iterator[tuple[str, Samples, Samples]]:
    """Call by call on both boards in turn, so that whatever else the machine does slows both down."""
    ways = zip(_calls(kept).items(), _calls(archived).values(), strict=True)
    for (name, on_kept), on_archived in ways:
        samples: tuple[list[float], list[float]] = ([], [])
        for _ in range(runs):
            for each, found in zip((on_kept, on_archived), samples, strict=True):
                found += milliseconds(each, runs=1, warm_up=0 if found else 2)
        yield name, *samples


def _calls(board: Board) -> dict[str, Callable[[], object]]:
    call = entry_points.in_process(board.folder)
    return {
        "get_status": lambda: call("get_status"),
        "search": lambda: call("search", query="invoice export"),
        "next task, claimed": lambda: _claim(board),
    }


def _claim(board: Board) -> None:
    with transaction.atomic():
        claim_next(project=board.project, actor=Actor.system("bench"))
        transaction.set_rollback(True)
