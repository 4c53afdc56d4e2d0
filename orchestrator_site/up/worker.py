"""The worker of `manage.py up`: django-q2's cluster, started as `python -m orchestrator_site.up.worker`."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from django.db import DatabaseError

from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.up.pdeathsig import die_with_supervisor

logger = logging.getLogger(__name__)


def main() -> None:
    hide_root()
    die_with_supervisor(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    _exit_when_a_process_is_killed()
    _follow_the_clock()
    call_command("qcluster")


def _exit_when_a_process_is_killed() -> None:
    """Exit where one of the cluster's processes was killed, so that the supervisor restarts all of it.

    The cluster would replace that process alone. But if it was killed while it waited for a job, it still holds the
    lock of the queue that all of them share, and no job would ever run again. Processes that are recycled, or whose
    job ran out of time, exit by themselves.
    """
    from django_q.cluster import Sentinel

    replace = Sentinel.reincarnate

    def replace_or_exit(sentinel: Any, process: Any) -> None:
        if process.exitcode:
            logger.error("A process of the worker died (exit code %d); restarting all of them.", process.exitcode)
            logging.shutdown()
            os._exit(1)
        replace(sentinel, process)

    Sentinel.reincarnate = replace_or_exit


def _follow_the_clock() -> None:
    """Look before each round of the queue's scheduler whether the clock was set back."""
    from django_q import cluster

    from maintenance.schedules import follow_the_clock

    schedule = cluster.scheduler

    def schedule_by_the_clock(broker: Any = None) -> None:
        try:
            follow_the_clock()
        except DatabaseError:
            logger.exception("Schedules could not be compared with the clock; the next round does it.")
        schedule(broker=broker)

    cluster.scheduler = schedule_by_the_clock


if __name__ == "__main__":
    main()
