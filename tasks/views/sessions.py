"""Assistant sessions: list, detail, and ending one."""

from __future__ import annotations

from itertools import groupby

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from orchestrator_site.kernel.identity import Scope, person, scopes_of
from orchestrator_site.web.pages import LAST_PAGE, form, number_in, page, page_number, text_in, user_of
from tasks.models import Project, Session
from tasks.selectors import sessions as query
from tasks.services.sessions import end_session


@page
def sessions(request: HttpRequest) -> HttpResponse:
    slug = text_in(request, "project")
    found = get_object_or_404(Project, slug=slug) if slug else None
    filters = query.Filters(found, request.GET.get("open") == "true", text_in(request, "client"))
    context = {
        "project": found,
        "filters": filters,
        "rows": query.sessions(filters, page=page_number(request)),
        "totals": query.totals(filters),
        "looked_at": query.LOOKED_AT,
        "counted": query.EVENTS_COUNTED,
    }
    return render(request, "tasks/sessions.html", context)


@page
def session(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_session(public_id)
    events = query.events_of(found, page=number_in(request, "events", least=1, most=LAST_PAGE))
    context = {
        "session": found,
        "project": found.project,
        "held": query.held_by(found),
        "delivered": query.delivered_by(found),
        "tools": query.tools_of(found),
        "events": events,
        "runs": [list(run) for _, run in groupby(events.items, key=lambda event: event.verb)],
        "may_end": found.ended_at is None and Scope.ADMIN in scopes_of(request.user),
    }
    return render(request, "tasks/session.html", context)


@form(Scope.ADMIN)
def end(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = find_session(public_id)
    if request.method != "POST":
        return render(request, "tasks/session_end.html", {"session": found, "held": query.held_by(found)})
    has_ended = end_session(session=found, principal=person(user_of(request)))
    messages.success(request, "Session ended." if has_ended else "This session had already ended.")
    return redirect("session", public_id)


def find_session(public_id: str) -> Session:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    return get_object_or_404(Session.objects.select_related("project"), public_id=public_id)
