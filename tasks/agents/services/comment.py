"""Comment on what a run has changed: its task's next attempt begins with the comments."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import require_texts
from orchestrator_site.kernel.text import shortened
from tasks import events
from tasks.agents.models import Run, RunMessage
from tasks.agents.selectors.messages import at_line
from tasks.choices import Verb
from tasks.identity.actor import Actor

COMMENT_LENGTH = 5_000
PATH_LENGTH = 1_000
_QUOTE = 300


def comment(*, run: Run, actor: Actor, text: str, path: str, line: int | None = None, quote: str = "") -> RunMessage:
    """Keep a comment on a file, or a line of it with what it says, for the next attempt at the task.

    Needs `review`. Raises Invalid for an empty or long one, Conflict for a run that has not ended.
    """
    actor.require(Scope.REVIEW)
    if actor.only_task is not None:
        raise Forbidden("An agent in a run comments on no run.", next="Do your subtask.")
    text, path = text.strip(), path[:PATH_LENGTH]
    if not text or len(text) > COMMENT_LENGTH:
        raise Invalid(f"comment: must have 1 to {COMMENT_LENGTH:,} characters.", next="Shorten it, or say something.")
    require_texts(comment=text, path=path)
    if run.is_live:
        raise Conflict(f"{run.public_id} is still {run.state}.", next="Send it a message instead.")
    quoted = f"\n> {shortened(quote.strip(), _QUOTE)}" if quote.strip() else ""
    whole = f"{at_line(path, line)}{quoted}\n\n{text}"
    with transaction.atomic():
        made = RunMessage.objects.create(run=run, text=whole, written_by=actor.name)
        note = {"run": run.public_id, "comment": made.text}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, after=note)
    return made


def withdraw(*, comment: RunMessage, actor: Actor) -> None:
    """Delete a comment that no agent has got yet. Needs `review`. Raises Conflict where one has it, or it is gone."""
    actor.require(Scope.REVIEW)
    with transaction.atomic():
        deleted, _ = RunMessage.objects.filter(pk=comment.pk, sent_at=None).delete()
        if not deleted:
            raise Conflict("An agent has this comment already, or it is gone.", next="Write another.")
        run = comment.run
        note = {"run": run.public_id, "comment": comment.text}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, before=note)
