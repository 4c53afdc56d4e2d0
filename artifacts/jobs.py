"""Jobs that finish and clean up after deliveries."""

from __future__ import annotations

from datetime import timedelta

from artifacts.search.index import catch_up
from artifacts.services.abandon import abandon_uploads
from artifacts.services.mirror import mirror_all
from maintenance.registry import job


@job("abandon_uploads", every=timedelta(hours=1), timeout=timedelta(minutes=2))
def abandon() -> str:
    """Abort uploads without a new part for a day, and remove their staged bytes."""
    return f"Aborted {abandon_uploads()} idle uploads."


@job("index_search", every=timedelta(minutes=1), timeout=timedelta(minutes=4))
def index_search() -> str:
    """Index what is in the backlog: large artifacts whose delivery was interrupted, and everything after an upgrade."""
    return f"Indexed {catch_up(seconds=120)} tasks and artifacts."


@job("mirror_artifacts", every=timedelta(minutes=5), timeout=timedelta(minutes=4))
def mirror_artifacts() -> str:
    """Repair the mirrors: write files that are missing, and remove those of artifacts that are gone."""
    return mirror_all()
