"""Save, edit and merge contexts, and decide about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel import ids
from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.kernel.identity import Scope
from tasks.identity.actor import Actor
from tasks.library.choices import ContextState
from tasks.library.models import Context
from tasks.library.selectors.contexts import read_files
from tasks.library.services.context_checks import (
    TEXT_LIMIT,
    changed,
    changing,
    expiry,
    locked,
    require_may_change,
    require_unlike,
    require_well_formed,
)
from tasks.models import Note, Project
from tasks.selectors.find import tasks_by_ids

Guard = Callable[[Context], None]
SOURCES_LIMIT = 100
MERGED_AT_ONCE = 20
_COLUMNS = ("name", "text", "specialist", "paths", "words", "expires_at")
_SAVED = ("saved_by", "saved_at")


def save_context(
    *,
    project: Project,
    actor: Actor,
    name: str,
    text: str,
    specialist: str = "",
    paths: Sequence[str] = (),
    words: Sequence[str] = (),
    sources: Sequence[str] = (),
    expires_at: datetime | None = None,
    note: Note | None = None,
    is_for_site: bool = False,
) -> Context:
    """Save a context: in effect at once where a person does, else a draft that one accepts. It lasts for 90 days.

    `sources` are tasks by their ids; an empty `specialist` means all. One for the site is in all its projects.
    Raises Forbidden, Invalid, Conflict where another says the same.
    """
    actor.require(Scope.WRITE)
    facts: dict[str, Any] = {
        "name": name,
        "text": text.strip(),
        "specialist": specialist,
        "paths": list(paths),
        "words": list(words),
    }
    require_well_formed(project, facts)
    known = _known(project, sources)
    state = ContextState.DRAFT if actor.kind == "assistant" else ContextState.ACTIVE
    row = Context(project=None if is_for_site else project, note=note, sources=known, state=state, **facts)
    row.public_id, row.expires_at, row.saved_by = ids.context_id(), expires_at or expiry(), actor.name
    if is_for_site:
        require_may_change(actor, row)
    files, _ = read_files(project)
    with changing(project):
        require_unlike(project, row, files)
        row.save(force_insert=True)
        changed(project, row, actor)
    return row


def _known(project: Project, sources: Sequence[str]) -> list[str]:
    found = tasks_by_ids(project, list(sources)[:SOURCES_LIMIT])
    if lost := [each for each in sources if each not in found]:
        raise invalid([{"at": "task_ids", "problem": f"there is no task {lost[0][:100]!r} in this project"}])
    return list(found)


def edit_context(
    *, project: Project, context: Context, actor: Actor, guard: Guard | None = None, **changes: Any
) -> Context:
    """Change fields of a context. Raises Forbidden, Invalid, Conflict, and what `guard` raises."""
    require_may_change(actor, context)
    facts = {name: changes[name] for name in _COLUMNS if name in changes}
    files, _ = read_files(project)
    with changing(project):
        row = locked(context)
        if guard:
            guard(row)
        moved = {name: value for name, value in facts.items() if value != getattr(row, name)}
        require_well_formed(project, moved)
        if not moved:
            return row
        for name, value in moved.items():
            setattr(row, name, value)
        require_unlike(project, row, files)
        row.saved_by, row.saved_at = actor.name, timezone.now()
        row.save(update_fields=[*moved, *_SAVED])
        changed(project, row, actor, fields=sorted(moved))
    return row


def accept_context(*, project: Project, context: Context, actor: Actor) -> Context:
    """Bring a draft into effect, from now on for 90 days. Raises Forbidden, Conflict."""
    require_may_change(actor, context)
    files, _ = read_files(project)

    def accept(row: Context) -> None:
        _require_state(row, ContextState.DRAFT)
        row.state, row.expires_at = ContextState.ACTIVE, expiry()
        require_unlike(project, row, files)

    return _decided(project, context, actor, accept, "state", "expires_at")


def dismiss_context(*, project: Project, context: Context, actor: Actor, guard: Guard | None = None) -> Context:
    """Take a context or a draft out of use; it stays as a record. Raises Forbidden, Conflict."""
    require_may_change(actor, context)

    def dismiss(row: Context) -> None:
        if guard:
            guard(row)
        _require_state(row, ContextState.DRAFT, ContextState.ACTIVE)
        row.state = ContextState.DISMISSED

    return _decided(project, context, actor, dismiss, "state")


def renew_context(*, project: Project, context: Context, actor: Actor) -> Context:
    """Let a context last for another 90 days from now. Raises Forbidden, Conflict."""
    require_may_change(actor, context)

    def renew(row: Context) -> None:
        _require_state(row, ContextState.ACTIVE)
        row.expires_at = expiry(after=row.expires_at)

    return _decided(project, context, actor, renew, "expires_at")


def dispute_context(*, project: Project, context: Context, actor: Actor, is_disputed: bool = True) -> Context:
    """Say that a context may be wrong, so that it comes last and is marked; or that it holds after all.

    Raises Forbidden, Conflict.
    """
    actor.require(Scope.WRITE)
    if not is_disputed or context.project_id is None:
        require_may_change(actor, context)

    def dispute(row: Context) -> None:
        _require_state(row, ContextState.ACTIVE)
        row.is_disputed = is_disputed

    return _decided(project, context, actor, dispute, "is_disputed")


def _decided(
    project: Project, context: Context, actor: Actor, decide: Callable[[Context], None], *columns: str
) -> Context:
    with changing(project):
        row = locked(context)
        before = [getattr(row, name) for name in columns]
        decide(row)
        if before != [getattr(row, name) for name in columns]:
            row.save(update_fields=columns)
            changed(project, row, actor, fields=sorted(columns))
    return row


def merge_contexts(*, project: Project, into: Context, others: Sequence[Context], actor: Actor) -> Context:
    """Append the texts of others to a context, each with where it is from, and dismiss them.

    Raises Forbidden, Conflict, and Invalid where the text would become too long.
    """
    for each in (into, *others):
        require_may_change(actor, each)
    files, _ = read_files(project)
    with changing(project):
        row, merged = locked(into), [locked(each) for each in others if each.pk != into.pk]
        _require_mergeable(row, merged)
        _append(row, merged)
        require_unlike(project, row, files, besides=[each.pk for each in merged])
        row.saved_by, row.saved_at = actor.name, timezone.now()
        row.save(update_fields=["text", "paths", "words", "sources", "expires_at", *_SAVED])
        Context.objects.filter(pk__in=[each.pk for each in merged]).update(state=ContextState.DISMISSED)
        changed(project, row, actor, merged=[each.public_id for each in merged])
    return row


def _require_mergeable(into: Context, others: Sequence[Context]) -> None:
    if not 1 <= len(others) <= MERGED_AT_ONCE:
        raise invalid([{"at": "context_ids", "problem": f"name 1 to {MERGED_AT_ONCE} others to merge into it"}])
    _require_state(into, ContextState.ACTIVE)
    for each in others:
        _require_state(each, ContextState.DRAFT, ContextState.ACTIVE)
        if each.project_id != into.project_id:
            raise Conflict(
                f"{each.public_id} or {into.public_id} is for the whole site, the other is not.",
                next="Merge contexts of the project, or those of the site.",
            )
        if into.specialist not in ("", each.specialist):
            raise Conflict(
                f"{each.public_id} is for {each.specialist or 'every specialist'}, {into.public_id} is not.",
                next="Merge contexts for the same specialist, or into one for all.",
            )


def _append(into: Context, others: Sequence[Context]) -> None:
    parts = [into.text]
    for each in others:
        learned_from = f", learned from {', '.join(each.sources)}" if each.sources else ""
        parts.append(f"From {each.public_id} ({each.name}{learned_from}):\n{each.text}")
        is_narrow = bool(into.paths or into.words) and bool(each.paths or each.words)
        for name in ("paths", "words"):  # without any, a context is for every task
            both = [*getattr(into, name), *getattr(each, name)]
            setattr(into, name, list(dict.fromkeys(both)) if is_narrow else [])
        into.sources = list(dict.fromkeys([*into.sources, *each.sources]))[:SOURCES_LIMIT]
        into.expires_at = max(filter(None, (into.expires_at, each.expires_at)), default=None)
    into.text = "\n\n".join(parts)
    if len(into.text) > TEXT_LIMIT:
        problem = f"together they have {len(into.text):,} characters, {TEXT_LIMIT:,} are allowed"
        raise invalid([{"at": "text", "problem": problem}], next="Shorten one of them first.")


def _require_state(context: Context, *states: ContextState) -> None:
    if context.state not in states:
        raise Conflict(f"{context.public_id} is {ContextState(context.state).label.lower()}.", next="Read it again.")
