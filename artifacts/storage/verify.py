"""Read all bytes of a content, past its index, and compare them with what its row says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from artifacts.models import Content
from artifacts.storage import block_index
from artifacts.storage.base import Unreadable
from artifacts.storage.block_index import Tally
from artifacts.storage.reading import Missing, read_unverified


class State(Enum):
    SOUND = "sound"
    MISSING = "missing"
    DAMAGED = "damaged"
    REFUSED = "not readable"
    """The system does not read the bytes; they may be good."""
    UNREADABLE = "damaged index"
    """The bytes are good, but the index does not belong to them."""
    MISCOUNTED = "wrong counts"


@dataclass(frozen=True, slots=True)
class Examined:
    """The state of a content, and what its row has to say where its bytes are good."""

    state: State
    tally: Tally
    index: bytes | None = None


def examine(content: Content) -> Examined:
    """Read everything, a block at a time. Raises Transient where the store cannot be reached."""
    tally = Tally()
    try:
        for block in read_unverified(content, block_index.BLOCK_BYTES):
            tally.add(block)
    except Missing:
        return Examined(State.MISSING, tally)
    except Unreadable:
        return Examined(State.REFUSED, tally)
    index = tally.index() if content.data is None else None
    return Examined(_state(content, tally, index), tally, index)


def _state(content: Content, tally: Tally, index: bytes | None) -> State:
    if tally.sha256 != content.sha256:
        return State.DAMAGED
    if index != (None if content.index is None else bytes(content.index)):
        return State.UNREADABLE
    counted = (tally.size_bytes, tally.size_chars, tally.size_lines)
    is_right = counted == (content.size_bytes, content.size_chars, content.size_lines)
    return State.SOUND if is_right else State.MISCOUNTED
