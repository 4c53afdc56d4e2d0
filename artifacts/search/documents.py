"""How tasks and artifacts become search documents: their keys, and where a text is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from artifacts.models import Artifact, SearchDocument
from tasks.models import Task

PIECE = 16_000
"""The most characters in a document, so that a hit shows where in a large artifact it is."""
PIECES = 64
"""How many pieces of one artifact are indexed, about a million characters; in_artifact finds the rest."""
PARTS = 128
"""Keys of the documents of each owner: the first describes the artifact, the others hold its text."""
TITLE_LIMIT = 1_000
_CUT_WITHIN = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def owner_of(*, task: int | None = None, artifact: int | None = None) -> int:
    """Return the number of an owner (see SearchDocument)."""
    return task * 2 if task is not None else (artifact or 0) * 2 + 1


def of_task(task: Task) -> SearchDocument:
    """Return the one document of a task, cut where it is long."""
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


def of_artifact(
    artifact: Artifact, paths: Sequence[str], task: Task, pieces: Iterable[tuple[int, int, str]]
) -> Iterator[SearchDocument]:
    """Yield a document for each piece (its part, its offset, its text); part 0 describes the artifact."""
    title = f"{' '.join(paths)} {task.title}"[:TITLE_LIMIT]
    for part, offset, text in pieces:
        yield SearchDocument(
            id=owner_of(artifact=artifact.pk) * PARTS + part,
            project_id=task.project_id,
            task_id=task.pk,
            artifact_id=artifact.pk,
            kind=artifact.kind,
            scope=f"{_scope(task, artifact.kind)} kartifact",
            offset=offset,
            title=title,
            body=plain(text),
        )


def head_of(artifact: Artifact, paths: Sequence[str]) -> tuple[int, int, str]:
    """Return the piece that describes an artifact; its paths are in the title as far as they fit."""
    return 0, 0, "\n".join(filter(None, (artifact.summary, artifact.public_id, *paths)))[: 4 * PIECE]


def cut(chunks: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Cut a text that comes in chunks to numbered pieces with their offsets, at a space where one is near."""
    part, offset, rest = 1, 0, ""
    for chunk in chunks:
        rest += chunk
        while len(rest) > PIECE and part <= PIECES:
            near = (place for place in range(PIECE, PIECE - _CUT_WITHIN, -1) if rest[place].isspace())
            end = next(near, PIECE)
            yield part, offset, rest[:end]
            part, offset, rest = part + 1, offset + end, rest[end:]
        if part > PIECES:
            return
    if rest:
        yield part, offset, rest


def plain(text: str) -> str:
    """Replace control characters, which also mark hits, with spaces; all others keep their places."""
    return _CONTROL.sub(" ", text)


def _scope(task: Task, kind: str) -> str:
    return f"p{task.project_id} t{task.pk} r{task.plan_id} k{kind}"
