"""The two search indexes: FTS5 on SQLite, and a generated tsvector with GIN on PostgreSQL.

Both return owners by rank (smaller is better), each with its best document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection

from artifacts.search.documents import PARTS
from artifacts.search.query_parser import Term, without_signs
from artifacts.search.time_limit import time_limit

START, STOP = "\x02", "\x03"
"""What surrounds hits in a marked text; documents hold neither."""


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look; None and empty mean everywhere."""

    project: int | None = None
    tasks: tuple[int, ...] = ()
    plan: int | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The last hit of the page before. Where it is still found, its current rank counts, so pages stay consistent."""

    rank: float
    owner: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """An owner's best document, and how many owners were found in all."""

    document: int
    owner: int
    rank: float
    total: int


class Engine(Protocol):
    def expression(self, terms: Sequence[Term], *, every: bool) -> str:
        """Return terms as this database understands them; empty where they hold nothing that is indexed."""

    def ranked(self, expression: str, within: Within, *, after: Place | None, limit: int) -> list[Ranked]:
        """Return what fits best, the best first."""

    def marked(self, expression: str, bodies: Mapping[int, str]) -> dict[int, str]:
        """Return the bodies of some documents, hits between START and STOP, all else in its place."""


_LONGEST_WORD = 2_047
"""Bytes of UTF-8 from which on PostgreSQL leaves out a word, or what is between two of them."""
_LONG = re.compile(r"\w{512,}|\W{512,}")
_FILLING = "\N{LATIN LETTER SINOLOGICAL DOT}".ljust(512)
_PAGE = """
    hits AS MATERIALIZED ({best})
    SELECT id, owner, rank, (SELECT count(*) FROM hits) AS total FROM hits WHERE {after}
    ORDER BY rank, owner LIMIT {limit:d}
"""
_AFTER = "(rank, owner) > (COALESCE((SELECT rank FROM hits WHERE owner = %s), %s), %s)"


def _page(found: str, best: str, values: list[Any], after: Place | None, limit: int) -> list[Ranked]:
    page = _PAGE.format(best=best, after=_AFTER if after else "0 = 0", limit=limit)
    place = [after.owner, after.rank, after.owner] if after else []
    rows = _rows(f"WITH found AS MATERIALIZED ({found}), {page}", [*values, *place])
    return [Ranked(*row) for row in rows]


class Sqlite:
    """FTS5. Filters are words too, in a column of their own: the index alone decides, no row is read for it."""

    def expression(self, terms: Sequence[Term], *, every: bool) -> str:
        """Return the terms as phrases, which nothing in them can break out of."""
        parts = [f'"{" ".join(term.words)}"{"*" * term.begins}' for term in terms if term.words]
        return (" AND " if every else " OR ").join(parts)

    def ranked(self, expression: str, within: Within, *, after: Place | None, limit: int) -> list[Ranked]:
        """Rank by BM25, titles four times as heavy."""
        found = f"""
            SELECT rowid AS id, rowid / {PARTS} AS owner, bm25(artifacts_searchindex, 0, 4, 1) AS rank
            FROM artifacts_searchindex WHERE artifacts_searchindex MATCH %s
        """  # noqa: S608  # a constant of ours
        best = "SELECT id, owner, min(rank) AS rank FROM found GROUP BY owner"
        asked = " AND ".join([*_scopes(within), f"{{title body}} : ({expression})"])
        return _page(found, best, [asked], after, limit)

    def marked(self, expression: str, bodies: Mapping[int, str]) -> dict[int, str]:
        """Look the documents up by their keys; there is a page of them."""
        places = ", ".join(["%s"] * len(bodies))
        statement = f"""
            SELECT rowid, highlight(artifacts_searchindex, 2, char(2), char(3))
            FROM artifacts_searchindex WHERE artifacts_searchindex MATCH %s AND rowid IN ({places})
        """  # noqa: S608  # placeholders
        return dict(_rows(statement, [f"{{title body}} : ({expression})", *bodies]))


class Postgresql:
    def expression(self, terms: Sequence[Term], *, every: bool) -> str:
        phrases = [(" <-> ".join(f"'{word}'" for word in term.words), term.begins) for term in terms if term.words]
        return (" & " if every else " | ").join(f"({words}{':*' * begins})" for words, begins in phrases)

    def ranked(self, expression: str, within: Within, *, after: Place | None, limit: int) -> list[Ranked]:
        """Rank by frequency and weight; the sign is turned, because smaller is better here."""
        conditions, values = _conditions(within)
        found = f"""
            SELECT id, id / {PARTS} AS owner, -ts_rank(vector, asked)::float8 AS rank
            FROM artifacts_searchdocument, to_tsquery('orchestrator_words', %s) asked
            WHERE {" AND ".join(["vector @@ asked", *conditions])}
        """  # noqa: S608  # the conditions are ours, their values are parameters
        best = "SELECT DISTINCT ON (owner) id, owner, rank FROM found ORDER BY owner, rank, id"
        return _page(found, best, [expression, *values], after, limit)

    def marked(self, expression: str, bodies: Mapping[int, str]) -> dict[int, str]:
        """Mark all words, in bodies with spaces in the places of punctuation."""
        statement = """
            SELECT id, ts_headline('orchestrator_words', body, to_tsquery('orchestrator_words', %s), %s)
            FROM unnest(%s::bigint[], %s::text[]) AS given (id, body)
        """
        options = f'HighlightAll=true, StartSel="{START}", StopSel="{STOP}"'
        shown = [_LONG.sub(_filled, without_signs(body)) for body in bodies.values()]
        return dict(_rows(statement, [expression, options, list(bodies), shown]))


def engine() -> Engine:
    return Sqlite() if connection.vendor == "sqlite" else Postgresql()


def _filled(found: re.Match[str]) -> str:
    """Replace what PostgreSQL would leave out with a rare letter and spaces, so that the rest keeps its place."""
    size = len(found[0])
    return found[0] if len(found[0].encode()) < _LONGEST_WORD else (_FILLING * (size // 512 + 1))[:size]


def _scopes(within: Within) -> list[str]:
    choices = [
        [f"p{within.project}"] if within.project is not None else [],
        [f"r{within.plan}"] if within.plan is not None else [],
        [f"t{key}" for key in within.tasks],
        [f"k{kind}" for kind in within.kinds],
    ]
    return [f"scope : ({' OR '.join(words)})" for words in choices if words]


def _conditions(within: Within) -> tuple[list[str], list[Any]]:
    chosen: list[tuple[str, Any]] = []
    if within.project is not None:
        chosen.append(("project_id = %s", within.project))
    if within.plan is not None:
        chosen.append(("task_id IN (SELECT id FROM tasks_task WHERE id = %s OR root_id = %s)", within.plan))
    if within.tasks:
        chosen.append(("task_id = ANY(%s)", list(within.tasks)))
    if within.kinds:
        chosen.append(("(kind = ANY(%s) OR artifact_id IS NOT NULL AND 'artifact' = ANY(%s))", list(within.kinds)))
    return [text for text, _ in chosen], [value for text, value in chosen for _ in range(text.count("%s"))]


def _rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with time_limit(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
