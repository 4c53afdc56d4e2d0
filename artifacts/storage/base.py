"""Where packed bytes are kept, whatever keeps them: the local folder, or an object store.

What is kept gets a new name each time, a sha256 with something random, and is never changed. So whoever removes what no
row names and nobody wrote within a day takes it from no one, without any lock: nobody comes to know an old name but by
its row, and whoever finds a row renews it before relying on it (docs/architecture.md, "Content").
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from orchestrator_site.kernel.errors import Transient

NAME = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{8})?")
"""What is kept; earlier releases had names without the random part."""


class Unreadable(Transient):
    """The system does not read some bytes; others it may read."""


class Readable(Protocol):
    """Packed bytes in order; none at the end."""

    def read(self, size: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that is kept, its packed bytes, and when it was written, in seconds since the epoch."""

    name: str
    size: int
    modified: float


class ContentStore(Protocol):
    """Keeps packed bytes under names. What it keeps is durable when `keep` returns.

    Every method raises Transient where the store refuses or cannot be reached.
    """

    def keep(self, draft: Path, sha256: str) -> str:
        """Keep a whole and synced draft, and return its name. The draft may be gone then."""

    def open(self, name: str, start: int = 0, stop: int | None = None) -> AbstractContextManager[Readable]:
        """Open the packed bytes from `start` on; those from `stop` on need not be there.

        Raises FileNotFoundError, and Unreadable, also later, where the system refuses these bytes.
        """

    def stored(self) -> Iterator[Stored]:
        """Yield all that is kept."""

    def remove(self, name: str) -> None:
        """Remove what is kept under a name, if it is there."""

    def put_aside(self, name: str) -> None:
        """Move what is damaged to `damaged`, if it is there, where a person may look at it."""


def new_name(sha256: str) -> str:
    """Return a name that nothing was kept under before."""
    return f"{sha256}-{secrets.token_hex(4)}"


def place_of(name: str) -> str:
    """Where a name is kept, with two levels of folders above it."""
    return f"{name[:2]}/{name[2:4]}/{name}"


def content_store() -> ContentStore:
    """Return the store that the settings name: an object store, or the folder `content` of ORCHESTRATOR_HOME."""
    if settings.ORCHESTRATOR_CONTENT_URL:
        from artifacts.storage.s3 import s3_store

        return s3_store(settings.ORCHESTRATOR_CONTENT_URL)
    from artifacts.storage.local import LocalStore, folder

    return LocalStore(folder())
