"""From an agent that is over to a run that has ended: nothing of it runs, its work is collected, its task is free."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from tasks.agents import processes, worktrees
from tasks.agents.adapters.base import Conversation
from tasks.agents.adapters.events import Outcome
from tasks.agents.choices import AskState, Communication, RunState, Workspace
from tasks.agents.models import Attempt, Run, RunAsk
from tasks.agents.processes import Process
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.services.supervise import SUPERVISOR
from tasks.agents.services.transitions import REASON_LENGTH, move, write
from tasks.agents.supervisor import outcome as outcomes
from tasks.agents.supervisor.following import Orders, Over
from tasks.agents.supervisor.observing import observe
from tasks.agents.worktrees import Worktree
from tasks.choices import Status
from tasks.models import Attempt as TaskAttempt
from tasks.services.attempts import Usage, measured, usage_of
from tasks.services.steer import release

COLLECTED_LIMIT = 1024**3
_ERRORS_SHOWN = 4_000


def stop(run: Run, process: Process, conversation: Conversation, over: Over, *, grace: float) -> int | None:
    """End the process and all that it started; return its exit code."""
    if run.state != RunState.STOPPING:
        move(run, RunState.STOPPING, actor=SUPERVISOR, reason=over.reason, stop=over.state or "")
    asked = conversation.interrupt() if over.state else []
    ended = processes.end(process, interrupt=asked, grace=grace)
    if ended.survivors:
        write(run, facts={**run.facts, "survivors": [each.name for each in ended.survivors]})
    return ended.exit_code


def judge(run: Run, attempt: Attempt, process: Process, talk: Conversation, exit_code: int | None) -> Outcome:
    problem = ""
    if run.communication == Communication.FILE and run.task.status == Status.ACTIVE and outcomes.is_delivered(run):
        problem = outcomes.deliver_files(run, attempt)
    run.task.refresh_from_db()
    completed = run.task.status in (Status.COMPLETED, Status.IN_REVIEW)
    said = b"\n".join(processes.read(process, 0, log=processes.Log.ERRORS).lines)[-_ERRORS_SHOWN:]
    outcome = talk.judge(exit_code, completed=completed, stderr=said.decode(errors="replace"))
    return replace(outcome, text=problem) if problem else outcome


def conclude(run: Run, attempt: Attempt, outcome: Outcome, exit_code: int | None) -> None:
    """Decide what the run comes to, and write it down before anything is collected."""
    state = RunState(run.stop) if run.stop else outcomes.state_after(outcome)
    completed = run.task.status in (Status.COMPLETED, Status.IN_REVIEW)
    if run.stop in (RunState.TIMED_OUT, RunState.FAILED, RunState.INTERRUPTED) and completed:
        state = RunState.SUCCEEDED  # it was done before it was stopped
    reason = run.reason if run.stop else outcomes.reason_of(outcome)
    if run.task.status == Status.BLOCKED:
        reason = f"It asks: {run.task.reason}"
    RunAsk.objects.filter(attempt=attempt, state=AskState.OPEN).update(state=AskState.LAPSED)
    close(attempt, state, reason, exit_code)
    if state == RunState.QUEUED:
        give_back(run, "The agent's provider takes nothing more for now.")
        at = outcomes.retry_at(outcome)
        move(run, state, actor=SUPERVISOR, reason=reason, not_before=at, resumes=True, deadline=None)
    else:
        move(run, RunState.COLLECTING, actor=SUPERVISOR, reason=reason)


def close(attempt: Attempt, state: RunState, reason: str, exit_code: int | None) -> None:
    attempt.outcome, attempt.reason, attempt.exit_code, attempt.ended_at = state, reason, exit_code, timezone.now()
    attempt.save(update_fields=["outcome", "reason", "exit_code", "ended_at"])


def collect(run: Run, attempt: Attempt, orders: Orders) -> None:
    """Commit what the agent left on its branch, look at its gates, and end the run. Safe to repeat. Raises Left."""
    state, reason = RunState(attempt.outcome or RunState.LOST), attempt.reason
    found: dict[str, Any] = {}
    if run.worktree and run.workspace != Workspace.CURRENT:
        try:
            found = _collected(run)
        except OrchestratorError as error:
            state, reason = RunState.FAILED, f"Its work could not be collected: {error.message} {reason}"
    if found.get("tampered"):
        state, reason = RunState.TAMPERED, "; ".join(found["tampered"])
    head = found.pop("head", None) or ""
    if state == RunState.SUCCEEDED:
        state, reason, found = _observed(run, head, orders, reason, found)
    give_back(run, reason)
    move(run, state, actor=SUPERVISOR, reason=reason, head_commit=head, facts={**run.facts, **found})
    if state == RunState.SUCCEEDED and run.workspace == Workspace.NEW and not run.facts.get("left_out"):
        remove_worktree(run)


def _observed(
    run: Run, head: str, orders: Orders, reason: str, found: dict[str, Any]
) -> tuple[RunState, str, dict[str, Any]]:
    """Judge the gates of a delivery. One that is sent back is no success: the run can be resumed."""
    try:
        observed = observe(run, head, orders)
    except OrchestratorError as error:  # a person decides
        return RunState.SUCCEEDED, f"Its gates could not be looked at: {error.message} {reason}", found
    if observed.gates:
        found = {**found, "gates": observed.gates}
    return (RunState.FAILED, observed.sent_back, found) if observed.sent_back else (RunState.SUCCEEDED, reason, found)


def _collected(run: Run) -> dict[str, Any]:
    worktree = Worktree(**run.worktree)
    worktrees.clear_locks(worktree)
    _, settings = isolation_of(run.project)
    message = f"{run.task.title}\n\nTask: {run.task.public_id}\nRun: {run.public_id}"
    found = worktrees.collect(
        worktree, message=message, limit_bytes=COLLECTED_LIMIT, leave_out=settings.copied_files,
        jailed=bool(run.facts.get("jailed")),
    )  # fmt: skip
    return asdict(found)


def remove_worktree(run: Run) -> None:
    """Remove the folder of collected work; its branch stays."""
    worktrees.remove(Worktree(**run.worktree))
    Run.objects.filter(pk=run.pk).update(removed_at=timezone.now())


def give_back(run: Run, why: str) -> None:
    """Release the task where the run still holds it, and keep what the attempt at it used."""
    with suppress(Conflict):  # it was completed, or taken over
        release(task=run.task, actor=SUPERVISOR, reason=why[:REASON_LENGTH], lease_number=run.lease_number)
    run.task.refresh_from_db()
    measured(task=run.task, lease_number=run.lease_number, usage=_usage_of(run))


def _usage_of(run: Run) -> Usage:
    """Return what the agent used since the run holds its task, once or with a follow-up."""
    began = TaskAttempt.objects.filter(task=run.task_id, lease_number=run.lease_number).values("started_at")[:1]
    heard = [usage for usage in run.attempts.filter(started_at__gte=began).values_list("usage", flat=True) if usage]
    if not heard:
        return Usage()
    read, written, cost = (
        sum(usage.get(name) or 0 for usage in heard) for name in ("read_tokens", "written_tokens", "cost_usd")
    )
    return usage_of({"read_tokens": read or None, "written_tokens": written or None, "cost_usd": cost or None})
