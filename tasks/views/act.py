"""Task actions: the menu, and a form for each action."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from artifacts.services.review_comments import count_unsent
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, NotReady, OrchestratorError, ServerFault
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import came_from, form, page, require
from tasks.identity.page import actor_of, find_task
from tasks.models import Task
from tasks.selectors.available_actions import BY_VERB, Offer, may_complete, offers_for
from tasks.selectors.descendants import lost_by_cancelling
from tasks.services.actions import ACTIONS, perform, seen_as, worded


@page
def menu(request: HttpRequest, public_id: str) -> HttpResponse:
    found, scopes = find_task(public_id), scopes_of(request.user)
    context = {
        "task": found,
        "offers": offers_for(found, scopes),
        "may_complete": may_complete(found, scopes),
        "seen": seen_as(found),
        "next": request.GET.get("next", ""),
    }
    return render(request, "tasks/act.html", context)


@form(Scope.READ)
def do(request: HttpRequest, public_id: str, verb: str) -> HttpResponseBase:
    offer = BY_VERB.get(verb)
    if offer is None:
        raise Http404
    require(request, offer.scope)
    found = find_task(public_id)
    if request.method != "POST":
        return _form(request, found, offer)
    return _do(request, found, offer)


def _do(request: HttpRequest, task: Task, offer: Offer) -> HttpResponseBase:
    seen = request.POST.get("seen", "")
    try:
        with db_errors_mapped(f"{offer.verb} on a page"):
            words = worded(offer.verb, _reason(request))
            perform(task=task, verb=offer.verb, actor=actor_of(request), seen=seen, **words)
    except (Invalid, ServerFault) as error:
        return _form(request, task, offer, error)
    except (Conflict, NotReady) as error:
        if offer.reason and _reason(request):  # keep the input, next to the current state
            return _form(request, find_task(task.public_id), offer, error)
        messages.error(request, in_words(error), extra_tags=error.code)
    else:
        messages.success(request, f"“{task.title}”: {offer.verb.label}.", extra_tags=offer.verb)
    return came_from(request, reverse("task", args=[task.public_id]))


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\r\n", "\n")


def _form(request: HttpRequest, task: Task, offer: Offer, error: OrchestratorError | None = None) -> HttpResponse:
    seen = "" if isinstance(error, Conflict) else request.POST.get("seen", "")
    below, waiting = lost_by_cancelling(task) if offer.ends_work else (0, 0)
    context = {
        "task": task,
        "offer": offer,
        "below": below,
        "waiting": waiting,
        "error": in_words(error) if error else "",
        "code": error.code if error else "",
        "question": task.reason if "answer" in ACTIONS[offer.verb].fields else "",
        "is_possible": offer in offers_for(task, scopes_of(request.user)),
        "reason": _reason(request),
        "comments": count_unsent(task) if offer.scope == Scope.REVIEW else 0,
        "seen": seen or seen_as(task),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "tasks/act_verb.html", context, status=error.status if error else 200)
