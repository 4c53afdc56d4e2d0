"""How tasks and delivered work become documents: who owns which key, and where a text is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from artifacts.models import SearchDocument
from tasks.models import Task

PIECE = 16_000
"""Characters of a document at most, so that a hit tells where in a large work it is."""
PIECES = 64
"""How many pieces of one work are indexed, about a million characters; what is behind them, in_artifact finds."""
PARTS = 128
"""Keys that each owner has for its documents: the first names the work, the others hold its text."""
TITLE_LIMIT = 1_000
_CUT_WITHIN = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of an artifact before its text is read."""

    key: int
    public_id: str
    kind: str
    summary: str
    paths: tuple[str, ...]


def owner_of(*, task: int | None = None, artifact: int | None = None) -> int:
    """Return the number of an owner; see SearchDocument."""
    return task * 2 if task is not None else (artifact or 0) * 2 + 1


def of_task(task: Task) -> SearchDocument:
    """Return the one document of a task: its beginning, where its words are many."""
    body = "\n".join(filter(None, (task.description, task.context, task.summary)))
    return SearchDocument(
        id=owner_of(task=task.pk) * PARTS,
        project_id=task.project_id,
        task_id=task.pk,
        kind="task",
        scope=_scope(task, "task"),
        title=f"{task.title} {task.public_id}",
        body=plain(body[: 4 * PIECE]),
    )


def of_artifact(work: Work, task: Task, pieces: Iterable[tuple[int, int, str]]) -> Iterator[SearchDocument]:
    """Yield a document for each piece (its part, its offset, its text); part 0 holds what the work is about."""
    title = f"{' '.join(work.paths)} {task.title}"[:TITLE_LIMIT]
    for part, offset, text in pieces:
        yield SearchDocument(
            id=owner_of(artifact=work.key) * PARTS + part,
            project_id=task.project_id,
            task_id=task.pk,
            artifact_id=work.key,
            kind=work.kind,
            scope=f"{_scope(task, work.kind)} kartifact",
            offset=offset,
            title=title,
            body=plain(text),
        )


def head_of(work: Work) -> tuple[int, int, str]:
    """Return the piece that says what a work is about; its paths are in the title as far as they fit."""
    return 0, 0, "\n".join(filter(None, (work.summary, work.public_id, "\n".join(work.paths))))[: 4 * PIECE]


def cut(chunks: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Cut a text that comes in chunks to numbered pieces with their offsets, at a space where one is near."""
    part, offset, rest = 1, 0, ""
    for chunk in chunks:
        rest += chunk
        while len(rest) > PIECE and part <= PIECES:
            end = _end(rest)
            yield part, offset, rest[:end]
            part, offset, rest = part + 1, offset + end, rest[end:]
        if part > PIECES:
            return
    if rest:
        yield part, offset, rest


def plain(text: str) -> str:
    """Put spaces where characters are that no text holds or that mark hits; every other one keeps its place."""
    return _CONTROL.sub(" ", text)


def _end(text: str) -> int:
    for place in range(PIECE, PIECE - _CUT_WITHIN, -1):
        if text[place].isspace():
            return place
    return PIECE


def _scope(task: Task, kind: str) -> str:
    return f"p{task.project_id} t{task.pk} r{task.plan_id} k{kind}"
