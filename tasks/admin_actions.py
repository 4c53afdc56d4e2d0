"""What can be done to many rows of the admin at once: the verbs of the product, each through its own service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.identity import Scope, person, scopes_of
from orchestrator_site.web.pages import actor_of, user_of
from tasks.choices import Verb
from tasks.models import Session, Task
from tasks.services.guarded_action import ask, seen_as
from tasks.services.sessions import end_session

MOST = 200
"""Rows that one action changes; each is a transaction of its own."""
TOLD = 20
"""Refusals that are told one by one."""
REASON_LIMIT = 2_000
Deed = Callable[..., Any]


def may(request: HttpRequest, scope: Scope) -> bool:
    """Whether the person's scopes allow something; Django's own permissions say only what is to be seen."""
    return scope in scopes_of(request.user)


def chosen(request: HttpRequest, rows: QuerySet[Any]) -> list[Any]:
    """Return the rows of an action; none, and a word on why, where they are too many."""
    found = list(rows.order_by("pk")[: MOST + 1])
    if len(found) <= MOST:
        return found
    messages.error(request, f"At most {MOST} rows at once; nothing was changed. Choose fewer.")
    return []


def do_each(request: HttpRequest, rows: Iterable[Model], deed: Deed, done: str) -> None:
    """Do something to each row, and tell how many went well and why each other one was refused."""
    number, refusals = 0, list[str]()
    for row in rows:
        try:
            number += deed(row) is not False
        except OrchestratorError as error:
            refusals.append(f"Refused for {row}: {error.message}")
    if number:
        messages.success(request, f"{number} {done}.")
    for refusal in refusals[:TOLD]:
        messages.error(request, refusal)
    if len(refusals) > TOLD:
        messages.error(request, f"{len(refusals) - TOLD} more were refused.")


def _asking(verb: Verb, label: str, permission: str) -> Deed:
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
