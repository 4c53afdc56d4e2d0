"""The edit form of a task. It never overwrites changes that its user has not seen."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from artifacts.search.service import tasks_found
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, OrchestratorError, ServerFault, Stale, invalid
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import came_from, form
from tasks import roles
from tasks.identity.page import actor_of, find_task
from tasks.insights.models import Suggestion
from tasks.insights.selectors.routing import Answer, suggest_specialist
from tasks.insights.services.suggestions import decide, facts_of, show
from tasks.models import Event, Task
from tasks.selectors import board
from tasks.selectors.available_actions import may_edit
from tasks.selectors.find import candidates, chosen
from tasks.services.edit import Changes
from tasks.services.edit import edit as change
from tasks.views import edit_form

EVENTS_SHOWN = 10


@form(Scope.WRITE)
def edit(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = find_task(public_id)
    if request.method != "POST":
        return _form(request, found, edit_form.shown(found))
    typed = edit_form.read(request.POST)
    if specialist := request.POST.get("use"):
        typed = edit_form.using(typed, specialist)
    if "look" in request.POST or specialist:
        return _form(request, found, typed)
    return _save(request, found, typed)


def _save(request: HttpRequest, task: Task, typed: edit_form.Typed) -> HttpResponseBase:
    def require_unchanged(row: Task) -> None:
        if edit_form.seen_of(row) != typed.seen:
            raise Stale("The task changed while you were editing.", next="Review the changes, then save again.")

    try:
        with db_errors_mapped("an edit on a page"):
            if changes := _changes(task, typed):
                specialist = changes.columns.get("specialist", task.specialist)
                suggestion = _suggestion(request, task) if specialist else None
                change(
                    task=task,
                    actor=actor_of(request),
                    changes=changes,
                    catalogue=roles.catalogue(task.project),
                    guard=require_unchanged,
                )
                if suggestion:
                    decide(suggestion=suggestion, actor=actor_of(request), chosen=specialist, task=task)
    except (Conflict, Forbidden, Invalid, ServerFault) as error:
        return _form(request, task, typed, error)
    messages.success(request, "Saved." if changes else "No changes to save.")
    return came_from(request, reverse("task", args=[task.public_id]))


def _suggestion(request: HttpRequest, task: Task) -> Suggestion | None:
    """Note what the form suggested, if it did: before routing learns the choice."""
    try:
        facts = signing.loads(request.POST.get("suggested", ""), salt=task.public_id)
    except signing.BadSignature:
        return None
    return show(project=task.project, actor=actor_of(request), task=task, **facts)


def _suggested(task: Task, text: dict[str, str]) -> Answer | None:
    """Return what the form suggests: nothing where the specialist of the form is it already."""
    answer = suggest_specialist(task.project, text["title"], text["description"])
    return answer if answer.choices and answer.choices[0].specialist != text["specialist"] else None


def _changes(task: Task, typed: edit_form.Typed) -> Changes:
    unknown = [part for part in typed.terms if not chosen(task, [part])]
    if unknown:
        raise invalid([{"at": "find", "problem": f"“{unknown[0]}” is not a task id; choose tasks in the results"}])
    add = chosen(task, [*typed.add, *typed.terms])
    return Changes(edit_form.changed(task, typed), add, chosen(task, typed.drop))


def _events_since(task: Task, seen: str) -> list[Event]:
    try:
        since = datetime.fromisoformat(seen)
    except ValueError:
        return []
    if since.tzinfo is None:
        return []
    events = Event.objects.filter(task=task, created_at__gt=since).select_related("session")
    return list(events.order_by("-id")[:EVENTS_SHOWN])


def _form(
    request: HttpRequest, task: Task, typed: edit_form.Typed, error: OrchestratorError | None = None
) -> HttpResponse:
    events: list[Event] = []
    now: dict[str, str] = {}
    errors = errors_by_field(error)
    if isinstance(error, Invalid):
        errors = errors or {"find": [error.message]}
    elif isinstance(error, Conflict):
        task = find_task(task.public_id)
        events = _events_since(task, typed.seen)
        typed, now = edit_form.rebase(task, typed)
    needs = board.needs(task)
    is_open = may_edit(task, scopes_of(request.user))
    suggested = _suggested(task, typed.values) if is_open else None
    ticked = chosen(task, typed.add)
    found = (each for part in typed.terms[:5] for each in candidates(task, part, tasks_found(task.project, part)))
    context = {
        "task": task,
        "typed": typed,
        "fields": edit_form.fields(task, typed, roles.catalogue(task.project), errors, now),
        "is_open": is_open,
        "suggested": suggested,
        "was_suggested": signing.dumps(facts_of(suggested, typed.values["title"]), salt=task.public_id)
        if suggested
        else request.POST.get("suggested", ""),
        "error": error,
        "events": events,
        "find_problem": errors.get("find", [""])[0],
        "own_needs": [link for link in needs if link.is_own],
        "inherited_needs": [link for link in needs if not link.is_own],
        "ticked": ticked,
        "candidates": [each for each in dict.fromkeys(found) if each not in ticked],
        "looked": bool(typed.terms),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    status = Conflict.status if isinstance(error, Stale) else error.status if error else 200
    return render(request, "tasks/edit.html", context, status=status)
