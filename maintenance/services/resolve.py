"""Resolve findings at once when what they propose has been done, and not only with the next scan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from maintenance.models import Finding
from tasks.models import Project

_CHUNK = 200


def resolve_done(*, project: Project, changes: Iterable[dict[str, Any]]) -> int:
    """Resolve the open findings that proposed these changes; returns how many. What met a conflict stays open."""
    done = {(change["verb"], change["task_id"]) for change in changes if "conflict" not in change}
    rows = Finding.objects.open().filter(project=project).exclude(proposal="").order_by()
    named = rows.values_list("pk", "proposal", "subject") if done else []
    keys = [pk for pk, verb, subject in named if (verb, subject.partition(" ")[0]) in done]
    for start in range(0, len(keys), _CHUNK):
        Finding.objects.open().filter(pk__in=keys[start : start + _CHUNK]).update(resolved_at=timezone.now())
    return len(keys)
