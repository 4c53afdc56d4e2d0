"""Jobs that behave badly."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from maintenance.registry import job

DAY = timedelta(days=1)


@job("nap", every=DAY, timeout=timedelta(minutes=2))
def nap() -> str:
    """Take long."""
    Path(settings.ORCHESTRATOR_HOME, "napping").write_text(str(os.getpid()))
    time.sleep(100)
    return "Slept well."


@job("die", every=DAY)
def die() -> str:
    """Kill the process it runs in."""
    os._exit(9)
