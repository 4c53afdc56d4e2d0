"""What a brief says about earlier attempts at its task."""

from __future__ import annotations

from orchestrator_site.kernel.text import called, quoted, shortened
from tasks.choices import Verb
from tasks.models import Task
from tasks.selectors.attempts import Tried, tried_before

CHARS = 1_500
_REASON_CHARS = 400
_GATES_CHARS = 200


def tried_in_words(task: Task) -> str:
    """Return what a brief says about earlier attempts, the newest first; empty where there was none."""
    entries: list[str] = []
    left = CHARS
    for each in tried_before(task):
        entry = _worded(each, task)
        if len(entry) + 1 > left:
            break
        entries.append(entry)
        left -= len(entry) + 1
    return "\n".join(entries)


def _worded(tried: Tried, task: Task) -> str:
    attempt = tried.attempt
    model = f" with {called(attempt.model)}" if attempt.model else ""
    when = f"{attempt.ended_at:%Y-%m-%d %H:%M} UTC"
    lines = [f"- {when}, {called(attempt.holder)}{model}: {Verb(attempt.outcome).label}."]
    if attempt.reason and attempt.reason != task.review_comment:  # which comes first in the brief
        lines.append(quoted(shortened(attempt.reason, _REASON_CHARS)))
    if tried.missed:
        gates = "; ".join(f"{gate}: {why}" if why else gate for gate, why in tried.missed.items())
        lines.append(f"Not met:\n{quoted(shortened(gates, _GATES_CHARS))}")
    return "\n".join(lines)
