"""Examination: everything of a content is read, past its index, and compared with what its row says."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from artifacts.models import Codec, Content
from artifacts.storage.base import Unreadable, content_store
from artifacts.storage.frames import BrokenFrame, Frame, Index, Tally, frames_in, row
from artifacts.storage.reading import READ_CHUNK, Damaged, Missing, damaged, unproven


class State(Enum):
    """How a content is."""

    SOUND = "sound"
    MISSING = "missing"
    DAMAGED = "damaged"
    REFUSED = "not readable"
    """The system does not read the bytes; they may be good."""
    UNREADABLE = "damaged index"
    """The bytes are good, and the index is not theirs."""
    MISCOUNTED = "wrong counts"
    UNCOUNTED = "uncounted lines"
    """An earlier release stored it, which did not count them."""


@dataclass(frozen=True, slots=True)
class Examined:
    """How a content is, and what its row has to say where its bytes are good."""

    state: State
    tally: Tally
    index: bytes | None = None


def examine(content: Content) -> Examined:
    """Read everything, a frame at a time, and judge it. Raises Transient where the store cannot be reached."""
    tally, packed, rows = Tally(), 0, list[Frame]()
    try:
        with suppress(BrokenFrame):
            for raw, size in _pieces(content):
                rows.append(row(packed, tally, zlib.crc32(raw)))
                tally.add(raw)
                packed += size
    except Missing:
        return Examined(State.MISSING, tally)
    except Unreadable:
        return Examined(State.REFUSED, tally)
    except Damaged:
        return Examined(State.DAMAGED, tally)
    rows.append(row(packed, tally))
    index = Index(rows).written(tally.sha256) if content.codec == Codec.FRAMES else None
    return Examined(_state(content, tally, index), tally, index)


def _pieces(content: Content) -> Iterator[tuple[bytes, int]]:
    """Yield delivered bytes, and the packed size of those that are frames. Raises Damaged, BrokenFrame."""
    if content.codec != Codec.FRAMES:
        yield from ((raw, 0) for raw in unproven(content))
        return
    try:
        with content_store().open(content.kept_as) as handle:
            yield from frames_in(iter(lambda: handle.read(READ_CHUNK), b""))
    except FileNotFoundError as error:
        raise damaged(content, Missing) from error


def _state(content: Content, tally: Tally, index: bytes | None) -> State:
    if tally.sha256 != content.sha256:
        return State.DAMAGED
    if index != (None if content.index is None else bytes(content.index)):
        return State.UNREADABLE
    if (content.size_bytes, content.size_chars) != (tally.size_bytes, tally.size_chars):
        return State.MISCOUNTED
    if content.size_lines == tally.size_lines:
        return State.SOUND
    return State.UNCOUNTED if content.size_lines is None else State.MISCOUNTED
