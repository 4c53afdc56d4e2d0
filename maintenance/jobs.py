"""Jobs that keep the board and the data folder in order, and the door through which the queue runs all jobs."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from artifacts.services.sweep import remove_orphans
from maintenance.registry import MINUTE, job
from maintenance.services import forget, leases
from maintenance.services.run import RunsAlready, run
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.services import idempotency

logger = logging.getLogger(__name__)

KEEP_KEYS = timedelta(days=7)
"""How long a call may be sent again under its idempotency key."""


def run_from_queue(name: str) -> str:
    """Run a job for the queue. What is refused is not asked for again: its schedule comes round by itself."""
    try:
        return run(name=name)
    except OrchestratorError as refusal:
        logger.log(logging.INFO if isinstance(refusal, RunsAlready) else logging.WARNING, "%s", refusal.message)
        return refusal.message


@job("heartbeat", every=MINUTE, timeout=timedelta(seconds=20))
def heartbeat() -> str:
    """Show that jobs are run; /readyz reads when it was last done."""
    return "The worker is alive."


@job("free_run_out_leases", every=MINUTE)
def free_run_out_leases() -> str:
    """Give back tasks whose holder has gone, in projects where nobody asks for work."""
    freed = leases.free_everywhere()
    return f"Gave {freed} tasks back whose lease was over." if freed else "No lease is over."


@job("forget_old_rows", every=timedelta(hours=1), timeout=timedelta(minutes=2))
def forget_old_rows() -> str:
    """Forget idempotency keys after a week, and what jobs did after a day, or a month where they failed."""
    keys = idempotency.forget(before=timezone.now() - KEEP_KEYS)
    runs = forget.forget_runs() + forget.forget_queue_records()
    return f"Forgot {keys} idempotency keys and {runs} runs of jobs."


@job("sweep_content", every=timedelta(days=1), timeout=timedelta(minutes=4))
def sweep_content() -> str:
    """Remove content that no artifact names any more, and stored files that no row names, older than a day."""
    return f"Removed {remove_orphans()} contents and files that nothing named."
