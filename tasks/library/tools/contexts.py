"""The tool context_library."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.text import within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers
from tasks.identity.actor import Actor
from tasks.library.choices import ContextState
from tasks.library.contexts.choosing import Entry
from tasks.library.models import Context
from tasks.library.selectors.contexts import all_entries, context_by_id, contexts_for, entry_by_key
from tasks.library.services.contexts import MERGED_AT_ONCE, merge_contexts, save_context
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

NAME = "orchestrator_context_library"
_ROWS_BYTES, _LINE_BYTES = 1_300, 100


class ContextLibrary(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "context_id", "specialist": "specialist_type", "content": "text"}
    action: Literal["save_context", "load_context", "merge_contexts", "suggest_context"]
    context_ids: list[str] = Field([], description="Merged into the first")
    context_id: str | None = Field(None, json_schema_extra={HIDDEN: True})
    specialist_type: str | None = None
    name: str | None = None
    text: str | None = Field(None, max_length=LONG)
    words: list[str] = Field([], json_schema_extra={HIDDEN: True})
    paths: list[str] = Field([], json_schema_extra={HIDDEN: True})
    task_id: str | None = None
    session_id: str | None = Field(None, json_schema_extra={HIDDEN: True})
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    NAME,
    title="Context library",
    description="Lessons for briefs. A person accepts what is saved.",
    arguments=ContextLibrary,
    toolset="templates",
    scope="read",  # and what the action needs, see tasks/library/services/contexts.py
    destructive=True,
)
def context_library(caller: Caller, given: ContextLibrary) -> dict[str, Any]:
    actor = caller.actor(given.session_id)
    return run_once(
        project=actor.project,
        operation="context_library",
        key=given.idempotency_key,
        request=serializers.request_of(given),
        produce=lambda: _DO[given.action](actor, given),
    )


def _save(actor: Actor, given: ContextLibrary) -> dict[str, Any]:
    _require(given, "name", "text")
    task = task_by_id(actor.project, given.task_id) if given.task_id else None
    row = save_context(
        project=actor.project,
        actor=actor,
        name=given.name or "",
        text=given.text or "",
        specialist=given.specialist_type or "",
        paths=given.paths,
        words=given.words,
        sources=[task.public_id] if task else [],
    )
    return {**_changed(row), "next": "A draft: tell the user that it waits in the library for a person."}


def _load(actor: Actor, given: ContextLibrary) -> dict[str, Any]:
    if not (keys := _keys(given)):
        return _rows(all_entries(actor.project, given.specialist_type), "Load one by its context_id.")
    entry = entry_by_key(actor.project, keys[0])
    return {**_row(entry), "paths": list(entry.paths), "words": list(entry.words), "sources": list(entry.sources),
            "text": entry.text}  # fmt: skip


def _suggest(actor: Actor, given: ContextLibrary) -> dict[str, Any]:
    _require(given, "task_id")
    found = contexts_for(task_by_id(actor.project, given.task_id or ""))
    return _rows(found, "The brief of the task has them already, the first ones at least.")


def _merge(actor: Actor, given: ContextLibrary) -> dict[str, Any]:
    keys = _keys(given)
    if not 2 <= len(keys) <= MERGED_AT_ONCE + 1:
        wrong = f"name the one to merge into, and then 1 to {MERGED_AT_ONCE} others"
        raise invalid([{"at": "context_ids", "problem": wrong}])
    into, *others = [context_by_id(actor.project, key) for key in keys]
    row = merge_contexts(project=actor.project, into=into, others=others, actor=actor)
    return {**_changed(row), "merged_total": len(others), "next": "Merged; the others are dismissed."}


_DO = {"save_context": _save, "load_context": _load, "suggest_context": _suggest, "merge_contexts": _merge}


def _keys(given: ContextLibrary) -> list[str]:
    return list(dict.fromkeys([*([given.context_id] if given.context_id else []), *given.context_ids]))


def _require(given: ContextLibrary, *names: str) -> None:
    problems = [
        {"at": name, "problem": f"is required for {given.action}"} for name in names if not getattr(given, name)
    ]
    if problems:
        raise invalid(problems)


def _changed(row: Context) -> dict[str, Any]:
    return {"context_id": row.public_id, "name": row.name, "state": ContextState(row.state).value}


def _rows(entries: list[Entry], following: str) -> dict[str, Any]:
    rows = serializers.within(entries, _row, budget=_ROWS_BYTES)
    return {"contexts": rows, "total": len(entries), "next": following if entries else "There is none yet."}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "context_id": entry.key,
        "name": entry.name,
        "specialist_type": entry.specialist or None,
        "expires_at": entry.expires_at.isoformat(timespec="minutes") if entry.expires_at else None,
        "disputed": entry.is_disputed or None,
        "begins": within_bytes(" ".join(entry.text.split()), _LINE_BYTES),
    }
