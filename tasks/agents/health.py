"""What the health of the site says about agents, where a project lets them run."""

from __future__ import annotations

import time
from typing import Any

from maintenance.registry import health_check
from tasks.agents.choices import WORKING, RunState
from tasks.agents.models import Isolation, Run
from tasks.agents.selectors.supervisors import present

OFF_FOR_SECONDS = 10.0
"""So long nothing is asked again where no project lets agents run."""
_off_until = 0.0


@health_check("agents")
def agents() -> dict[str, Any]:
    """Count supervisors, runs, and processes that outlived theirs and could not be ended."""
    global _off_until
    if time.monotonic() < _off_until:
        return {}
    if not Isolation.objects.filter(is_on=True).exists():
        _off_until = time.monotonic() + OFF_FOR_SECONDS
        return {}
    strays = sum(supervisor.facts.get("strays", 0) for supervisor in present())
    facts = {
        "supervisors": present().count(),
        "at_work": Run.objects.filter(state__in=WORKING).count(),
        "queued": Run.objects.filter(state=RunState.QUEUED).count(),
        "strays": strays,
    }
    waits = facts["queued"] and not facts["supervisors"]
    return {"problem": "Runs are queued, but no supervisor of agents is there.", **facts} if waits else facts
