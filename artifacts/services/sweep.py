"""Sweep: remove content of artifacts that are gone, and what a crash between bytes and row has left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from artifacts.models import Content
from artifacts.storage.backends import content_store
from artifacts.storage.base import Stored
from artifacts.storage.local import drafts_left, remove_draft
from orchestrator_site.kernel.errors import ServerFault

logger = logging.getLogger(__name__)

KEEP = timedelta(days=1)
"""How old orphans must be: rows follow their bytes soon, and a delivery of the same bytes renews their row."""
BATCH = 500


def remove_orphans() -> int:
    """Remove content that no version names, bytes that no row names and drafts of dead processes; returns how many.

    What cannot be removed is left. Raises Transient where the store cannot be reached.
    """
    old = unnamed_rows().filter(stored_at__lt=timezone.now() - KEEP)
    removed = sum(remove_row(key) for key in list(old.values_list("pk", flat=True)))
    removed += _remove_old(unnamed_bytes(), content_store().remove)
    return removed + _remove_old(drafts_left(), remove_draft)


def unnamed_rows() -> QuerySet[Content]:
    return Content.objects.filter(versions=None)


def unnamed_bytes() -> Iterator[Stored]:
    """Yield what the store keeps and no row names."""
    everything = content_store().stored()
    while some := list(islice(everything, BATCH)):
        rows = Content.objects.filter(sha256__in={each.name[:64] for each in some}, data=None)
        named = set(rows.values_list("stored_as", flat=True))
        yield from (each for each in some if each.name not in named)


def is_old(modified: float) -> bool:
    """Whether something was written so long ago that no current delivery relies on it."""
    return time.time() - modified > KEEP.total_seconds()


def remove_row(key: int) -> bool:
    """Remove a row that no version names and that was not delivered for a day; returns whether it did.

    Where a delivery is about to name it, one of the two waits for the other. If the delivery comes first, the row is
    young, or has its version; if the removal comes first, the delivery inserts a new row.
    """
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        rows = Content.objects.select_for_update(skip_locked=skip)
        if not rows.filter(pk=key, stored_at__lt=timezone.now() - KEEP).values_list("pk"):
            return False
        # A separate statement, since it sees what was committed before the lock was acquired.
        return bool(unnamed_rows().filter(pk=key).delete()[0])


def _remove_old(found: Iterable[Stored], remove: Callable[[str], None]) -> int:
    """Remove what is old; what the system refuses is left to the next sweep."""
    removed = 0
    for name in [each.name for each in found if is_old(each.modified)]:
        try:
            remove(name)
            removed += 1
        except ServerFault as error:
            logger.warning("The orphan %s could not be removed: %s", name, error.message)
    return removed
