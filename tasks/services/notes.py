"""Keep what a delivery says it decided and learned, for whoever continues without its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_site.kernel.compiled import insert_all
from orchestrator_site.kernel.limits import check_texts
from tasks.choices import NoteKind
from tasks.identity.actor import Actor
from tasks.models import Note, Task

NOTES_LIMIT = 20
"""Decisions of one delivery, and as many lessons."""
Decision = Mapping[str, str] | str
"""What was decided (`text`), `because` and `instead_of`; a string is the text alone."""
_FIELDS = ("text", "because", "instead_of")


def notes_of(decisions: Sequence[Decision], learned: Sequence[str]) -> list[Note]:
    """Return what was said as unsaved rows."""
    said = [{"text": each} if isinstance(each, str) else each for each in decisions]
    made = [Note(kind=NoteKind.DECISION, **{name: each.get(name, "").strip() for name in _FIELDS}) for each in said]
    return made + [Note(kind=NoteKind.LEARNED, text=each.strip()) for each in learned]


def note_problems(notes: Sequence[Note]) -> list[dict[str, Any]]:
    """Return what is wrong with notes, each with its place in the call."""
    problems: list[dict[str, Any]] = []
    for kind, name in ((NoteKind.DECISION, "decisions"), (NoteKind.LEARNED, "learned")):
        said = [note for note in notes if note.kind == kind]
        if len(said) > NOTES_LIMIT:
            problems.append({"at": name, "problem": f"has {len(said):,} entries, {NOTES_LIMIT} are allowed"})
        for place, note in enumerate(said[:NOTES_LIMIT]):
            problems += _problems(note, f"{name}[{place}]")
    return problems


def _problems(note: Note, at: str) -> list[dict[str, Any]]:
    if not note.text:
        return [{"at": at, "problem": "has no text"}]
    found = check_texts({"note": note.text, "because": note.because, "instead_of": note.instead_of}, at=f"{at}.")
    return [{**each, "at": each["at"].replace(".note", ".text")} for each in found]


def keep_notes(notes: Sequence[Note], *, task: Task, actor: Actor) -> None:
    """Save notes on a task, in the transaction of its delivery."""
    for note in notes:
        note.task, note.session, note.actor_name = task, actor.session, actor.name
    insert_all(notes)
