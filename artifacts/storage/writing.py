"""Store bytes of any kind and size as they stream in, and make them durable before a row names them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from django.utils import timezone

from artifacts.models import INLINE_LIMIT, Content
from artifacts.storage.backends import content_store
from artifacts.storage.base import Unreadable
from artifacts.storage.block_index import Tally
from artifacts.storage.local import Draft
from artifacts.storage.reading import Damaged, verify_digest
from orchestrator_site.kernel import compiled

_STEP = 1024 * 1024
_RENEWED = ["size_bytes", "size_chars", "size_lines", "data", "index", "stored_as", "stored_at"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Bytes that are safe to name in a row: small ones still in memory, larger ones already in the store.

    Characters and lines are None for what is not UTF-8.
    """

    sha256: str
    size_bytes: int
    size_chars: int | None
    size_lines: int | None
    data: bytes | None = None
    index: bytes | None = None
    stored_as: str = ""
    is_known: bool = False
    """Whether a row named these very bytes before."""


class Writer:
    """Takes bytes in pieces of any size and holds what fits into a row. Use it outside any transaction.

    Every method raises Transient where the disk refuses; then nothing has been stored.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._held = bytearray()
        self._draft: Draft | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is not None:
            self._draft.discard()

    @property
    def sha256(self) -> str:
        return self._tally.sha256

    def write(self, data: bytes) -> None:
        self._tally.add(data)
        if self._draft is None and self._tally.size_bytes <= INLINE_LIMIT:
            self._held += data
            return
        if self._draft is None:
            self._draft = Draft()
            self._draft.write(self._held)
        self._draft.write(data)

    def adopt(self, file: Path, tally: Tally) -> bool:
        """Take a file that `tally` has counted instead of writing its bytes again; False where that cannot be.

        It stays where it is, and may not change any more.
        """
        self._draft = Draft.linked(file) if tally.size_bytes > INLINE_LIMIT else None
        if self._draft is not None:
            self._tally = tally
        return self._draft is not None

    def finish(self) -> Prepared:
        """Make everything durable that was written."""
        if self._draft is None:
            return replace(self._counted(), data=bytes(self._held))
        if known := self._known():
            return known
        name = content_store().keep(self._draft.finish(), self.sha256)
        return replace(self._counted(), index=self._tally.index(), stored_as=name)

    def _counted(self) -> Prepared:
        tally = self._tally
        return Prepared(tally.sha256, tally.size_bytes, tally.size_chars, tally.size_lines)

    def _known(self) -> Prepared | None:
        """Return how the same bytes are stored already, if they can be read and are good.

        The row is renewed first, since one that no version names is removed with its bytes when it is a day old.
        """
        rows = Content.objects.filter(sha256=self.sha256, data__isnull=True)
        row = rows.first() if rows.update(stored_at=timezone.now()) else None
        with suppress(Damaged, Unreadable):
            if row is not None and row.index is not None:
                verify_digest(row)
                return replace(self._counted(), index=bytes(row.index), stored_as=row.stored_as, is_known=True)
        return None


def prepare(text: str) -> Prepared:
    """Make a text ready to be stored. Call it outside any transaction, since it writes and syncs.

    Raises Transient where the disk refuses.
    """
    with Writer() as writer:
        for start in range(0, len(text), _STEP):  # its bytes are never in memory all at once
            writer.write(text[start : start + _STEP].encode())
        return writer.finish()


def insert(prepared: Prepared) -> Content:
    """Name prepared bytes in a row, or renew the row that already does.

    What was known stays as its row says now: it may have been found damaged and been stored again since.
    """
    row = Content(
        sha256=prepared.sha256,
        size_bytes=prepared.size_bytes,
        size_chars=prepared.size_chars,
        size_lines=prepared.size_lines,
        data=prepared.data,
        index=prepared.index,
        stored_as=prepared.stored_as,
        stored_at=timezone.now(),
    )
    renewed = ["stored_at"] if prepared.is_known else _RENEWED
    compiled.insert(row, update=renewed, unique=["sha256"])
    return row
