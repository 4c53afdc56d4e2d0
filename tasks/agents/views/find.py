"""The run that an address names."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from tasks.agents.models import Run


def find_run(public_id: str) -> Run:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    rows = Run.objects.select_related("task__project", "task__root", "project", "plan", "session")
    return get_object_or_404(rows, public_id=public_id)
