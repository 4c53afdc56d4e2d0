"""Apply what a preview of the rebalancing showed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from tasks.identity.actor import Actor
from tasks.insights.choices import Kind as Shown
from tasks.insights.selectors.rebalancing import APPLIED, Kind, Preview, Proposal, Request, preview_of, token_of
from tasks.insights.services.learn import settle
from tasks.insights.services.suggestions import show, shown_before
from tasks.models import Project
from tasks.services import dependencies
from tasks.services.claim import locked
from tasks.services.order import assign, boost

_DO: dict[Kind, Callable[..., Any]] = {Kind.BOOST: boost, Kind.ASSIGN: assign}


def preview(*, project: Project, actor: Actor, request: Request) -> Preview:
    """Return what would balance the work better, and note that it was shown."""
    found = preview_of(project, request)
    if found.plan_token and not read_only.is_on():
        show(
            project=project,
            actor=actor,
            kind=Shown.CHANGE,
            given=found.plan_token,
            answer=[{"value": found.plan_token}],
            factors=[{"kind": each.kind, "text": each.reason} for each in found.proposals],
        )
    return found


def rebalance(*, project: Project, actor: Actor, plan_token: str, request: Request) -> list[Proposal]:
    """Do exactly what a preview showed, all or nothing, and return it.

    Raises Conflict where that has changed since, or one of its tasks has.
    """
    actor.require(Scope.WRITE)
    found = preview_of(project, request)
    with transaction.atomic():
        dependencies.lock_graph(project.pk)
        for each in sorted(found.proposals, key=lambda each: each.task.pk):
            locked(each.task)
        now = token_of(request, found.proposals) if found.proposals else ""
        if now != plan_token or not now:
            raise Conflict(
                "What this would do has changed since the preview.",
                next="Preview again, and apply with its plan_token and the same arguments.",
                details={"plan_token": now} if now else {},
            )
        done = [each for each in found.proposals if each.kind in APPLIED]
        for each in done:
            _DO[each.kind](task=each.task, actor=actor, **each.arguments)
        for row in shown_before(project, Shown.CHANGE, plan_token):
            settle(row, chosen=plan_token, task_id=None)
    return done
