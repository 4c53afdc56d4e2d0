"""What can be done to many rows of the admin at once: the verbs of the product, each through its own service."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from orchestrator_site.kernel.identity import person
from orchestrator_site.web.admin import Action, chosen, do_each
from orchestrator_site.web.pages import user_of
from tasks.choices import Verb
from tasks.identity.page import actor_of
from tasks.models import Session, Task
from tasks.services.guarded_action import ask, seen_as
from tasks.services.sessions import end_session

REASON_LIMIT = 2_000


def _asking(verb: Verb, label: str, permission: str) -> Action:
    @admin.action(description=f"{label} the selected tasks", permissions=[permission])
    def action(_: Any, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        actor = actor_of(request)
        found = chosen(request, tasks)
        do_each(request, found, lambda task: ask(task=task, verb=verb, actor=actor, seen=seen_as(task)), verb.label)

    action.__name__ = f"{verb}_tasks"
    return action


@admin.action(description="Cancel the selected tasks…", permissions=["write"])
def cancel_tasks(model_admin: Any, request: HttpRequest, tasks: QuerySet[Task]) -> TemplateResponse | None:
    """Ask first, showing what is cancelled; then cancel each that still stands as it was shown."""
    found = chosen(request, tasks)
    if found and "confirmed" not in request.POST:
        rows = [(task, seen_as(task)) for task in found]
        facts = {"rows": rows, "opts": model_admin.model._meta, "title": "Cancel tasks", "limit": REASON_LIMIT}
        return TemplateResponse(
            request, "admin/cancel_tasks.html", {**model_admin.admin_site.each_context(request), **facts}
        )
    actor, reason = actor_of(request), request.POST.get("reason", "").strip()[:REASON_LIMIT]

    def cancel(task: Task) -> Task:
        seen = request.POST.get(f"seen-{task.pk}", "")
        return ask(task=task, verb=Verb.CANCEL, actor=actor, reason=reason, seen=seen)

    do_each(request, found, cancel, "cancelled")
    return None


@admin.action(description="End the selected sessions", permissions=["end"])
def end_sessions(_: Any, request: HttpRequest, sessions: QuerySet[Session]) -> None:
    """End each session, and with it its leases."""
    principal = person(user_of(request))
    found = chosen(request, sessions.select_related("project"))
    do_each(request, found, lambda session: end_session(session=session, principal=principal), "ended")


TASK_ACTIONS = (
    _asking(Verb.APPROVE, "Approve", "review"),
    _asking(Verb.UNBLOCK, "Unblock", "write"),
    _asking(Verb.RETRY, "Retry", "write"),
    _asking(Verb.RELEASE, "Release", "write"),
    cancel_tasks,
)
