"""Jobs that tidy up after deliveries."""

from __future__ import annotations

from datetime import timedelta

from artifacts.search.index import catch_up
from artifacts.services.abandon import abandon_uploads
from artifacts.services.mirror import mirror_all
from maintenance.registry import job


@job("abandon_uploads", every=timedelta(hours=1), timeout=timedelta(minutes=2))
def abandon() -> str:
    """End uploads that nothing has arrived in for a day, and remove what was staged of them."""
    return f"Ended {abandon_uploads()} uploads that nothing arrived in."


@job("index_search", every=timedelta(minutes=1), timeout=timedelta(minutes=4))
def index_search() -> str:
    """Index the words of what was noted: long works whose delivery was cut off, and all after an upgrade."""
    return f"Indexed {catch_up(seconds=120)} tasks and artifacts."


@job("mirror_artifacts", every=timedelta(minutes=5), timeout=timedelta(minutes=4))
def mirror_artifacts() -> str:
    """Mend the mirrors of delivered work: write files that are missing, and remove those of work that is gone."""
    return mirror_all()
