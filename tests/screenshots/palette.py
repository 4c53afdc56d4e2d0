"""Compress screenshots with a palette of 256 colors, to about a third of the size."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
_ALIKE = 48  # squared distance up to which nobody sees a difference: four steps in each channel
_CHANNELS = {2: 3, 6: 4}  # how many bytes a pixel has, by the colour type of the header: RGB, RGBA

Colour = tuple[int, int, int]


def packed(data: bytes) -> bytes:
    """Return the same picture with a palette. Rare colours, as edges of letters have, give way to their nearest."""
    rows = [_colours(row, channels) for row, channels in pixel_rows(data)]
    counts: Counter[Colour] = Counter()
    for row in rows:
        counts.update(row)
    palette = _palette(counts)
    places = {colour: _nearest(colour, palette) for colour in counts}
    return indexed_png([bytes(map(places.__getitem__, row)) for row in rows], bytes(sum(palette, ())))


def _palette(counts: Counter[Colour]) -> list[Colour]:
    """Choose the colours that are seen most, and none that looks like one before it: a small icon keeps its own."""
    palette: list[Colour] = []
    for colour, _ in counts.most_common():
        if len(palette) < _COLOURS and all(_distance(colour, other) > _ALIKE for other in palette):
            palette.append(colour)
    return palette


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    return min(range(len(palette)), key=lambda place: _distance(colour, palette[place]))


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _colours(row: bytes, channels: int) -> list[Colour]:
    return list(zip(row[0::channels], row[1::channels], row[2::channels], strict=True))


def indexed_png(rows: Sequence[bytes], palette: bytes) -> bytes:
    """Return a PNG of rows of palette indexes; the palette has three bytes for each colour."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)  # 8 bits per pixel, not interlaced
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pixel_rows(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Return the rows of a PNG as Chromium writes it (8 bits, no interlacing), and how many bytes a pixel has."""
    chunks = list(_chunks(data))
    width, height, _, colour_type = struct.unpack(">IIBB", chunks[0][1][:10])
    channels = _CHANNELS[colour_type]
    raw = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    length, above = width * channels, bytes(width * channels)
    for start in range(0, height * (length + 1), length + 1):
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + length], above, channels)
        yield above, channels


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        yield name, data[place + 8 : place + 8 + size]
        place += size + 12


def _unfiltered(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    """Undo the filter of a row: nothing, its left, its upper neighbour, both, or the best of three (PNG, 9.2)."""
    if kind == 0:
        return line
    if kind == 2:
        return bytes((a + b) & 255 for a, b in zip(line, above, strict=True))
    row = bytearray(channels) + line
    corner = bytes(channels) + above
    for place in range(channels, len(row)):
        left, up = row[place - channels], corner[place]
        guess = left if kind == 1 else (left + up) // 2 if kind == 3 else _paeth(left, up, corner[place - channels])
        row[place] = (row[place] + guess) & 255
    return bytes(row[channels:])


def _paeth(left: int, up: int, corner: int) -> int:
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
