"""Detail page of a task or plan."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from artifacts.reports.brief import brief_of
from artifacts.selectors.artifacts import artifacts_of, count_by_task
from artifacts.selectors.conversation import activity, conversation
from orchestrator_site.kernel.identity import scopes_of
from orchestrator_site.web.pages import page, page_number
from tasks.choices import Verb
from tasks.identity.page import find_task
from tasks.selectors import board
from tasks.selectors.available_actions import may_complete, may_edit, offers_for
from tasks.services.actions import seen_as


@page
def task(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id)
    tree = board.tree(found)
    delivered = count_by_task(node.task.pk for node in tree.nodes)
    for node in tree.nodes:
        node.artifacts = delivered.get(node.task.pk, 0)
    counts = board.progress(found, tree)
    scopes = scopes_of(request.user)
    offers = offers_for(found, scopes)
    talk, history = conversation(found), board.history(found, page=page_number(request))
    context = {
        "task": found,
        "tree": tree,
        "counts": counts,
        "now": board.now(found, tree, counts) if counts else None,
        "brief": brief_of(found) if found.is_leaf else None,
        "needs": board.needs(found),
        "needed_by": board.needed_by(found),
        "artifacts": artifacts_of(found, limit=board.LINK_ROWS + 1),
        "artifacts_shown": board.LINK_ROWS,
        "lease_is_over": found.lease_is_over(timezone.now()),
        "conversation": talk,
        "history": history,
        "activity": activity(history.items, talk),
        "offers": [offer for offer in offers if offer.moves_on],
        "more_offers": [offer for offer in offers if not offer.moves_on],
        "may_complete": may_complete(found, scopes),
        "may_edit": may_edit(found, scopes),
        "may_answer": any(offer.verb == Verb.UNBLOCK for offer in offers),
        "seen": seen_as(found),
        "next": request.get_full_path(),
    }
    return render(request, "tasks/task.html", context)
