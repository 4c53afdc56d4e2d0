"""The index of a stored file: where each block begins, so that any range is read and checked without the rest.

A row for each block holds what comes before it (bytes, characters that have begun, line ends) and its crc32. The last
row counts the whole, and holds the crc32 of the index and of the sha256 that it belongs to.
"""

from __future__ import annotations

import codecs
import hashlib
import struct
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import astuple, dataclass, replace
from operator import attrgetter
from typing import Literal

BLOCK_BYTES = 256 * 1024
"""Bytes in a block; the last one may have fewer."""
_STEP = 64 * 1024
"""Bytes that are read at a time: copies of more would not stay in the processor's cache."""
CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""
_ROW = struct.Struct("<QQQI")
_CRC = struct.Struct("<I")

Unit = Literal["start", "chars", "lines"]


class BrokenIndex(Exception):
    """The index is not the one that was written for this content."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where a block begins, in each unit, and the crc32 of its bytes."""

    start: int
    chars: int
    lines: int
    crc: int


class Index:
    """The blocks of a content in order, and a last row for the end."""

    def __init__(self, rows: list[Block]) -> None:
        self.rows = rows

    @classmethod
    def read(cls, data: bytes, sha256: str) -> Index:
        """Read the index of a content. Raises BrokenIndex."""
        if len(data) < 2 * _ROW.size or len(data) % _ROW.size or data[-_CRC.size :] != _seal(data, sha256):
            raise BrokenIndex
        return cls([Block(*row) for row in _ROW.iter_unpack(data)])

    def written(self, sha256: str) -> bytes:
        """Return the bytes that `read` takes."""
        data = b"".join(_ROW.pack(*astuple(block)) for block in self.rows)
        return data[: -_CRC.size] + _seal(data, sha256)

    def last_before(self, offset: int, unit: Unit) -> Block:
        """Return the last block that begins at an offset or before it."""
        return self.rows[max(bisect_right(self.rows, offset, hi=len(self.rows) - 1, key=attrgetter(unit)) - 1, 0)]

    def first_after(self, offset: int, unit: Unit) -> Block:
        """Return the first row that begins at an offset or after it; the last one where none does."""
        return self.rows[min(bisect_left(self.rows, offset, key=attrgetter(unit)), len(self.rows) - 1)]

    def span(self, start: int, stop: int) -> list[Block]:
        """Return the blocks that hold the bytes from `start` up to `stop`, and the row after them."""
        first = bisect_right(self.rows, start, hi=len(self.rows) - 1, key=attrgetter("start")) - 1
        return self.rows[first : bisect_left(self.rows, stop, key=attrgetter("start")) + 1]


def _seal(data: bytes, sha256: str) -> bytes:
    return _CRC.pack(zlib.crc32(data[: -_CRC.size], zlib.crc32(sha256.encode())))


class Tally:
    """Counts bytes, characters and lines of what passes by in pieces of any size, hashes it, and indexes its blocks."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._ended: list[Block] = []
        self._begun = Block(0, 0, 0, 0)
        self._line_ends = 0
        self._last = b""
        self._decoded = 0
        self._digest = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True

    def add(self, data: bytes) -> None:
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            part = rest[: self._begun.start + BLOCK_BYTES - self.size_bytes]
            rest = rest[len(part) :]
            self._count(part)

    def index(self) -> bytes:
        begun = [self._begun] if self.size_bytes > self._begun.start else []
        return Index([*self._ended, *begun, self._row()]).written(self.sha256)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def size_chars(self) -> int | None:
        """How many characters the text has; None for what is not UTF-8."""
        return self._decoded if self._is_text and not self._decoder.getstate()[0] else None

    @property
    def size_lines(self) -> int | None:
        """How many lines the text has, each with the \\n that ends it; None for what is not UTF-8."""
        return None if self.size_chars is None else self._line_ends + (self._last not in (b"", b"\n"))

    def _count(self, part: memoryview) -> None:
        """Count what lies in the block that has begun."""
        self._begun = replace(self._begun, crc=zlib.crc32(part, self._begun.crc))
        for start in range(0, len(part), _STEP):
            self._read(bytes(part[start : start + _STEP]))
        if self.size_bytes == self._begun.start + BLOCK_BYTES:
            self._ended.append(self._begun)
            self._begun = self._row()

    def _read(self, text: bytes) -> None:
        self.size_bytes += len(text)
        self._line_ends += len(text) - len(text.replace(b"\n", b""))  # a third to a twentieth of the time of count
        self._last = text[-1:]
        if self._is_text:
            self._decode(text)

    def _row(self) -> Block:
        chars = self._decoded + bool(self._decoder.getstate()[0]) if self._is_text else 0
        return Block(self.size_bytes, chars, self._line_ends, 0)

    def _decode(self, part: bytes) -> None:
        if part.isascii() and not self._decoder.getstate()[0]:
            self._decoded += len(part)
            return
        try:
            self._decoded += len(self._decoder.decode(part))
        except UnicodeDecodeError:
            self._is_text = False
