"""When a task comes, and to whom: defer it, give it a priority, wish for a client or a model."""

from __future__ import annotations

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, ServerFault, invalid
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import came_from, form
from tasks.choices import Priority, Verb
from tasks.due import begin_of
from tasks.identity.page import actor_of, find_task
from tasks.models import Task
from tasks.project_settings import setting
from tasks.selectors.available_actions import may_edit
from tasks.services import order
from tasks.services.actions import require_seen, seen_as

_FIELDS = ("priority", "until", "client", "model")


@form(Scope.WRITE)
def change(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = find_task(public_id)
    if request.method != "POST":
        return _form(request, found)
    verb = request.POST.get("verb", "")
    try:
        with db_errors_mapped("an order on a page"):
            _do(found, verb, request)
    except (Conflict, Invalid, ServerFault) as error:
        return _form(request, find_task(public_id), error)
    messages.success(request, f"“{found.title}”: {Verb(verb).label}.", extra_tags=verb)
    return came_from(request, reverse("task", args=[public_id]))


def _do(task: Task, verb: str, request: HttpRequest) -> None:
    guard = partial(require_seen, seen=request.POST.get("seen", ""))
    common: dict[str, Any] = {"task": task, "actor": actor_of(request), "guard": guard}
    match verb:
        case Verb.DEFER:
            order.defer(**common, until=_until(task, request.POST))
        case Verb.BOOST:
            order.boost(**common, priority=_priority(request.POST))
        case Verb.ASSIGN:
            order.assign(**common, client=request.POST.get("client", ""), model=request.POST.get("model", ""))
        case _:
            raise Http404


def _until(task: Task, post: QueryDict) -> Any:
    return begin_of(post.get("until"), at="until", zone=setting(task.project, "time_zone"))


def _priority(post: QueryDict) -> int:
    sent = post.get("priority", "")
    if sent not in map(str, Priority.values):
        raise invalid([{"at": "priority", "problem": "unknown priority", "allowed": list(Priority.labels)}])
    return int(sent)


def _form(request: HttpRequest, task: Task, error: OrchestratorError | None = None) -> HttpResponse:
    zone = setting(task.project, "time_zone")
    until = task.not_before.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if task.not_before else ""
    stored = {"priority": str(task.priority), "until": until, "client": task.for_client, "model": task.for_model}
    context = {
        "task": task,
        "typed": stored | {name: request.POST[name] for name in _FIELDS if name in request.POST},
        "priorities": [(str(each.value), each.label.capitalize()) for each in Priority],
        "zone": zone,
        "error": in_words(error) if error else "",
        "code": error.code if error else "",
        "is_open": may_edit(task, scopes_of(request.user)),
        "seen": seen_as(task),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "tasks/order.html", context, status=error.status if error else 200)
