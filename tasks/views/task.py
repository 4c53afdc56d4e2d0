"""Detail page of a task, group or plan."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from artifacts.reports.brief import brief_of
from artifacts.selectors.artifacts import artifacts_of, count_by_task
from artifacts.selectors.conversation import activity, conversation
from maintenance.selectors.open_findings import marks
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import page, page_number
from tasks.choices import Verb
from tasks.identity.page import find_task
from tasks.models import Task
from tasks.selectors import board
from tasks.selectors.attempts import shown_attempts
from tasks.selectors.available_actions import may_complete, may_edit, may_waive, offers_for
from tasks.selectors.blockers import count_waits
from tasks.selectors.gates import gate_rows
from tasks.selectors.graph import critical_among
from tasks.selectors.notes import SHOWN, notes_of_tasks, notes_on
from tasks.selectors.resources import needs_of
from tasks.services.actions import seen_as


@page
def task(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id, "origin")
    history = board.history(found, page=page_number(request))
    talk = conversation(found, until=history.items[0] if history.items else None)
    artifacts = artifacts_of(found, limit=board.LINK_ROWS + 1)
    context = {
        "task": found,
        "needs": board.needs(found),
        "needed_by": board.needed_by(found),
        "artifacts": artifacts,
        "artifacts_shown": board.LINK_ROWS,
        "names": {each.public_id: path.path for each in artifacts for path in each.paths.all()[:1]},
        "conversation": talk,
        "history": history,
        "activity": activity(history.items, talk),
        "gates": gate_rows(found),
        **verbs_of(request, found),
    }
    if not found.is_leaf:
        return render(request, "tasks/plan.html", context | _plan(found))
    more = {
        "brief": brief_of(found),
        "notes": notes_on(found),
        "lease_is_over": found.lease_is_over(timezone.now()),
        "resources": needs_of(found),
        "attempts": shown_attempts(found),
    }
    return render(request, "tasks/task.html", context | more)


def verbs_of(request: HttpRequest, task: Task) -> dict[str, Any]:
    """Return what may be done. A question is answered where it is shown, and a delivery is decided on its own page."""
    scopes = scopes_of(request.user)
    possible = offers_for(task, scopes)
    offers = [offer for offer in possible if offer.verb != Verb.UNBLOCK]
    first = [offer for offer in offers if offer.moves_on and not (task.is_leaf and offer.scope == Scope.REVIEW)]
    return {
        "offers": first,
        "more_offers": [offer for offer in offers if offer not in first],
        "may_answer": offers != possible,
        "may_complete": may_complete(task, scopes),
        "may_edit": may_edit(task, scopes),
        "may_waive": may_waive(task, scopes),
        "seen": seen_as(task),
        "next": request.get_full_path(),
    }


def _plan(top: Task) -> dict[str, Any]:
    tree = board.tree(top)
    below = [node.task for node in tree.nodes]
    (waits_for, needed_by), artifacts = count_waits(below), count_by_task(task.pk for task in below)
    findings = marks(task.pk for task in below)
    for node in tree.nodes:
        key = node.task.pk
        node.waits_for, node.needed_by = waits_for.get(key, 0), needed_by.get(key, 0)
        node.artifacts, node.finding = artifacts.get(key, 0), findings.get(key, "")
    counts = board.progress(top, tree)
    return {
        "tree": tree,
        "counts": counts,
        "outlook": board.outlook(top, tree, counts),
        "notes": notes_of_tasks(task.pk for task in below),
        "notes_shown": SHOWN,
        "critical": [] if tree.is_cut else critical_among(top, below),
        "changed_at": max([top.updated_at, *(node.changed_at for node in tree.nodes)]),
    }
