"""Resolve findings at once when what they propose has been done, and not only with the next scan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.utils import timezone

from maintenance.models import Finding
from tasks.models import Project

_CHUNK = 100


def resolve_done(*, project: Project, changes: Iterable[dict[str, Any]]) -> int:
    """Resolve the open findings that proposed these changes; returns how many. What met a conflict stays open."""
    done = sorted({(change["verb"], change["task_id"]) for change in changes if "conflict" not in change})
    total = 0
    for start in range(0, len(done), _CHUNK):
        which = Q()
        for verb, task_id in done[start : start + _CHUNK]:
            which |= Q(proposal=verb, subject=task_id) | Q(proposal=verb, subject__startswith=f"{task_id} ")
        rows = Finding.objects.open().filter(which, project=project)
        total += rows.update(resolved_at=timezone.now())
    return total
