"""The picture that the sample delivers, drawn here: the states of an order as a small PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WIDTH, HEIGHT = 480, 160
_PAPER, _LINE, _BOX = 0, 1, 2
_PALETTE = bytes((255, 255, 255, 89, 99, 110, 23, 99, 198, 29, 122, 62, 192, 32, 47))
_BOXES = ((20, 60, 2), (140, 60, 2), (260, 60, 2), (380, 20, 3), (380, 100, 4))
_SIZE = (80, 40)


def states_png() -> bytes:
    """Return it, a few hundred bytes."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    for left, right in ((100, 140), (220, 260)):
        _fill(rows, left, 79, right, 81, _LINE)
    for top in (40, 120):
        _fill(rows, 340, top - 1, 380, top + 1, _LINE)
    _fill(rows, 340, 39, 342, 121, _LINE)
    for x, y, colour in _BOXES:
        _fill(rows, x, y, x + _SIZE[0], y + _SIZE[1], colour)
        _fill(rows, x + 3, y + 3, x + _SIZE[0] - 3, y + _SIZE[1] - 3, _PAPER)
    return indexed_png(rows, _PALETTE)


def _fill(rows: list[bytearray], left: int, top: int, right: int, bottom: int, colour: int) -> None:
    for row in rows[top:bottom]:
        row[left:right] = bytes([colour]) * (right - left)


def indexed_png(rows: Sequence[bytes | bytearray], palette: bytes) -> bytes:
    """Return rows of places in a palette, which has three bytes for each colour, as a PNG."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)  # 8 bits a pixel, not interlaced
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
