"""Abandon: abort idle uploads, and remove staged files that no open upload needs."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from artifacts.models import Upload, UploadState
from artifacts.services.upload import DONE
from artifacts.storage import staging

KEEP_OPEN = timedelta(hours=24)
"""How long after its last part an upload can be continued."""
REMEMBER = timedelta(days=7)
"""How long an ended upload is remembered; a committed one at least until its task is completed."""
BATCH = 500


def abandon_uploads() -> int:
    """Abort uploads without a new part for a day, and clean up after all that ended; returns how many it aborted."""
    now = timezone.now()
    idle = Upload.objects.filter(state=UploadState.OPEN, last_append_at__lt=now - KEEP_OPEN)
    aborted = idle.update(state=UploadState.ABORTED)
    names = staging.names()
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        # An upload's row comes before its file, so that none of these is too young.
        open_ones = Upload.objects.filter(public_id__in=some, state=UploadState.OPEN)
        for name in set(some) - set(open_ones.values_list("public_id", flat=True)):
            staging.discard(name)
    needed = Q(state=UploadState.COMMITTED) & ~Q(task__status__in=DONE)
    ended = Upload.objects.exclude(state=UploadState.OPEN).filter(last_append_at__lt=now - REMEMBER).exclude(needed)
    while keys := list(ended.values_list("pk", flat=True)[:BATCH]):
        Upload.objects.filter(pk__in=keys).delete()
    return aborted
