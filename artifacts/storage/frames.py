"""The format of large content: frames that are packed each for itself, and an index of where each begins.

Each frame is a stream of zlib, compressed or as it is. Any stretch is read by unpacking the frames that it is in, and
no byte before them. The index counts what comes before each frame: packed bytes, delivered bytes, characters that have
begun, and ends of lines; its last row counts the whole, and holds the crc32 of the index and of whose it is.
"""

from __future__ import annotations

import codecs
import hashlib
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import Any

from artifacts.storage import deflate

FRAME_BYTES = 256 * 1024
"""Delivered bytes of a frame; the last one may have fewer."""
CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""
_LARGEST = 4 * 1024 * 1024  # no frame was ever larger; damaged ones could unpack to anything
_ROW = struct.Struct("<QQQQI")
_CRC = struct.Struct("<I")


class BrokenFrame(Exception):
    """A frame, or the index, is not what was written."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame begins, in each unit, and the crc32 of its delivered bytes."""

    packed: int
    raw: int
    chars: int
    lines: int
    crc: int


class Unit:
    """What an index is looked up by."""

    RAW: Callable[[Frame], int] = attrgetter("raw")
    CHARS: Callable[[Frame], int] = attrgetter("chars")
    LINES: Callable[[Frame], int] = attrgetter("lines")


class Index:
    """The frames of a content in order, and a last row that stands for its end."""

    def __init__(self, rows: list[Frame]) -> None:
        self.rows = rows

    @classmethod
    def read(cls, data: bytes, sha256: str) -> Index:
        """Read the index of a content. Raises BrokenFrame where it is none, or not of this one."""
        if len(data) < 2 * _ROW.size or len(data) % _ROW.size or data[-_CRC.size :] != _seal(data, sha256):
            raise BrokenFrame
        return cls([Frame(*row) for row in _ROW.iter_unpack(data)])

    def written(self, sha256: str) -> bytes:
        """Return the bytes that `read` takes."""
        data = b"".join(_ROW.pack(*astuple(frame)) for frame in self.rows)
        return data[: -_CRC.size] + _seal(data, sha256)

    def begins(self, offset: int, by: Callable[[Frame], int]) -> Frame:
        """Return the last frame that begins at an offset or before it."""
        return self.rows[max(bisect_right(self.rows, offset, hi=len(self.rows) - 1, key=by) - 1, 0)]

    def ends(self, offset: int, by: Callable[[Frame], int]) -> Frame:
        """Return the first row that begins at an offset or after it; the end of everything where none does."""
        return self.rows[min(bisect_left(self.rows, offset, key=by), len(self.rows) - 1)]

    def span(self, start: int, stop: int) -> list[Frame]:
        """Return the frames that hold the bytes from `start` up to `stop`, and the row after them."""
        first = bisect_right(self.rows, start, hi=len(self.rows) - 1, key=Unit.RAW) - 1
        return self.rows[first : bisect_left(self.rows, stop, key=Unit.RAW) + 1]


def _seal(data: bytes, sha256: str) -> bytes:
    return _CRC.pack(zlib.crc32(data[: -_CRC.size], zlib.crc32(sha256.encode())))


class Tally:
    """What is true of bytes that go by: their sha256, how many they are and, of a text, its characters and lines."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.ends = 0
        self._last = b""
        self._decoded = 0
        self._digest = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True

    def add(self, raw: bytes) -> None:
        """Count further bytes."""
        self._digest.update(raw)
        self.size_bytes += len(raw)
        self.ends += raw.count(b"\n")
        self._last = raw[-1:] or self._last
        self._decode(raw)

    @property
    def begun(self) -> int:
        """How many characters have begun; 0 where it is no text."""
        return self._decoded + bool(self._decoder.getstate()[0]) if self._is_text else 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def size_chars(self) -> int | None:
        """How many characters the text has; None for what is no UTF-8."""
        return self._decoded if self._is_text and not self._decoder.getstate()[0] else None

    @property
    def size_lines(self) -> int | None:
        """How many lines the text has, each with the \\n that ends it; None for what is no UTF-8."""
        return None if self.size_chars is None else self.ends + (self._last not in (b"", b"\n"))

    def _decode(self, raw: bytes) -> None:
        if not self._is_text:
            return
        if raw.isascii() and not self._decoder.getstate()[0]:
            self._decoded += len(raw)
            return
        try:
            self._decoded += len(self._decoder.decode(raw))
        except UnicodeDecodeError:
            self._is_text = False


def row(packed: int, tally: Tally, crc: int = 0) -> Frame:
    """Return the row of a frame that begins after `packed` bytes and what a tally has counted."""
    return Frame(packed, tally.size_bytes, tally.begun, tally.ends, crc)


def unpacked(packed: bytes, size: int, crc: int) -> bytes:
    """Return the delivered bytes of a frame. Raises BrokenFrame where they are not those that were packed."""
    unpack = deflate.decompressobj()
    try:
        raw = unpack.decompress(packed, size + 1)
    except deflate.error as error:
        raise BrokenFrame from error
    if len(raw) != size or not unpack.eof or unpack.unused_data or deflate.crc32(raw) != crc:
        raise BrokenFrame
    return raw


def frames_in(packed: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the delivered bytes of each frame and its packed size without an index: zlib knows where each ends.

    Raises BrokenFrame.
    """
    unpack, raw, size, rest = zlib.decompressobj(), b"", 0, b""
    for chunk in packed:
        rest = chunk
        while rest:
            raw += _inflated(unpack, rest)
            if len(raw) > _LARGEST:
                raise BrokenFrame
            left = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
            size, rest = size + len(rest) - len(left), left
            if unpack.eof:
                yield raw, size
                unpack, raw, size = zlib.decompressobj(), b"", 0
    if size:
        raise BrokenFrame


def _inflated(unpack: Any, packed: bytes) -> bytes:
    try:
        return bytes(unpack.decompress(packed, FRAME_BYTES + 1))
    except zlib.error as error:
        raise BrokenFrame from error
