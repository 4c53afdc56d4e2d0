"""The tools search and list_artifacts."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from artifacts.search.listing import Listed, artifacts_of
from artifacts.search.service import LIMIT, LIMIT_DEFAULT, Found, Hit, search, search_inside
from artifacts.selectors.artifacts import artifact_by_id
from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.text import shortened, within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from tasks import serializers
from tasks.models import Project
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller

Answer = dict[str, Any]
KindWord = Literal["task", "artifact", "code", "documentation", "analysis", "design", "test", "config", "general"]
ArtifactWord = Literal["code", "documentation", "analysis", "design", "test", "config", "general"]
SNIPPET_BYTES = 320
SUMMARY_BYTES = 160
PATHS = 3
PATH_LENGTH = 100


class Search(Arguments):
    aliases: ClassVar[dict[str, str]] = {"q": "query", "artifact_id": "in_artifact", "text": "query"}
    query: str = Field(max_length=LONG, description='Words; "a phrase" in quotes, begin* for a prefix')
    kinds: list[KindWord] = Field([], description="Default: tasks and artifacts of all kinds")
    task_id: str | None = Field(None, description="Only this task or plan and everything below it")
    in_artifact: str | None = Field(None, description="Every match in one artifact, in its order")
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT)
    cursor: str | None = None
    session_id: str | None = None


@tool(
    "orchestrator_search",
    title="Search",
    description="Find tasks and artifacts by words, the best first; read on with orchestrator_read_artifact at the "
    "offset of a hit.",
    arguments=Search,
    toolset="artifacts",
    read_only=True,
    idempotent=True,
    is_long=True,
)
def search_tool(caller: Caller, given: Search) -> Answer:
    project = caller.session(given.session_id).project
    found = _found(project, given)
    hits = serializers.within(found.hits, _hit if given.in_artifact is None else _place)
    cursor = found.cursor_after(len(hits))
    return {
        "hits": hits,
        "total": found.total,
        "total_is_least": found.total_is_least or None,
        "cursor": cursor,
        "next": _next(found, cursor),
    }


def _found(project: Project, given: Search) -> Found:
    query, kinds, limit, cursor = given.query, given.kinds, given.limit, given.cursor
    if given.in_artifact is None:
        task = task_by_id(project, given.task_id) if given.task_id is not None else None
        return search(query, project=project, kinds=kinds, task=task, limit=limit, cursor=cursor)
    if kinds or given.task_id is not None:
        problem = {"at": "in_artifact", "problem": "cannot be combined with kinds or task_id"}
        raise invalid([problem], next="Omit them.")
    return search_inside(query, artifact_by_id(project, given.in_artifact), limit=limit, cursor=cursor)


def _hit(hit: Hit) -> Answer:
    facts: Answer = {"kind": hit.kind, "task_id": hit.task.public_id}
    if hit.artifact is None:
        facts |= {"title": shortened(hit.task.title, serializers.TITLE_LENGTH), "status": hit.task.status}
    else:
        path = _short_path(hit.path) if hit.path else None
        facts |= {"artifact_id": hit.artifact.public_id, "path": path, "offset": hit.snippet.offset}
    return {**facts, "snippet": within_bytes(hit.snippet.text, SNIPPET_BYTES)}


def _place(hit: Hit) -> Answer:
    return {"offset": hit.snippet.offset, "snippet": within_bytes(hit.snippet.text, SNIPPET_BYTES)}


def _next(found: Found, cursor: str | None) -> str | None:
    if not found.hits:
        return "No hits: try fewer or other words." if not found.total else None
    some = None if found.every else "Nothing matches every word; these match some."
    more = "Send the cursor for more." if cursor else None
    return " ".join(filter(None, (some, more))) or None


class ListArtifacts(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "task_id", "parent_task_id": "task_id", "file_path": "path"}
    task_id: str | None = Field(None, description="Of a task, or of a plan and everything below it")
    path: str | None = Field(None, description="A file, or a folder with everything in it")
    kinds: list[ArtifactWord] = []
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT)
    cursor: str | None = None
    session_id: str | None = None


@tool(
    "orchestrator_list_artifacts",
    title="List artifacts",
    description="List artifacts, the newest first: of the project, a task, a plan, or a path.",
    arguments=ListArtifacts,
    toolset="artifacts",
    read_only=True,
    idempotent=True,
)
def list_artifacts(caller: Caller, given: ListArtifacts) -> Answer:
    project = caller.session(given.session_id).project
    task = task_by_id(project, given.task_id) if given.task_id is not None else None
    page = artifacts_of(project, task=task, path=given.path, kinds=given.kinds, limit=given.limit, cursor=given.cursor)
    rows = serializers.within(page.rows, _row)
    cursor = page.cursor_after(len(rows))
    return {
        "artifacts": rows,
        "total": page.total,
        "cursor": cursor,
        "next": "Send the cursor for more." if cursor else None,
    }


def _row(row: Listed) -> Answer:
    return {
        "artifact_id": row.artifact_id,
        "task_id": row.task_id,
        "kind": row.kind,
        "version": row.version if row.version > 1 else None,
        "size_chars": row.size_chars,
        "size_bytes": row.size_bytes if row.size_chars is None else None,
        "file_paths": [_short_path(path) for path in row.paths[:PATHS]],
        "file_paths_total": len(row.paths) if len(row.paths) > PATHS else None,
        "summary": within_bytes(shortened(row.summary, SUMMARY_BYTES), SUMMARY_BYTES),
    }


def _short_path(path: str) -> str:
    """Shorten a path from its start, which says the least."""
    return path if len(path) <= PATH_LENGTH else f"…{path[1 - PATH_LENGTH :]}"
