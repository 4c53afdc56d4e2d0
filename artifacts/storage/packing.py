"""Packing: threads compress frames while others are hashed and written; they come out in order."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from artifacts.storage.deflate import compress, crc32
from artifacts.storage.frames import Frame, Index, Tally, row

_THREADS = 2
_HELD = 8
"""Frames that are held at once; who brings more waits for the first of them."""
_SAMPLE = 4096
_WORTH = 0.7
"""What is not packed to so much of its size is kept as it is: base64, and what is packed already."""
_BLOCK = 0xFFFF


class _Packed(NamedTuple):
    data: bytes
    crc: int


class Packer:
    """Packs frames one after the other, and makes their index. Compressing leaves the interpreter to others."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pack")
        self._held: deque[tuple[Frame, Future[_Packed]]] = deque()
        self._rows: list[Frame] = []
        self._packed = 0

    def add(self, raw: bytes) -> Iterator[bytes]:
        """Take the next frame; yield those before it that are packed."""
        self._held.append((row(0, self.tally), self._pool.submit(_pack, raw)))
        self.tally.add(raw)
        while self._held and (self._held[0][1].done() or len(self._held) > _HELD):
            yield self._next()

    def rest(self) -> Iterator[bytes]:
        """Yield the packed frames that are still to come."""
        while self._held:
            yield self._next()

    def index(self) -> bytes:
        """Return the index of all frames that came out."""
        return Index([*self._rows, row(self._packed, self.tally)]).written(self.tally.sha256)

    def close(self) -> None:
        """Let the threads go, and whatever they have not done."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> bytes:
        begun, packing = self._held.popleft()
        packed = packing.result()
        self._rows.append(Frame(self._packed, begun.raw, begun.chars, begun.lines, packed.crc))
        self._packed += len(packed.data)
        return packed.data


def as_is(raw: bytes) -> bytes:
    """Return bytes as a stream of zlib that compresses nothing: what its level 0 makes, three times as fast."""
    blocks = [b"\x78\x01"]
    for start in range(0, len(raw), _BLOCK):
        block = raw[start : start + _BLOCK]
        size = len(block)
        last = start + size == len(raw)
        blocks += [bytes([last]), size.to_bytes(2, "little"), (size ^ _BLOCK).to_bytes(2, "little"), block]
    return b"".join([*blocks, zlib.adler32(raw).to_bytes(4, "big")])


def _pack(raw: bytes) -> _Packed:
    return _Packed(compress(raw, level=1) if _shrinks(raw) else as_is(raw), crc32(raw))


def _shrinks(raw: bytes) -> bool:
    """Tell from its beginning and its middle whether packing a frame is worth the time."""
    middle = len(raw) // 2
    sample = raw[:_SAMPLE] + raw[middle : middle + _SAMPLE]
    return len(compress(sample, level=1)) < _WORTH * len(sample)
