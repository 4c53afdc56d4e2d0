"""What people and assistants do with a run at work: end it, tell it something, answer what it asks, let it go on."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import require_texts
from tasks import events
from tasks.agents.adapters import ADAPTERS
from tasks.agents.choices import LIVE, RESUMABLE, AskState, RunState
from tasks.agents.models import Run, RunAsk, RunMessage
from tasks.agents.services.transitions import move
from tasks.choices import CLAIMABLE, Verb
from tasks.identity.actor import Actor

MESSAGE_LENGTH = 20_000


def kill(*, run: Run, actor: Actor, reason: str = "") -> Run:
    """End a run: at once where it is queued, else its supervisor ends it within seconds. Repeating it is harmless.

    Raises Conflict for one that has ended.
    """
    _require_may(actor)
    require_texts(reason=reason)
    with transaction.atomic():
        run = _locked(run)
        if run.state not in LIVE:
            raise Conflict(f"{run.public_id} is {run.state} already.", next="There is nothing to end.")
        if run.state == RunState.QUEUED:
            return move(run, RunState.KILLED, actor=actor, reason=reason or f"Ended by {actor.name}.")
        Run.objects.filter(pk=run.pk, stop="").update(stop=RunState.KILLED, stopped_by=actor.name)
        run.refresh_from_db(fields=["stop", "stopped_by"])
    return run


def message(*, run: Run, actor: Actor, text: str) -> RunMessage:
    """Say something to an agent at work, which it gets with its next step.

    Raises Invalid for an empty or long one, Conflict where the agent takes none.
    """
    _require_may(actor)
    text = text.strip()
    if not text or len(text) > MESSAGE_LENGTH:
        raise Invalid(f"message: must have 1 to {MESSAGE_LENGTH:,} characters.", next="Shorten it, or say something.")
    require_texts(message=text)
    adapter = ADAPTERS.get(run.agent)
    if run.state not in LIVE or adapter is None or not adapter.supports.messages:
        why = f"is {run.state}" if run.state not in LIVE else "has an agent that takes no messages"
        raise Conflict(f"{run.public_id} {why}.", next="Resume it with a message, or comment on the task.")
    return _said(run, actor, text)


def _said(run: Run, actor: Actor, text: str) -> RunMessage:
    with transaction.atomic():
        made = RunMessage.objects.create(run=run, text=text, written_by=actor.name)
        note = {"run": run.public_id, "message": text}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, after=note)
    return made


def answer(*, run: Run, actor: Actor, ask: int | None, allow: bool, reason: str = "") -> RunAsk:
    """Allow or deny what an agent asks for; without a number, the oldest open ask.

    Needs `review`, so that no agent allows itself anything. Raises NotFound, Conflict where it was answered already.
    """
    _require_may(actor)
    actor.require(Scope.REVIEW)
    require_texts(reason=reason)
    with transaction.atomic():
        asked = run.asks.filter(pk=ask).first() if ask else run.asks.filter(state=AskState.OPEN).first()
        if asked is None:
            raise NotFound(f"{run.public_id} asks nothing.", next="See its status.")
        state = AskState.ALLOWED if allow else AskState.DENIED
        changes = {"state": state, "reason": reason, "answered_by": actor.name, "answered_at": timezone.now()}
        if not RunAsk.objects.filter(pk=asked.pk, state=AskState.OPEN).update(**changes):
            raise Conflict("It was answered already, or the run went on without.", next="See its status.")
        note = {"run": run.public_id, "ask": asked.tool, "answer": state.value, "reason": reason}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, after=note)
    asked.refresh_from_db()
    return asked


def resume(*, run: Run, actor: Actor, text: str = "") -> Run:
    """Queue an ended run again: it goes on in its worktree and, where the agent can, in its own session.

    A message is the first that it gets. Raises Conflict where it was not ended early, its task is not claimable, its
    worktree was removed, or the task has another run.
    """
    _require_may(actor)
    require_texts(message=text)
    with transaction.atomic():
        run = _locked(run)
        if run.state not in RESUMABLE:
            raise Conflict(f"{run.public_id} is {run.state}: it cannot be resumed.", next="Start a new run.")
        if run.task.status not in CLAIMABLE or run.task.archived_at is not None:
            raise Conflict(f"{run.task.public_id} is {run.task.status}.", next="Retry or unblock the task first.")
        if run.removed_at is not None or run.task.runs.filter(state__in=LIVE).exists():
            raise Conflict(f"{run.public_id} has no worktree any longer, or the task another run.", next="Start one.")
        if text.strip():
            _said(run, actor, text.strip()[:MESSAGE_LENGTH])
        return move(run, RunState.QUEUED, actor=actor, resumes=True, stop="", stopped_by="", deadline=None)


def _locked(run: Run) -> Run:
    return Run.objects.select_for_update(of=("self",)).select_related("task", "project", "session").get(pk=run.pk)


def _require_may(actor: Actor) -> None:
    actor.require(Scope.WRITE)
    if actor.only_task is not None:
        raise Forbidden("An agent in a run does nothing with runs.", next="Do your subtask.")
