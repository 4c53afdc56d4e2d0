"""Packing: frames are compressed by a few threads at once, and come out in order."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from artifacts.store.frames import Frame, Index, Tally, row

_THREADS = 2
_AHEAD = 2 * _THREADS
"""Frames that are held at once."""
_SAMPLE = 4096
_WORTH = 0.7
"""What is not packed to so much of its size is kept as it is: base64, and what is packed already."""


class _Packed(NamedTuple):
    data: bytes
    crc: int


class Packer:
    """Packs frames one after the other, and makes their index. zlib leaves the interpreter to others meanwhile."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pack")
        self._waiting: deque[tuple[Frame, Future[_Packed]]] = deque()
        self._rows: list[Frame] = []
        self._packed = 0

    def add(self, raw: bytes) -> Iterator[bytes]:
        """Take the next frame; yield those that are in its way, packed."""
        self._waiting.append((row(0, self.tally), self._pool.submit(_pack, raw)))
        self.tally.add(raw)
        while len(self._waiting) > _AHEAD:
            yield self._next()

    def rest(self) -> Iterator[bytes]:
        """Yield the packed frames that are still to come."""
        while self._waiting:
            yield self._next()

    def index(self) -> bytes:
        """Return the index of all frames that came out."""
        return Index([*self._rows, row(self._packed, self.tally)]).written()

    def close(self) -> None:
        """Let the threads go, and whatever they have not done."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> bytes:
        begun, packing = self._waiting.popleft()
        packed = packing.result()
        self._rows.append(Frame(self._packed, begun.raw, begun.chars, begun.lines, packed.crc))
        self._packed += len(packed.data)
        return packed.data


def _pack(raw: bytes) -> _Packed:
    return _Packed(zlib.compress(raw, level=1 if _shrinks(raw) else 0), zlib.crc32(raw))


def _shrinks(raw: bytes) -> bool:
    """Tell from its beginning and its middle whether packing a frame is worth the time."""
    middle = len(raw) // 2
    sample = raw[:_SAMPLE] + raw[middle : middle + _SAMPLE]
    return len(zlib.compress(sample, level=1)) < _WORTH * len(sample)
