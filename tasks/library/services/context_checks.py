"""What holds for every context: its fields, and that no two for one specialist say the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestrator_site.kernel.alike import overlap, words_of
from orchestrator_site.kernel.errors import Conflict, Forbidden, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import unstorable
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.library.contexts.choosing import Entry
from tasks.library.contexts.reading import ITEM_LIMIT, ITEMS_LIMIT
from tasks.library.models import Context
from tasks.library.selectors.contexts import forget, rivals
from tasks.models import Project
from tasks.roles import NAME, catalogue

ALIKE = 0.65
"""Two texts with as much in common say the same."""
TEXT_LIMIT = 6_000
LASTS = timedelta(days=90)


def expiry(after: datetime | None = None) -> datetime:
    """Return when a context ends that begins or is renewed now; a clock set back never shortens one."""
    soon = timezone.now() + LASTS
    return max(soon, after) if after else soon


def require_may_change(actor: Actor, context: Context) -> None:
    """Raises Forbidden for whoever may not decide about contexts of the project; of the site, a person has to."""
    actor.require(Scope.REVIEW if context.project_id else Scope.ADMIN)
    if context.project_id is None and actor.kind != "person":
        raise Forbidden("Only a person may change contexts of the whole site, in the browser.", next="Ask one.")


def require_well_formed(project: Project, facts: dict[str, Any]) -> None:
    """Check the fields that are given. Raises Invalid with every problem."""
    problems: list[dict[str, Any]] = []
    if "name" in facts and not NAME.fullmatch(facts["name"]):
        problems.append({"at": "name", "problem": "must be up to 64 lower-case letters, digits, - and _"})
    if "text" in facts:
        problems += _text_problems(facts["text"])
    if facts.get("specialist"):
        problems += catalogue(project).problems_with(facts["specialist"], at="specialist_type")
    for name in ("paths", "words"):
        problems += _list_problems(name, facts.get(name, ()))
    if problems:
        raise invalid(problems, next="Fix these and retry.")


def _text_problems(text: str) -> list[dict[str, Any]]:
    if not text.strip():
        return [{"at": "text", "problem": "it is empty"}]
    wrong = unstorable(text) or (
        f"has {len(text):,} characters, {TEXT_LIMIT:,} are allowed" if len(text) > TEXT_LIMIT else ""
    )
    return [{"at": "text", "problem": wrong}] if wrong else []


def _list_problems(name: str, items: Sequence[str]) -> list[dict[str, Any]]:
    if len(items) > ITEMS_LIMIT:
        return [{"at": name, "problem": f"has {len(items):,} entries, {ITEMS_LIMIT} are allowed"}]
    return [
        {"at": f"{name}[{place}]", "problem": f"must have 1 to {ITEM_LIMIT} characters that can be stored"}
        for place, item in enumerate(items)
        if not item.strip() or len(item) > ITEM_LIMIT or unstorable(item)
    ]


@contextmanager
def changing(project: Project) -> Iterator[None]:
    """Let changes of a project's contexts follow one another, each in a transaction. Raises Conflict.

    Contexts of the site can come from several projects at the same time: the database keeps their names apart.
    """
    try:
        with transaction.atomic():
            Project.objects.select_for_update(of=("self",), no_key=True).get(pk=project.pk)
            yield
    except IntegrityError as error:
        raise Conflict("Another change of the same contexts came first.", next="Read them again.") from error


def locked(context: Context) -> Context:
    """Return the row as it is now, for a change of it."""
    return Context.objects.select_for_update(of=("self",)).select_related("project").get(pk=context.pk)


def require_unlike(
    project: Project, context: Context, files: Iterable[Entry], *, besides: Collection[int] = ()
) -> None:
    """Check that no other context for that specialist says the same, or has the name. Raises Conflict.

    A draft is also compared with drafts. Call it in the transaction, with `files` that were read before it.
    """
    ours = words_of(context.text)
    for other in rivals(project, context, files, {*besides, context.pk}):
        if overlap(ours, words_of(other.text)) >= ALIKE:
            raise _conflict(f"{other.key} ({other.name}) says nearly the same.", other.key)
        if (other.specialist, other.name) == (context.specialist, context.name):
            raise _conflict(f"{other.key} has the name {other.name} already.", other.key)


def _conflict(message: str, key: str) -> Conflict:
    return Conflict(message, next="Merge the two, or change this one.", details={"context_id": key})


def changed(project: Project, context: Context, actor: Actor, **after: Any) -> None:
    """Record a change of a context, in its transaction."""
    facts = {"context_id": context.public_id, "name": context.name, "state": context.state, **after}
    events.record(actor=actor, verb=Verb.EDIT_CONTEXT, project=project, after=facts)
    forget(project)
