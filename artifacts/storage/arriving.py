"""What is counted of uploads while they arrive, so that a commit need not read their bytes again.

Only a shortcut: what another process received, or this one long ago, is counted from the staged file. Call it with
that file locked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread

from artifacts.storage import staging
from artifacts.storage.block_index import Tally

_MOST = 32
"""Uploads that are remembered; those that have received nothing for longest are forgotten."""
_tallies: OrderedDict[str, Tally] = OrderedDict()
_lock = Lock()


@contextmanager
def counted(public_id: str, offset: int, data: bytes) -> Iterator[None]:
    """Count bytes while the block stores them at an offset, if all before them were counted here.

    Both let the interpreter go, so it takes no longer. Where the block raises, nothing is remembered.
    """
    tally = _taken(public_id) if offset else Tally()
    if tally is None or tally.size_bytes != offset:
        yield
        return
    counting = Thread(target=tally.add, args=(data,))
    counting.start()
    try:
        yield
    finally:
        counting.join()
    with _lock:
        _tallies[public_id] = tally
        if len(_tallies) > _MOST:
            _tallies.popitem(last=False)


def tally_of(public_id: str, size: int) -> Tally:
    """Return the count of an upload's first `size` bytes, and forget it. Raises what `staging.chunks` raises."""
    tally = _taken(public_id)
    if tally is None or tally.size_bytes != size:
        tally = Tally()
        for chunk in staging.chunks(public_id, size):
            tally.add(chunk)
    return tally


def _taken(public_id: str) -> Tally | None:
    with _lock:
        return _tallies.pop(public_id, None)
