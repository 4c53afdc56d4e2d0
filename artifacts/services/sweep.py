"""Remove stored files that no row names: what a crash between the file and its row has left."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

from artifacts import store
from artifacts.models import Content

KEEP = timedelta(days=1)
"""How old a file must be. Its row comes moments after it, and storing the same bytes again makes the file new."""
BATCH = 500
_ASIDE = ".aside"
_STORED = re.compile(r"[0-9a-f]{64}")
_DRAFT = re.compile(r"\.[0-9a-f]{64}\.\d+\.[0-9a-f]{8}")


def remove_orphans() -> int:
    """Remove files of content that no row names, and drafts that were never finished; returns how many."""
    removed = 0
    files = (path for path in store.folder().glob("*/*/*") if path.name.endswith(_ASIDE) or _is_old(path))
    while some := list(islice(files, BATCH)):
        named = set(Content.objects.filter(sha256__in=[path.name for path in some]).values_list("sha256", flat=True))
        removed += sum(_tidy(path) for path in some if path.name not in named)
    return removed


def _is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > KEEP.total_seconds()
    return False


def _tidy(path: Path) -> bool:
    """Remove a file if it is one of ours; tells whether it was."""
    if path.name.endswith(_ASIDE):  # an earlier sweep was killed
        return _settle(path, path.with_name(path.name[1 : -len(_ASIDE)]))
    if _STORED.fullmatch(path.name):
        return _remove(path)
    if _DRAFT.fullmatch(path.name):
        path.unlink(missing_ok=True)
        return True
    return False


def _remove(path: Path) -> bool:
    """Put a file aside, look again, and only then remove it.

    Somebody may be storing the same bytes right now. If they found the file before it was put aside, they made it new,
    and it is put back; if they came later, they write one of their own.
    """
    aside = path.with_name(f".{path.name}{_ASIDE}")
    with suppress(FileNotFoundError, PermissionError):
        path.rename(aside)
        return _settle(aside, path)
    return False


def _settle(aside: Path, path: Path) -> bool:
    """Remove a file that was put aside, or put it back where it is needed; tells whether it was removed."""
    needed = not _is_old(aside) or Content.objects.filter(sha256=path.name).exists()
    if needed and not path.exists():
        aside.replace(path)
        return False
    aside.unlink(missing_ok=True)
    return not needed
