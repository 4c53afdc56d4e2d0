"""Waive a gate of a task."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, ServerFault
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import action_view, came_from
from tasks.choices import Verb
from tasks.identity.page import actor_of, find_task
from tasks.services.waive import waive as waive_gate


@action_view(Scope.REVIEW)
def waive(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task, gate = find_task(public_id), request.POST.get("gate", "")
    reason = request.POST.get("reason", "").replace("\r\n", "\n")
    try:
        with db_errors_mapped("a waiver on a page"):
            waive_gate(task=task, actor=actor_of(request), gate=gate, reason=reason)
    except (Conflict, Forbidden, Invalid, ServerFault) as error:
        messages.error(request, in_words(error), extra_tags=error.code)
    else:
        messages.success(request, f"“{task.title}”: {gate} waived.", extra_tags=Verb.WAIVE)
    return came_from(request, reverse("task", args=[task.public_id]) + "#gates")
