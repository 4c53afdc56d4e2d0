"""Jobs of the library."""

from __future__ import annotations

from maintenance.registry import MINUTE, job
from tasks.library.services.recurring import run_due


@job("plan_recurring", every=MINUTE)
def plan_recurring() -> str:
    """Plan from templates whose turn has come, in projects that switched one on."""
    ran = run_due()
    return f"Planned {ran.planned}, skipped {ran.skipped} whose last plan is open; {ran.failed} failed."
