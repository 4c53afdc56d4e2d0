"""Suggest a specialist for a task or for what is to be planned, and keep what was shown."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import invalid
from tasks.identity.actor import Actor
from tasks.insights.choices import Kind
from tasks.insights.models import Suggestion
from tasks.insights.selectors.routing import Answer, suggest_specialist
from tasks.insights.services.suggestions import show
from tasks.models import Project, Task


@dataclass(frozen=True, slots=True)
class Suggested:
    """`shown` is the row that remembers it; none where nothing was suggested, or the database is read-only."""

    answer: Answer
    shown: Suggestion | None


def suggest(*, project: Project, actor: Actor, requirements: str = "", task: Task | None = None) -> Suggested:
    """Suggest two specialists for a task, or for requirements: their first line counts as the title.

    It needs no more than reading: what was shown is remembered as the use of a tool is. Nothing is ever assigned by it.
    Raises Invalid where there is neither.
    """
    title, _, details = (task.title, "", task.description) if task else requirements.strip().partition("\n")
    if not title.strip():
        raise invalid([{"at": "task_requirements", "problem": "is required: a title, and then details"}])
    answer = suggest_specialist(project, title, details)
    if not answer.choices or read_only.is_on():
        return Suggested(answer, None)
    return Suggested(answer, show(project=project, actor=actor, kind=Kind.SPECIALIST, answer=answer, task=task))
