"""Lessons: what completed tasks learned and no person has decided about yet."""

from __future__ import annotations

from django.db.models import QuerySet

from orchestrator_site.kernel.errors import NotFound
from tasks.choices import NoteKind
from tasks.models import Note, Project

SHOWN = 20


def open_lessons(project: Project) -> QuerySet[Note]:
    """Return the lessons without a context, the newest first."""
    notes = Note.objects.filter(task__project=project, kind=NoteKind.LEARNED, context=None)
    return notes.select_related("task__project").order_by("-id")


def lesson_by_id(project: Project, pk: str | int) -> Note:
    """Return an open lesson by its number. Raises NotFound."""
    number = str(pk)
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    if is_number and (found := open_lessons(project).filter(pk=int(number)).first()):
        return found
    raise NotFound(f"There is no open lesson {number[:20]!r} in project {project.slug}.", next="List the lessons.")
