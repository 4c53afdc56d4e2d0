"""The loop that assistants run: plan, execute, complete, with delivered work of 12,534 characters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.entry_points import Call, Facts, Timed
from tests.bench.figures import Figure, times

WORK_CHARACTERS = 12_534
_PARAGRAPH = (
    "The order book is read once and kept; every change goes through one function, which writes its event in the same "
    "transaction. Callers that lose a race are reported so and look again.\n\n"
)
_STEPS = (
    ("survey", "researcher", "Find out how the order book behaves today", []),
    ("design", "architect", "Design the change", ["survey"]),
    ("compare", "researcher", "Compare what others do", ["survey"]),
    ("build", "implementer", "Build it behind a switch", ["design", "compare"]),
    ("test", "tester", "Test it with real processes", ["build"]),
    ("document", "documenter", "Document it", ["build"]),
    ("review", "reviewer", "Review it", ["test", "document"]),
    ("release", "implementer", "Turn it on", ["review"]),
)


def plan(bench: Bench) -> Iterator[Figure]:
    """Plans of 1, of 8 and of 1,000."""
    with entry_points.both(bench.home, bench.folder("plan")) as ways:
        for size, goal, peer, runs in ((1, 3, 2.5, 100), (8, 6, 9.1, 100), (1000, 150, None, 10)):
            for name, timed in ways:
                for number in range(bench.runs(runs) + 2):
                    timed(str(size), "plan_task", **plan_of(size, number))
                more = {"goal": goal, "peer": peer} if name == "pipe" else {}
                yield timed.figure(f"plan of {size:,}, {name}", str(size), skip=2, **more)


def work(bench: Bench) -> Iterator[Figure]:
    """Execute and complete, plan by plan of eight with dependencies, and read what was delivered."""
    with entry_points.both(bench.home, bench.folder("work")) as ways:
        for name, timed in ways:
            yield from _work(name, timed, bench.runs(30), is_goal=name == "pipe")
    with entry_points.both(bench.home, bench.folder("pages-written")) as ways:
        yield from _pages_written(bench, ways[0][1].call)


def work_on_large(bench: Bench) -> Iterator[Figure]:
    """The same on a board of 100,000, where finding the next task is part of both."""
    board = bench.board(bench.sizes[1])
    with entry_points.both(bench.home, board.folder) as ways:
        for name, timed in ways:
            yield from _work(f"board of {board.size:,}, {name}", timed, bench.runs(10), is_goal=name == "pipe")


def _work(name: str, timed: Timed, plans: int, *, is_goal: bool) -> Iterator[Figure]:
    for number in range(plans):
        plan_of_eight(timed, number)
    for what, tool, goal, peer in (
        ("execute", "execute", 3, 4.4),
        ("complete with 12,534 characters", "complete", 5, 5.0),
        ("12,534 characters read back", "read", 3, 4.4),
    ):
        more = {"goal": goal, "peer": peer} if is_goal else {}
        yield timed.figure(f"{what}, {name}", tool, skip=len(_STEPS), **more)


def plan_of_eight(timed: Timed, number: int) -> int:
    """Plan eight subtasks, do each by its id, and read its result. Returns the number of calls."""
    planned = timed("plan", "plan_task", **plan_of(8, number))
    for task in planned["subtasks"]:
        taken = timed("execute", "execute_subtask", task_id=task["task_id"])
        done = timed("complete", "complete_subtask", **delivery(task["task_id"], taken["lease_number"]))
        timed("read", "read_artifact", artifact_id=done["artifact_info"]["artifact_id"], limit=WORK_CHARACTERS)
    return 1 + 3 * len(planned["subtasks"])


def _pages_written(bench: Bench, call: Call) -> Iterator[Figure]:
    """How much a change adds to the write-ahead log, which is written twice in the end."""
    tasks = call("plan_task", **plan_of(8, 0))["subtasks"]
    written: dict[str, list[float]] = {"execute": [], "complete": []}
    for task in tasks:
        execute = partial(call, "execute_subtask", task_id=task["task_id"])
        complete = partial(call, "complete_subtask", **delivery(task["task_id"], 1))
        written["execute"].append(entry_points.pages_written(bench.home, execute))
        written["complete"].append(entry_points.pages_written(bench.home, complete))
    for what, pages in written.items():
        yield times(f"pages written by {what}", pages, unit="")


def plan_of(size: int, number: int) -> Facts:
    """Return the arguments of a plan: eights with the same dependencies, under keys of their own."""
    return {
        "description": f"Renew the order book, part {number}",
        "subtasks": [_subtask(place // len(_STEPS), place % len(_STEPS)) for place in range(size)],
    }


def delivery(task_id: str, lease_number: int) -> Facts:
    """Return the arguments of a completion with work that no other has."""
    return {
        "task_id": task_id,
        "lease_number": lease_number,
        "summary": "Done as described; what is left open stands at the end of the work.",
        "detailed_work": work_text(task_id),
        "next_action": "complete",
    }


def work_text(title: str) -> str:
    """Return a work of exactly 12,534 characters."""
    text = f"# {title}\n\n" + _PARAGRAPH * (WORK_CHARACTERS // len(_PARAGRAPH) + 1)
    return text[:WORK_CHARACTERS]


def _subtask(group: int, place: int) -> Facts:
    key, specialist, title, needs = _STEPS[place]
    return {
        "key": f"{key}-{group}",
        "title": f"{title} ({group})",
        "description": f"{title}. Say what you found and what is left open.",
        "specialist_type": specialist,
        "dependencies": [f"{need}-{group}" for need in needs],
    }
