"""Suggestions that were shown, and what was chosen then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from maintenance.services.prune import delete_in_batches
from orchestrator_site.kernel import ids, read_only
from orchestrator_site.kernel.compiled import Compiled, insert
from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tasks.insights.choices import Kind, Outcome
from tasks.insights.models import Suggestion
from tasks.insights.routing.words import fingerprint
from tasks.insights.selectors.routing import Answer, suggest_specialist
from tasks.insights.services.learn import catch_up, settle
from tasks.models import Project, Task
from tasks.selectors.feed import last_id

KEPT_OPEN = timedelta(days=90)
_open = Compiled(
    lambda project, kind, digest, kind_of_actor, name: Suggestion.objects.filter(
        project=project, kind=kind, input_sha256=digest, actor_kind=kind_of_actor, actor_name=name, outcome=Outcome.OPEN
    )
)


@dataclass(frozen=True, slots=True)
class Suggested:
    """An answer, and its row; None where there was nothing to show, or nothing can be written."""

    answer: Answer
    suggestion: Suggestion | None


def suggest(
    *, project: Project, actor: Actor, title: str, description: str = "", task: Task | None = None
) -> Suggested:
    """Suggest a specialist for a text, after learning what was planned just now, and note that it was shown."""
    catch_up(project=project)
    answer = suggest_specialist(project, title, description)
    if not answer.choices or read_only.is_on():
        return Suggested(answer, None)
    return Suggested(answer, show(project=project, actor=actor, task=task, **facts_of(answer, title)))


def facts_of(answer: Answer, title: str) -> dict[str, Any]:
    """Return what `show` keeps of an answer about a title."""
    return {
        "kind": Kind.SPECIALIST,
        "given": title,
        "answer": [{"value": each.specialist, "confidence": round(each.confidence, 2)} for each in answer.choices],
        "factors": [asdict(factor) for factor in answer.factors],
        "confidence": answer.choices[0].confidence,
        "is_unsure": answer.is_unsure,
    }


def show(
    *,
    project: Project,
    actor: Actor,
    kind: Kind,
    given: str,
    answer: Sequence[dict[str, Any]],
    factors: Sequence[dict[str, Any]] = (),
    confidence: float | None = None,
    is_unsure: bool = False,
    task: Task | None = None,
) -> Suggestion:
    """Note that an answer was shown; showing the same choices again while it is open adds nothing.

    `given` is what was asked about: the title for a specialist. Of each answer, `value` is what may be chosen.
    """
    row = Suggestion(
        public_id=ids.suggestion_id(),
        project=project,
        task=task,
        session=actor.session,
        actor_kind=actor.kind,
        actor_name=actor.name,
        kind=kind,
        input_sha256=fingerprint(given),
        answer=list(answer),
        factors=list(factors),
        confidence=confidence,
        is_unsure=is_unsure,
        after_event=last_id(),
    )
    open_ones = _open(project=project, kind=kind, digest=row.input_sha256, kind_of_actor=actor.kind, name=actor.name)
    same = next((each for each in open_ones if _about(each) == _about(row)), None)
    if same is None:
        insert(row)
    return same or row


def shown_before(project: Project, kind: Kind, given: str) -> list[Suggestion]:
    """Return what is still open of what was shown about `given`, to whomever."""
    rows = Suggestion.objects.filter(project=project, kind=kind, input_sha256=fingerprint(given), outcome=Outcome.OPEN)
    return list(rows)


def _about(row: Suggestion) -> tuple[Any, ...]:
    return row.task_id, row.session_id, [each["value"] for each in row.answer]


def delete_open() -> int:
    """Delete suggestions after which nothing was chosen, a while after they were shown."""
    before = timezone.now() - KEPT_OPEN
    return delete_in_batches(Suggestion.objects.filter(outcome=Outcome.OPEN, created_at__lt=before))


def decide(*, suggestion: Suggestion, actor: Actor, chosen: str, task: Task | None = None) -> Suggestion:
    """Say what was chosen. Raises Conflict where something else was before."""
    actor.require_task(task.pk if task else None)
    with transaction.atomic():
        is_first = settle(suggestion, chosen=chosen, task_id=task.pk if task else None)
    suggestion.refresh_from_db()
    if not is_first and suggestion.chosen != chosen:
        raise Conflict(
            f"{suggestion.public_id} is decided: {suggestion.chosen} was chosen.", next="Ask for a new suggestion."
        )
    return suggestion
