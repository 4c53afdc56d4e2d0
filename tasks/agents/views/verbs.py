"""What people do with a run: answer what it asks, send it a message, end it, let it go on, dismiss its changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, NotFound, OrchestratorError, ServerFault
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import action_view, came_from, form, require
from tasks.agents.models import Run
from tasks.agents.selectors import pages
from tasks.agents.services import control
from tasks.agents.services.merge import dismiss, trust
from tasks.agents.views.find import find_run
from tasks.identity.actor import Actor
from tasks.identity.page import actor_of

LAST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class RunVerb:
    """A verb with a form of its own; `words` labels the field for what is said with it, if it has one."""

    name: str
    label: str
    says: str
    done: str
    scope: Scope
    do: Callable[[Run, Actor, str], object]
    words: str = ""
    is_danger: bool = False


VERBS = {
    "kill": RunVerb(
        "kill", "End run", "Ends the agent and all that it has started. What it has changed is kept on its branch.",
        "The run is being ended.", Scope.WRITE,
        lambda run, actor, words: control.kill(run=run, actor=actor, reason=words), "Reason", is_danger=True,
    ),
    "resume": RunVerb(
        "resume", "Resume", "Queues the run again. It goes on in its worktree and, if the agent can, in its session.",
        "The run is queued again.", Scope.WRITE,
        lambda run, actor, words: control.resume(run=run, actor=actor, text=words), "Message",
    ),
    "dismiss": RunVerb(
        "dismiss", "Dismiss changes", "Nothing will build on the changes of this run. Its branch stays.",
        "The changes are dismissed.", Scope.REVIEW,
        lambda run, actor, words: dismiss(run=run, actor=actor), is_danger=True,
    ),
    "trust": RunVerb(
        "trust", "Trust run", "Collects the changes of the run after all. Only do so once you know who changed what is "
        "listed on its page, and that Git runs nothing of it.",
        "The changes are being collected.", Scope.REVIEW,
        lambda run, actor, words: trust(run=run, actor=actor), is_danger=True,
    ),
}  # fmt: skip


@form(Scope.READ)
def act(request: HttpRequest, public_id: str, verb: str) -> HttpResponseBase:
    chosen = VERBS.get(verb)
    if chosen is None:
        raise Http404
    require(request, chosen.scope)
    run = find_run(public_id)
    if request.method != "POST":
        return _form(request, run, chosen)
    try:
        with db_errors_mapped(f"{verb} of a run on a page"):
            chosen.do(run, actor_of(request), _words(request, "words"))
    except (Conflict, Invalid, ServerFault) as error:
        return _form(request, run, chosen, error)
    messages.success(request, chosen.done, extra_tags=verb)
    return came_from(request, _page_of(run))


def _form(request: HttpRequest, run: Run, verb: RunVerb, error: OrchestratorError | None = None) -> HttpResponse:
    context = {
        "run": run,
        "task": run.task,
        "verb": verb,
        "words": _words(request, "words"),
        "comments": len(pages.comments_on(run)) if verb.name == "resume" else 0,
        "error": in_words(error) if error else "",
        "code": error.code if error else "",
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "agents/act.html", context, status=error.status if error else 200)


@action_view(Scope.WRITE)
def message(request: HttpRequest, public_id: str) -> HttpResponseBase:
    run = find_run(public_id)
    control.message(run=run, actor=actor_of(request), text=_words(request, "text"))
    messages.success(request, "Sent. The agent gets it with its next step.", extra_tags="message")
    return came_from(request, _page_of(run))


@action_view(Scope.REVIEW)
def answer(request: HttpRequest, public_id: str) -> HttpResponseBase:
    run = find_run(public_id)
    key, verdict = request.POST.get("ask", ""), request.POST.get("verdict", "")
    is_key = key.isascii() and key.isdigit() and len(key) < 20
    if verdict not in ("allow", "deny") or not is_key or not 0 < int(key) <= LAST_KEY:
        raise Http404
    allow = verdict == "allow"
    try:
        control.answer(run=run, actor=actor_of(request), ask=int(key), allow=allow, reason=_words(request, "reason"))
    except (Conflict, NotFound) as error:  # it was answered elsewhere: the page shows how
        messages.error(request, in_words(error), extra_tags=error.code)
    else:
        messages.success(request, "Allowed." if allow else "Denied.", extra_tags=verdict)
    return came_from(request, _page_of(run))


def _words(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\r\n", "\n")


def _page_of(run: Run) -> str:
    return reverse("run", args=[run.public_id])
