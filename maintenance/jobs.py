"""Jobs that keep the board and the data folder in order, and the function by which the queue runs any job."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from artifacts.services.sweep import remove_orphans
from maintenance.registry import MINUTE, job
from maintenance.services import automatic, operations, prune
from maintenance.services.backup import back_up_dated
from maintenance.services.coordinate import perform_queued
from maintenance.services.optimise import optimise
from maintenance.services.run import AlreadyRunning, run
from maintenance.services.scan import scan_all
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.services import idempotency, leases

logger = logging.getLogger(__name__)


def run_from_queue(name: str) -> str:
    """Run a job for the queue, which would retry it after an exception; its schedule runs it again anyway."""
    try:
        return run(name=name)
    except OrchestratorError as error:
        logger.log(logging.INFO if isinstance(error, AlreadyRunning) else logging.WARNING, "%s", error.message)
        return error.message


@job("heartbeat", every=MINUTE, timeout=timedelta(seconds=20))
def heartbeat() -> str:
    """Show that jobs run; /readyz reads when it last did."""
    return "The worker is alive."


@job("free_expired_leases", every=MINUTE)
def free_expired_leases() -> str:
    """Free tasks whose holder has gone or whose deferral is over, also in projects where no task is claimed."""
    freed = leases.free_everywhere()
    return f"Freed {freed} tasks whose lease or deferral was over."


@job("delete_old_rows", every=timedelta(hours=1), timeout=timedelta(minutes=2))
def delete_old_rows() -> str:
    """Delete idempotency keys after a week, and runs of jobs after a day, or a month where they failed."""
    keys = idempotency.forget(before=timezone.now() - prune.KEEP_KEYS)
    return f"Deleted {keys} idempotency keys and {prune.delete_old_runs()} runs of jobs."


@job("sweep_content", every=timedelta(days=1), timeout=timedelta(minutes=4))
def sweep_content() -> str:
    """Delete content that no artifact refers to and files that no row refers to, once they are a day old."""
    return f"Deleted {remove_orphans()} contents and files that nothing referred to."


@job("optimise", every=timedelta(days=1), timeout=timedelta(minutes=4))
def optimise_database() -> str:
    """Refresh the statistics of the database, merge the search index, and give back free pages and the log."""
    return str(optimise())


@job("back_up", every=timedelta(days=1), timeout=timedelta(minutes=5))
def back_up() -> str:
    """Copy the data into a new folder of ORCHESTRATOR_BACKUPS, if that is set, and remove old copies."""
    if not settings.ORCHESTRATOR_BACKUPS:
        return "ORCHESTRATOR_BACKUPS names no folder."
    made = back_up_dated(folder=Path(settings.ORCHESTRATOR_BACKUPS))
    return f"Copied and verified {made.contents} contents, {made.size_bytes} bytes."


def run_operation(public_id: str) -> str:
    """Do an operation of the coordinator that was queued."""
    return operations.run(public_id=public_id, perform=perform_queued)


@job("requeue_operations", every=MINUTE)
def requeue_operations() -> str:
    """Queue operations again whose worker went away; after three deaths of one it is recorded as failed."""
    return f"Queued {operations.requeue_lost()} operations again."


@job("scan_projects", every=timedelta(hours=1), timeout=timedelta(minutes=4))
def scan_projects() -> str:
    """Look for stale work and wrong structure in every project; it only reports."""
    return scan_all()


@job("prepare_handovers", every=timedelta(days=1), timeout=timedelta(minutes=4))
def prepare_handovers() -> str:
    """Prepare a handover in projects that switch it on and have moved since the last one."""
    return automatic.prepare_handovers()


@job("update_status_documents", every=timedelta(days=1), timeout=timedelta(minutes=4))
def update_status_documents() -> str:
    """Bring the status documents up to date in projects that switch it on."""
    return automatic.update_status_documents()


@job("archive_eligible", every=timedelta(days=1), timeout=timedelta(minutes=4))
def archive_eligible() -> str:
    """Archive what has been quiet for longer than its retention, in projects that switch it on."""
    return automatic.archive_eligible()


@job("purge_eligible", every=timedelta(days=1), timeout=timedelta(minutes=4))
def purge_eligible() -> str:
    """Purge what has been archived for longer than its retention, in projects that switch it on."""
    return automatic.purge_eligible()
