"""Search for tasks and artifacts, whatever the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from artifacts.models import Artifact, SearchDocument
from artifacts.search import cursors
from artifacts.search.documents import PARTS
from artifacts.search.engines import START, STOP, Place, Ranked, Within, engine
from artifacts.search.inside import TOTAL_LIMIT, find_places
from artifacts.search.query_parser import terms_of
from artifacts.search.snippets import Snippet, snippet_of, spans_of
from artifacts.selectors.artifacts import version_of
from orchestrator_site.kernel.errors import Invalid
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

LIMIT = 50
LIMIT_DEFAULT = 10
_BELOW = 500


@dataclass(frozen=True, slots=True)
class Hit:
    """A task, or an artifact of one, with the words around what was looked for.

    `snippet.offset` is where to read the artifact from; of a task it says nothing.
    """

    task: Task
    artifact: Artifact | None
    snippet: Snippet

    @property
    def kind(self) -> str:
        """`task`, or the kind of the artifact."""
        return self.artifact.kind if self.artifact else "task"

    @property
    def path(self) -> str | None:
        """The first path of the artifact; None where it has none."""
        return next((each.path for each in self.artifact.paths.all()), None) if self.artifact else None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits. Where nothing holds every term, `every` is false and the hits hold any of them."""

    hits: list[Hit]
    total: int
    every: bool = True
    cursors: tuple[str, ...] = ()
    has_more: bool = False
    total_is_least: bool = False

    def cursor_after(self, shown: int) -> str | None:
        """Return the cursor after that many of the hits; None where nothing follows."""
        return self.cursors[shown - 1] if shown and (self.has_more or shown < len(self.hits)) else None


def search(
    query: str,
    *,
    project: Project | None,
    kinds: Sequence[str] = (),
    task: Task | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Found:
    """Return what fits some words best, in one project or in all, the best first.

    `task` narrows it to a task with all that is below it, `kinds` to `task`, `artifact`, or kinds of artifacts. Raises
    Invalid for a query or a cursor that cannot be.
    """
    terms = terms_of(query)
    question = repr((query, project and project.pk, sorted(kinds), task and task.pk))
    place = cursors.read(cursor, question)
    within = _within(project, task, kinds)
    for every in [place.every] if place else [True, False] if len(terms) > 1 else [True]:
        expression = engine().expression(terms, every=every)
        after = place.place if place else None
        ranked = engine().ranked(expression, within, after=after, limit=limit + 1) if expression else []
        if ranked:
            return _found(question, expression, ranked, limit, every)
    return Found([], 0)


def search_inside(query: str, artifact: Artifact, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Found:
    """Return the places of an artifact's latest version that hold some words, in their order.

    Raises Invalid for a bad query or cursor and for binary content, Damaged.
    """
    terms = terms_of(query)
    version = version_of(artifact)
    if version.content.size_chars is None:
        raise Invalid(f"{artifact.public_id} is not a text.", next="Read its bytes instead.")
    question = repr((query, artifact.pk, version.number))
    place = cursors.read(cursor, question)
    after = int(place.place.rank) if place else -1
    for every in [place.every] if place else [True, False] if len(terms) > 1 else [True]:
        inside = find_places(version.content, terms, every=every, after=after, limit=limit)
        if inside.total:
            break
    hits = [Hit(artifact.task, artifact, match.snippet) for match in inside.lines]
    after_each = tuple(cursors.written(question, every, Place(match.offset, artifact.pk)) for match in inside.lines)
    return Found(
        hits, inside.total, every, after_each, inside.has_more, inside.has_more and inside.total >= TOTAL_LIMIT
    )


MOST_FOUND = 1_000
"""Tasks that a list is narrowed to by a search, at most; the best matches."""


def tasks_found(project: Project, text: str, *, limit: int = MOST_FOUND) -> list[int]:
    """Return the primary keys of the tasks that some words fit best, the last word as the beginning of one."""
    if not text:
        return []
    terms = terms_of(f"{text}*" if text[-1:].isalnum() else text)
    expression = engine().expression(terms, every=True)
    if not expression:
        return []
    ranked = engine().ranked(expression, Within(project.pk, kinds=("task",)), after=None, limit=limit)
    return [row.owner // 2 for row in ranked]


def _within(project: Project | None, task: Task | None, kinds: Sequence[str]) -> Within:
    key = project.pk if project else None
    if task is None:
        return Within(key, kinds=tuple(kinds))
    if task.is_plan:
        return Within(key, plan=task.pk, kinds=tuple(kinds))
    below = () if task.is_leaf else sorted(descendants_of([task.pk]))[:_BELOW]
    return Within(key, tasks=(task.pk, *below), kinds=tuple(kinds))


def _found(question: str, expression: str, ranked: list[Ranked], limit: int, every: bool) -> Found:
    rows, total = ranked[:limit], ranked[0].total
    documents = SearchDocument.objects.select_related("task", "task__project", "artifact")
    by_key = documents.prefetch_related("artifact__paths").in_bulk([row.document for row in rows])
    marked = engine().marked(expression, {key: document.body for key, document in by_key.items()})
    # What was removed between the two queries is left out.
    there = [row for row in rows if row.document in by_key]
    hits = [_hit(by_key[row.document], marked.get(row.document, "")) for row in there]
    after_each = tuple(cursors.written(question, every, Place(row.rank, row.owner)) for row in there)
    return Found(hits, total, every, after_each, len(ranked) > limit)


def _hit(document: SearchDocument, marked: str) -> Hit:
    snippet = snippet_of(document.body, spans_of(marked, START, STOP), offset=document.offset)
    if document.artifact and not document.pk % PARTS:  # its summary was found, so reading starts at the beginning
        snippet = Snippet(0, snippet.pieces)
    return Hit(document.task, document.artifact, snippet)
