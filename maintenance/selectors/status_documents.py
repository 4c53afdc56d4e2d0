"""The text of status documents, from the rows alone: the same data give the same bytes.

What people wrote is on one line, or quoted, and `<` never begins a tag or a comment in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db.models import Count

from orchestrator_site.kernel.text import quoted, shortened, visible
from tasks.choices import WAITS_FOR_A_PERSON, NoteKind, Status
from tasks.models import Note, Project, Task, TaskQuerySet
from tasks.selectors import counts
from tasks.state_machine import UNFINISHED

PLANS_SHOWN = 50
WAITING_SHOWN = 30
DECISIONS_SHOWN = 500
TREE_SHOWN = 2_000
_TITLE = 160
_TEXT = 2_000
_OPEN = list(UNFINISHED)


def open_plans(project: Project) -> TaskQuerySet:
    return (
        Task.objects.filter(project=project).on_board().plans().filter(status__in=_OPEN).order_by("-active_at", "-pk")
    )


def status_text(project: Project) -> str:
    """Return the counts of a project, its open plans, the last active first, and what waits for a person."""
    number, plans = open_plans(project).count(), list(open_plans(project)[:PLANS_SHOWN])
    tasks = Task.objects.filter(project=project).on_board().leaves()
    waiting = tasks.filter(status__in=WAITS_FOR_A_PERSON).order_by("status", "pk")
    shown, waits = list(waiting[:WAITING_SHOWN]), waiting.count()
    return _joined(
        [
            f"# Status of {_line(project.name)}",
            _counts(counts.of_project(project)),
            "## Open plans",
            *_list(map(_plan_line, plans, _progress(plans)), number),
            "## Waits for a person",
            *_list(map(_waiting_line, shown), waits),
        ]
    )


def plan_text(plan: Task) -> str:
    """Return the tree of a plan with the state of each task."""
    rows = list(Task.objects.within(plan).on_board().exclude(pk=plan.pk).order_by("position", "pk")[: TREE_SHOWN + 1])
    tree = [f"{'  ' * (row.depth - 1)}- {_task(row)}" for row in rows[:TREE_SHOWN]] or ["It has no subtasks."]
    if len(rows) > TREE_SHOWN:
        tree.append(f"\nOnly the first {TREE_SHOWN:,} subtasks are shown.")
    return _joined(
        [
            f"# {_line(plan.title)}",
            f"{plan.public_id}, {plan.status}. {_counts(counts.of_tree(plan.pk))}".rstrip(),
            *([_quoted(plan.description)] if plan.description else []),
            "## Subtasks",
            "\n".join(tree),
        ]
    )


def decisions_text(project: Project) -> str:
    """Return what was decided, the newest first, with the reason and what was decided against."""
    notes = Note.objects.filter(task__project=project, kind=NoteKind.DECISION).select_related("task").order_by("-id")
    number = notes.count()
    sections = [part for note in notes[:DECISIONS_SHOWN] for part in _decision(note)]
    more = [f"{number - DECISIONS_SHOWN:,} older ones are not shown."] if number > DECISIONS_SHOWN else []
    return _joined([f"# Decisions in {_line(project.name)}", *(sections or ["None yet."]), *more])


def _decision(note: Note) -> Iterator[str]:
    yield f"## {_line(note.task.title)}"
    yield f"{note.task.public_id}, {note.created_at:%Y-%m-%d}, {_line(note.actor_name)}"
    for label, text in (("", note.text), ("Because:", note.because), ("Instead of:", note.instead_of)):
        if text:
            yield f"{label}\n\n{_quoted(text)}".strip()


def _progress(plans: list[Task]) -> list[dict[str, int]]:
    """Count the leaves of some plans by status, in one statement."""
    rows = Task.objects.filter(root__in=plans).on_board().leaves().order_by().values_list("root", "status")
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for root, status, number in rows.annotate(Count("pk")):
        found[root][status] = number
    return [found[plan.pk] or {plan.status: 1} for plan in plans]


def _plan_line(plan: Task, by_status: dict[str, int]) -> str:
    done = counts.progress(by_status)
    return f"- {_task(plan)}: {done['completed']} of {done['total']} completed"


def _waiting_line(task: Task) -> str:
    why = f": {_line(task.reason)}" if task.reason and task.status != Status.IN_REVIEW else ""
    return f"- {_task(task)}{why}"


def _task(task: Task) -> str:
    return f"{task.public_id} {task.status}: {_line(task.title)}"


def _list(lines: Iterable[str], total: int) -> list[str]:
    shown = list(lines)
    more = [f"{total - len(shown):,} more are not shown."] if total > len(shown) else []
    return ["\n".join(shown) or "None.", *more]


def _counts(by_status: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in by_status.items()) + "." if by_status else "No tasks."


def _line(text: str) -> str:
    return _harmless(shortened(text, _TITLE))


def _quoted(text: str) -> str:
    return _harmless(quoted(text[:_TEXT].rstrip() + ("…" if len(text) > _TEXT else "")))


def _harmless(text: str) -> str:
    return visible(text, besides="\n").replace("&", "&amp;").replace("<", "&lt;")


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"
