"""Jobs that tidy up after deliveries."""

from __future__ import annotations

from datetime import timedelta

from artifacts.services.abandon import abandon_uploads
from maintenance.registry import job


@job("abandon_uploads", every=timedelta(hours=1), timeout=timedelta(minutes=2))
def abandon() -> str:
    """End uploads that nothing has arrived in for a day, and remove what was staged of them."""
    return f"Ended {abandon_uploads()} uploads that nothing arrived in."
