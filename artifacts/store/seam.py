"""Where packed bytes are kept, whatever keeps them: the local folder, or an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings


class Readable(Protocol):
    """Packed bytes in order; none at the end."""

    def read(self, size: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that is kept, and when it was written or touched, in seconds since the epoch."""

    name: str
    modified: float


IsNeeded = Callable[[str], bool]
"""Tells whether a row names some content at this moment."""


class ContentStore(Protocol):
    """Keeps packed bytes under a name that is a sha256. What it keeps is durable when `keep` returns.

    Every method raises Transient where the store refuses or cannot be reached.
    """

    def keep(self, draft: Path, name: str) -> None:
        """Take a whole and synced draft as the bytes of a name, in place of what is there. The draft is gone then."""

    def open(self, name: str, start: int = 0, stop: int | None = None) -> AbstractContextManager[Readable]:
        """Open the packed bytes from `start` up to `stop`. Raises FileNotFoundError."""

    def touch(self, name: str) -> bool:
        """Make a name count as new, since a row will name it; False where it is not there."""

    def stored(self) -> Iterator[Stored]:
        """Yield all that is kept."""

    def remove(self, name: str, *, before: float, is_needed: IsNeeded) -> bool:
        """Remove a name that nobody has written or touched since `before` and no row needs; tells whether it did.

        Somebody may be storing the same bytes at this moment.
        """

    def tidy(self, *, before: float, is_needed: IsNeeded) -> int:
        """Finish what killed processes left; returns how many things were removed."""


def content_store() -> ContentStore:
    """Return the store that the settings name: an object store, or the folder `content` of ORCHESTRATOR_HOME."""
    if settings.ORCHESTRATOR_CONTENT_URL:
        from artifacts.store.s3 import s3_store

        return s3_store(settings.ORCHESTRATOR_CONTENT_URL)
    from artifacts.store.local import LocalStore, folder

    return LocalStore(folder())
