"""The page of a run: where it is, what its agent asks and does, and what it has used."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import number_in, page
from tasks.agents import run_log
from tasks.agents.adapters import ADAPTERS
from tasks.agents.choices import LIVE, AskState
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.agents.selectors import pages
from tasks.agents.selectors.supervisors import present
from tasks.agents.steps import steps_of
from tasks.agents.supervisor.following import ASK_MINUTES
from tasks.agents.views.find import find_run

STEPS_SHOWN = 200
LAST_BYTE = 2**40


@page
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_run(public_id)
    scopes = scopes_of(request.user)
    before = number_in(request, "before", least=0, most=LAST_BYTE)
    log = log_of(found)
    entries = (
        run_log.read_before(log, before, limit=STEPS_SHOWN)
        if before
        else run_log.read(log, limit=STEPS_SHOWN, newest=True)
    )
    context = {
        "run": found,
        "task": found.task,
        "phases": pages.phases_of(found),
        "asks": list(found.asks.filter(state=AskState.OPEN)),
        "messages_waiting": list(found.messages.filter(sent_at=None)) if found.state in LIVE else [],
        "attempts": list(found.attempts.order_by("-number")),
        "steps": steps_of(entries.entries),
        "start": entries.start,
        "before": before,
        "is_alone": found.state in LIVE and not present().exists(),
        "may_act": Scope.WRITE in scopes,
        "may_decide": Scope.REVIEW in scopes,
        "may_message": Scope.WRITE in scopes and _takes_messages(found),
        "is_mergeable": pages.is_mergeable(found),
        "may_resume": Scope.WRITE in scopes and pages.may_resume(found),
        "is_jailed": found.facts.get("jailed"),
        "answered_within": timedelta(minutes=ASK_MINUTES),
    }
    return render(request, "agents/run.html", context)


def _takes_messages(run: Run) -> bool:
    adapter = ADAPTERS.get(run.agent)
    return run.state in LIVE and adapter is not None and adapter.supports.messages
