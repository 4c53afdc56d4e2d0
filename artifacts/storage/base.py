"""What keeps large content: the interface that the local folder and the object store implement.

A stored file gets a new name each time, its sha256 with something random, and never changes. So the sweep needs no
lock to remove a file that no row names and that is a day old: an old name can be learned only from its row, and
every caller that finds a row renews it before relying on it (docs/architecture.md, "Content").
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator_site.kernel.errors import Unavailable

NAME = re.compile(r"[0-9a-f]{64}-[0-9a-f]{8}")


class Unreadable(Unavailable):
    """The system does not read some bytes until a person does something about it; it may read others."""


class Readable(Protocol):
    """Stored bytes in order; none at the end."""

    def read(self, size: int) -> bytes: ...


def exactly(handle: Readable, size: int) -> bytes:
    """Read so many bytes, fewer only at the end: an object store returns what has arrived so far."""
    parts = []
    while size > 0 and (part := handle.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file, and when it was written, in seconds since the epoch."""

    name: str
    size: int
    modified: float


class ContentStore(Protocol):
    """Keeps bytes under names. What it keeps is durable when `keep` returns.

    Every method raises ServerFault where the store refuses or cannot be reached.
    """

    def keep(self, draft: Path, sha256: str) -> str:
        """Keep a complete and synced draft, and return its name. The draft may be gone then."""

    def open(self, name: str, start: int = 0, stop: int | None = None) -> AbstractContextManager[Readable]:
        """Open the bytes from `start` on; those from `stop` on may be left out.

        Raises FileNotFoundError, and Unreadable, also while reading, where the system refuses these bytes.
        """

    def stored(self) -> Iterator[Stored]:
        """Yield everything that is kept."""

    def remove(self, name: str) -> None:
        """Remove what is kept under a name, if it is there."""

    def put_aside(self, name: str) -> None:
        """Move a damaged file, if it is there, to `damaged`, where a person may look at it."""


def new_name(sha256: str) -> str:
    """Return a name that nothing was kept under before."""
    return f"{sha256}-{secrets.token_hex(4)}"


def place_of(name: str) -> str:
    """Return where a name is kept, two levels of folders deep."""
    return f"{name[:2]}/{name[2:4]}/{name}"
