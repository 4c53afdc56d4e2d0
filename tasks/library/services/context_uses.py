"""Note which contexts a brief had, and whether the delivery named them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from django.db.models import Case, F, When

from tasks.library.contexts.choosing import Entry
from tasks.library.models import Context, ContextUse
from tasks.library.selectors.contexts import has_contexts
from tasks.models import Task


def keep_uses(task: Task, entries: Sequence[Entry]) -> None:
    """Note that whoever holds a task got these contexts; a second brief of the same attempt changes nothing."""
    rows = [ContextUse(task=task, lease_number=task.lease_number, context=entry.key) for entry in entries]
    ContextUse.objects.bulk_create(rows, ignore_conflicts=True)


def mark_uses(task: Task, lease_number: int, texts: Sequence[str]) -> None:
    """Say of each context of an attempt whether its delivery names it, and count. Call it in its transaction."""
    if not has_contexts(task.project):
        return
    uses = list(ContextUse.objects.filter(task=task, lease_number=lease_number, is_used=None))
    if not uses:
        return
    keys = [use.context for use in uses]
    rows = list(Context.objects.select_for_update().filter(public_id__in=keys).order_by("pk"))  # in order: no deadlock
    names = {row.public_id: row.name for row in rows}
    used = {key for key in keys if _is_named(key, names.get(key) or PurePosixPath(key).stem, texts)}
    for use in uses:
        use.is_used = use.context in used
    ContextUse.objects.bulk_update(uses, ["is_used"])
    _count([row.pk for row in rows if row.public_id in used], [row.pk for row in rows if row.public_id not in used])


def _count(used: list[int], unused: list[int]) -> None:
    Context.objects.filter(pk__in=[*used, *unused]).update(
        used=F("used") + Case(When(pk__in=used, then=1), default=0),
        unused=F("unused") + Case(When(pk__in=unused, then=1), default=0),
    )


def _is_named(key: str, name: str, texts: Sequence[str]) -> bool:
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return any(key in text or word.search(text) for text in texts)
