"""What a run came to: the agent's last word, its exit code and the board together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone

from artifacts.services.deliver import DeliveryRequest, deliver, prepare_delivery
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.limits import LIMITS
from tasks.agents.adapters.events import Outcome, Reason, State
from tasks.agents.choices import Communication, RunState
from tasks.agents.models import Attempt, Run
from tasks.agents.places import folder_of_attempt
from tasks.agents.services.supervise import session_actor
from tasks.choices import Status
from tasks.models import Task
from tasks.services.steer import block

ENDED_BY_THE_AGENT = (Status.COMPLETED, Status.IN_REVIEW, Status.BLOCKED, Status.NEEDS_REVISION)
RESULT_LIMIT = 20 * 1024 * 1024
RATE_LIMIT_PAUSE = timedelta(minutes=5)
_STATES = {
    State.SUCCEEDED: RunState.SUCCEEDED,
    State.FAILED: RunState.FAILED,
    State.RATE_LIMITED: RunState.QUEUED,
    State.INTERRUPTED: RunState.INTERRUPTED,
    State.LOST: RunState.LOST,
}


def is_delivered(run: Run) -> bool:
    """Whether the agent has ended its task on the board: completed, or stopped with a question."""
    if run.communication == Communication.FILE:
        attempt = run.attempt
        return attempt is not None and any((_outbox(attempt) / name).exists() for name in ("result.md", "question.md"))
    task = Task.objects.only("status", "lease_number").get(pk=run.task_id)
    return task.status in ENDED_BY_THE_AGENT


def why_not_its(run: Run) -> str:
    """Return why the task is no longer the run's to do: someone took it over, or decided about it."""
    task = Task.objects.only("status", "lease_number", "archived_at").get(pk=run.task_id)
    if task.archived_at is not None:
        return "The task was archived."
    if task.status == Status.ACTIVE:
        return "" if task.lease_number == run.lease_number else "The task was taken over."
    return "" if task.status in ENDED_BY_THE_AGENT else f"The task became {task.status} by other means."


def state_after(outcome: Outcome) -> RunState:
    return _STATES[outcome.state]


def reason_of(outcome: Outcome) -> str:
    words = outcome.reason.value.replace("_", " ")
    return f"{words.capitalize()}. {outcome.text}".strip() if outcome.reason != Reason.DONE else outcome.text


def retry_at(outcome: Outcome) -> datetime:
    if outcome.retry_at is None:
        return timezone.now() + RATE_LIMIT_PAUSE
    return datetime.fromtimestamp(outcome.retry_at, UTC)


def deliver_files(run: Run, attempt: Attempt) -> str:
    """Deliver for the agent what it left in its outbox, or ask what it asks; return why that was not possible."""
    result, question = _read(attempt, "result.md"), _read(attempt, "question.md").strip()
    actor = session_actor(run)
    try:
        if result.strip():
            summary = result.strip().partition("\n\n")[0][: LIMITS["summary"]]
            request = DeliveryRequest(summary=summary, text=result)
            deliver(prepare_delivery(task=run.task, actor=actor, request=request))
        elif question:
            block(task=run.task, actor=actor, reason=question[: LIMITS["reason"]])
        else:
            return "What it left in its outbox is empty, too large, or no plain file."
    except OrchestratorError as error:
        return f"Its result could not be delivered: {error.message}"
    return ""


def _outbox(attempt: Attempt) -> Path:
    return folder_of_attempt(attempt) / "outbox"


def _read(attempt: Attempt, name: str) -> str:
    """Read a file that an agent left; what is no plain file, or too large, is none."""
    file = _outbox(attempt) / name
    if file.is_symlink() or not file.is_file() or file.stat().st_size > RESULT_LIMIT:
        return ""
    return file.read_text(encoding="utf-8", errors="replace").replace("\x00", "")
