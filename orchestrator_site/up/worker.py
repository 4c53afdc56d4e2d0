"""The worker of `manage.py up`: django-q2's cluster, as a child of the supervisor.

The supervisor starts it as `python -m orchestrator_site.up.worker`.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from orchestrator_site.up.lifeline import hold_on

logger = logging.getLogger(__name__)


def main() -> None:
    """Run jobs until told to stop."""
    hold_on()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    _begin_anew_after_a_death()
    call_command("qcluster")


def _begin_anew_after_a_death() -> None:
    """End the whole cluster where one of its processes was killed; the supervisor starts another.

    The cluster replaces the process. But one that was killed while it waited for a job has held the lock of the queue
    that they share, and nobody would ever get a job again. Processes that are recycled, or whose job took too
    long, end by themselves.
    """
    from django_q.cluster import Sentinel

    replace = Sentinel.reincarnate

    def replace_or_end(sentinel: Any, process: Any) -> None:
        if process.exitcode:
            logger.error("A process of the worker died (exit code %d); all of them begin anew.", process.exitcode)
            logging.shutdown()
            os._exit(1)
        replace(sentinel, process)

    Sentinel.reincarnate = replace_or_end


if __name__ == "__main__":
    main()
