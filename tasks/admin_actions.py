"""Admin actions on tasks and sessions: each row goes through its own service."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from orchestrator_site.kernel.identity import person
from orchestrator_site.web.admin import Action, chosen, do_each
from orchestrator_site.web.pages import user_of
from tasks.choices import Verb
from tasks.identity.page import actor_of
from tasks.models import Session, Task
from tasks.services.actions import perform, seen_as, worded
from tasks.services.effect import Effect
from tasks.services.sessions import end_session
from tasks.state_machine import TABLE

REASON_LIMIT = 2_000


class TaskActionForm(ActionForm):
    answer = forms.CharField(required=False, label="Answer or comment")


def _performing(verb: Verb) -> Action:
    @admin.action(description=f"{verb.name.capitalize()} the selected tasks", permissions=[TABLE[verb].scope])
    def action(_: Any, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        actor = actor_of(request)
        found = chosen(request, tasks)
        answer = request.POST.get("answer", "")

        def do(task: Task) -> Effect:
            return perform(task=task, verb=verb, actor=actor, seen=seen_as(task), **worded(verb, answer, at="answer"))

        do_each(request, found, do, verb.label)

    action.__name__ = f"{verb}_tasks"
    return action


@admin.action(description="Cancel the selected tasks…", permissions=["write"])
def cancel_tasks(model_admin: Any, request: HttpRequest, tasks: QuerySet[Task]) -> TemplateResponse | None:
    """Confirm first; then cancel each task that has not moved since it was shown."""
    found = chosen(request, tasks)
    if found and "confirmed" not in request.POST:
        rows = [(task, seen_as(task)) for task in found]
        facts = {"rows": rows, "opts": model_admin.model._meta, "title": "Cancel tasks", "limit": REASON_LIMIT}
        return TemplateResponse(
            request, "admin/cancel_tasks.html", {**model_admin.admin_site.each_context(request), **facts}
        )
    actor, reason = actor_of(request), request.POST.get("reason", "").strip()[:REASON_LIMIT]

    def cancel(task: Task) -> Effect:
        seen = request.POST.get(f"seen-{task.pk}", "")
        return perform(task=task, verb=Verb.CANCEL, actor=actor, reason=reason, seen=seen)

    do_each(request, found, cancel, "cancelled")
    return None


@admin.action(description="End the selected sessions", permissions=["end"])
def end_sessions(_: Any, request: HttpRequest, sessions: QuerySet[Session]) -> None:
    principal = person(user_of(request))
    found = chosen(request, sessions.select_related("project"))
    do_each(request, found, lambda session: end_session(session=session, principal=principal), "ended")


_VERBS = (Verb.APPROVE, Verb.UNBLOCK, Verb.RETRY, Verb.RELEASE, Verb.REOPEN, Verb.ARCHIVE, Verb.RESTORE)
TASK_ACTIONS = (*map(_performing, _VERBS), cancel_tasks)
