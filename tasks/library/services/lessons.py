"""Decide about a lesson of a completed task: make it a context, add it to one, or dismiss it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import transaction

from orchestrator_site.kernel import ids
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from tasks.identity.actor import Actor
from tasks.library.choices import ContextState
from tasks.library.models import Context
from tasks.library.services.context_checks import TEXT_LIMIT, changed, changing, expiry, require_well_formed
from tasks.library.services.contexts import accept_context, merge_contexts, save_context
from tasks.models import Note, Project

_NAME_WORDS, _NAME_LENGTH = 5, 40


def accept_lesson(
    *,
    project: Project,
    note: Note,
    actor: Actor,
    name: str = "",
    text: str = "",
    specialist: str | None = None,
    paths: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Context:
    """Make a lesson a context in effect, with what a person changes of it. What is empty follows from the lesson.

    Raises Forbidden, Invalid, Conflict where another context says the same or it was decided before.
    """
    actor.require(Scope.REVIEW)
    with changing(project):
        _require_open(note)
        row = save_context(
            project=project,
            actor=actor,
            name=name or name_of(note),
            text=text or note.text,
            specialist=note.task.specialist if specialist is None else specialist,
            paths=paths,
            words=words,
            sources=[note.task.public_id],
            note=note,
        )
        is_draft = row.state == ContextState.DRAFT
        return accept_context(project=project, context=row, actor=actor) if is_draft else row


def merge_lesson(*, project: Project, note: Note, into: Context, actor: Actor, text: str = "") -> Context:
    """Append a lesson to a context, with where it is from. Raises Forbidden, Invalid, Conflict."""
    actor.require(Scope.REVIEW)
    require_well_formed(project, {"text": text or note.text})
    with transaction.atomic():
        row = _decided(project, note, actor, ContextState.DRAFT, text or note.text, into.specialist)
        return merge_contexts(project=project, into=into, others=[row], actor=actor)


def dismiss_lesson(*, project: Project, note: Note, actor: Actor) -> Context:
    """Say that a lesson is not worth keeping; it is not offered again. Raises Forbidden, Conflict."""
    actor.require(Scope.REVIEW)
    return _decided(project, note, actor, ContextState.DISMISSED, note.text, note.task.specialist)


def name_of(note: Note) -> str:
    """Return a name for the context of a lesson: its first words, with its number."""
    words = re.findall(r"[a-z0-9]+", note.text.casefold())[:_NAME_WORDS]
    return f"{'-'.join(['lesson', *words])[:_NAME_LENGTH].rstrip('-')}-{note.pk}"


def _decided(project: Project, note: Note, actor: Actor, state: ContextState, text: str, specialist: str) -> Context:
    row = Context(
        project=project,
        note=note,
        state=state,
        name=name_of(note),
        text=text.strip()[:TEXT_LIMIT],
        specialist=specialist,
        sources=[note.task.public_id],
        public_id=ids.context_id(),
        expires_at=expiry(),
        saved_by=actor.name,
    )
    with changing(project):
        _require_open(note)
        row.save(force_insert=True)
        changed(project, row, actor)
    return row


def _require_open(note: Note) -> None:
    if Context.objects.filter(note=note).exists():
        raise Conflict("This lesson was decided about already.", next="See the contexts.")
