"""Acting on a task: the verbs that are offered, and each as a form of its own."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from tasks.choices import Verb
from tasks.errors import Conflict, Invalid, NotReady
from tasks.models import Task
from tasks.principals import Scope, require, scopes_of
from tasks.queries.offers import BY_VERB, Offer, offers_for
from tasks.services.ask import ask, seen_as
from tasks.views.page import actor_of, came_from, find_task, form, page


@page
def menu(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what may be done with a task now, for the menus of cards and rows."""
    found = find_task(public_id)
    context = {"task": found, "seen": seen_as(found), "next": request.GET.get("next", "")}
    return render(request, "tasks/act.html", {**context, "offers": offers_for(found, scopes_of(request.user))})


@form(Scope.READ)
def do(request: HttpRequest, public_id: str, verb: str) -> HttpResponseBase:
    """Ask for the words that a verb needs on GET, do it on POST."""
    offer = next((each for each in BY_VERB.values() if each.verb == verb), None)
    if offer is None:
        raise Http404
    require(scopes_of(request.user), offer.scope)
    found = find_task(public_id)
    if request.method != "POST":
        return _form(request, found, offer)
    return _do(request, found, offer)


def _do(request: HttpRequest, task: Task, offer: Offer) -> HttpResponseBase:
    seen, reason = request.POST.get("seen", ""), request.POST.get("reason", "")
    try:
        ask(task=task, verb=offer.verb, actor=actor_of(request), reason=reason, seen=seen)
    except Invalid as error:
        return _form(request, task, offer, error)
    except (Conflict, NotReady) as error:
        messages.error(request, f"{error.message} {error.next}" if isinstance(error, NotReady) else error.message)
    else:
        messages.success(request, f"“{task.title}”: {Verb(offer.verb).label}.")
    return came_from(request, reverse("task", args=[task.public_id]))


def _form(request: HttpRequest, task: Task, offer: Offer, error: Invalid | None = None) -> HttpResponse:
    context = {
        "task": task,
        "offer": offer,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "seen": request.POST.get("seen") or seen_as(task),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "tasks/act_verb.html", context, status=error.status if error else 200)
