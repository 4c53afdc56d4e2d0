"""Storing: bytes of any kind and number stream in, and become safe to be named in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType

from django.utils import timezone

from artifacts.models import INLINE_LIMIT, Codec, Content
from artifacts.storage import frames
from artifacts.storage.base import Unreadable, content_store
from artifacts.storage.frames import Tally
from artifacts.storage.local import Draft
from artifacts.storage.packing import Packer
from artifacts.storage.reading import Damaged, prove
from orchestrator_site.kernel import compiled

_STEP = 1024 * 1024
_RENEWED = ["size_bytes", "size_chars", "size_lines", "codec", "data", "index", "stored_as", "stored_at"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Bytes that are safe to name in a row: small ones still in hand, larger ones already in the store.

    Characters and lines are None for what is no UTF-8 text.
    """

    sha256: str
    size_bytes: int
    size_chars: int | None
    size_lines: int | None
    codec: str
    data: bytes | None
    index: bytes | None
    stored_as: str
    is_known: bool = False
    """Whether a row has named these very bytes already."""


class Writer:
    """Takes bytes in pieces of any size and holds no more than some frames of them. Use it outside any transaction.

    Every method raises Transient where the disk refuses; then nothing has been stored.
    """

    def __init__(self) -> None:
        self._packer = Packer()
        self._frame = bytearray()
        self._draft: Draft | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packer.close()
        if self._draft is not None:
            self._draft.discard()

    def write(self, data: bytes) -> None:
        """Take further bytes."""
        rest = memoryview(data)
        while rest:
            taken = rest[: frames.FRAME_BYTES - len(self._frame)]
            self._frame += taken
            rest = rest[len(taken) :]
            if len(self._frame) == frames.FRAME_BYTES:
                self._pack()

    def finish(self) -> Prepared:
        """Make everything durable that was written."""
        if self._draft is None and len(self._frame) <= INLINE_LIMIT:
            return _inline(bytes(self._frame))
        if self._frame:
            self._pack()
        return _known(self._packer.tally) or self._keep()

    def _pack(self) -> None:
        self._add(self._packer.add(bytes(self._frame)))
        self._frame.clear()

    def _add(self, packed: Iterable[bytes]) -> Draft:
        self._draft = self._draft or Draft()
        for frame in packed:
            self._draft.write(frame)
        return self._draft

    def _keep(self) -> Prepared:
        draft, tally = self._add(self._packer.rest()), self._packer.tally
        name = content_store().keep(draft.finish(), tally.sha256)
        return _prepared(tally, Codec.FRAMES, index=self._packer.index(), stored_as=name)


def prepare(text: str) -> Prepared:
    """Make a text ready to be stored. Call it outside any transaction: it packs and syncs.

    Raises Transient where the disk refuses.
    """
    with Writer() as writer:
        for piece in _steps(text):
            writer.write(piece.encode())
        return writer.finish()


def insert(prepared: Prepared) -> Content:
    """Name prepared bytes in a row, or find the row that already does, making its bytes good again.

    What was known stays as its row says now: somebody may have found it damaged and stored it anew since.
    """
    row = Content(
        sha256=prepared.sha256,
        size_bytes=prepared.size_bytes,
        size_chars=prepared.size_chars,
        size_lines=prepared.size_lines,
        codec=prepared.codec,
        data=prepared.data,
        index=prepared.index,
        stored_as=prepared.stored_as,
        stored_at=timezone.now(),
    )
    renewed = ["stored_at"] if prepared.is_known else _RENEWED
    compiled.insert(row, update=renewed, unique=["sha256"])
    return row


def _steps(text: str) -> Iterator[str]:
    """Cut a text so that its bytes are never there at once."""
    return (text[start : start + _STEP] for start in range(0, len(text), _STEP))


def _inline(raw: bytes) -> Prepared:
    tally = Tally()
    tally.add(raw)
    return _prepared(tally, Codec.IDENTITY, data=raw)


def _prepared(
    tally: Tally, codec: str, *, data: bytes | None = None, index: bytes | None = None, stored_as: str = ""
) -> Prepared:
    facts = (tally.sha256, tally.size_bytes, tally.size_chars, tally.size_lines)
    return Prepared(*facts, codec, data, index, stored_as)


def _known(tally: Tally) -> Prepared | None:
    """Return how the same bytes are stored already, if they can be read and are good.

    The row is renewed first: one that no version names is removed when it is a day old, and its bytes with it.
    """
    rows = Content.objects.filter(sha256=tally.sha256, data__isnull=True)
    row = rows.first() if rows.update(stored_at=timezone.now()) else None
    with suppress(Damaged, Unreadable):
        if row is not None:
            prove(row)
            index = None if row.index is None else bytes(row.index)
            return replace(_prepared(tally, row.codec, index=index, stored_as=row.stored_as), is_known=True)
    return None
