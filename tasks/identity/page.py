"""The person at a page, and the rows that its URL names."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from orchestrator_site.kernel.identity import scopes_of
from tasks.identity.actor import Actor
from tasks.models import Project, Task, knowing_needs


def actor_of(request: HttpRequest) -> Actor:
    return Actor.person(request.user, scopes_of(request.user))


def find_project(slug: str) -> Project:
    return get_object_or_404(Project, slug=slug)


def find_task(public_id: str, *also: str) -> Task:
    """Return a task with what most pages show of it, and with `also` in the same query."""
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    tasks = Task.objects.select_related("project", "root", "parent", "lease_session", *also)
    return get_object_or_404(knowing_needs(tasks), public_id=public_id)
