"""Apply what a preview of the rebalancing showed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from tasks.identity.actor import Actor
from tasks.insights.selectors.rebalancing import APPLIED, Kind, Proposal, Request, preview_of, token_of
from tasks.models import Project
from tasks.services.claim import locked
from tasks.services.order import assign, boost

_DO: dict[Kind, Callable[..., Any]] = {Kind.BOOST: boost, Kind.ASSIGN: assign}


def rebalance(*, project: Project, actor: Actor, plan_token: str, request: Request) -> list[Proposal]:
    """Do exactly what a preview showed, all or nothing, and return it.

    Raises Conflict where that has changed since, or one of its tasks has.
    """
    actor.require(Scope.WRITE)
    preview = preview_of(project, request)
    with transaction.atomic():
        for each in sorted(preview.proposals, key=lambda each: each.task.pk):
            locked(each.task)
        now = token_of(request, preview.proposals) if preview.proposals else ""
        if now != plan_token or not now:
            raise Conflict(
                "What this would do has changed since the preview.",
                next="Preview again, and apply with its plan_token and the same arguments.",
                details={"plan_token": now} if now else {},
            )
        done = [each for each in preview.proposals if each.kind in APPLIED]
        for each in done:
            _DO[each.kind](task=each.task, actor=actor, **each.arguments)
    return done
