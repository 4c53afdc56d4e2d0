"""Say to an assistant what comes next, and note what it claimed then."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from orchestrator_site.kernel import read_only
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.insights.choices import Kind, Outcome
from tasks.insights.models import Suggestion
from tasks.insights.services.learn import settle
from tasks.insights.services.suggestions import show
from tasks.models import Event, Project, Session
from tasks.selectors.next_task import Candidate, next_tasks

WAITED = timedelta(days=1)
"""A claim later than that is no answer to what was shown."""


def suggest_next(
    *, project: Project, actor: Actor, session: Session | None, specialist: str | None = None
) -> list[Candidate]:
    """Return the best ready tasks for a session, and note that it saw them."""
    found = next_tasks(project, session, specialist=specialist)
    if found and session and not read_only.is_on():
        show(
            project=project,
            actor=actor,
            kind=Kind.NEXT_TASK,
            given=specialist or "",
            answer=[{"value": each.task.public_id} for each in found],
            factors=[{"kind": reason.code, "text": reason.text} for reason in found[0].reasons],
        )
    return found


def settle_claims() -> int:
    """Note the first claim of each session after it saw what comes next; return how many there were."""
    claims = Event.objects.filter(
        project=OuterRef("project"), session=OuterRef("session"), verb=Verb.CLAIM, pk__gt=OuterRef("after_event")
    ).order_by("pk")
    shown = Suggestion.objects.filter(
        kind=Kind.NEXT_TASK, outcome=Outcome.OPEN, created_at__gte=timezone.now() - WAITED
    )
    claimed = shown.annotate(
        claim=Subquery(claims.values("task")[:1]), claimed=Subquery(claims.values("task__public_id")[:1])
    ).exclude(claim=None)
    return sum(settle(row, chosen=row.claimed, task_id=row.claim) for row in claimed)
