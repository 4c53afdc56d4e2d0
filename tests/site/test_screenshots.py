"""The pictures of the pages: that they are all there and small, and what makes them small."""

from __future__ import annotations

import struct
import zlib
from itertools import chain, product

import pytest

from tests.screenshots.__main__ import FOLDER
from tests.screenshots.camera import LIMIT_BYTES
from tests.screenshots.palette import SIGNATURE, indexed_png, packed, pixel_rows
from tests.screenshots.views import THEMES, VIEWS
from tests.site.processes import ROOT

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


@pytest.mark.parametrize(("view", "theme"), list(product(VIEWS, THEMES)))
def test_every_page_has_a_picture_that_loads_fast_and_that_the_docs_show(view, theme) -> None:
    picture = FOLDER / f"{view.name}-{theme}.png"
    data = picture.read_bytes()
    assert data.startswith(SIGNATURE) and len(data) <= LIMIT_BYTES
    assert f"screenshots/{picture.name}" in (ROOT / "docs" / "pages.md").read_text()


def test_a_picture_of_few_colours_keeps_each_of_them() -> None:
    assert _shown(packed(_rgb([[RED, GREEN], [BLUE, RED]]))) == [[RED, GREEN], [BLUE, RED]]


def test_of_colours_that_look_alike_the_most_frequent_stands_for_all() -> None:
    nearly = (201, 1, 0)
    assert _shown(packed(_rgb([[RED, RED, nearly], [BLUE, BLUE, BLUE]]))) == [[RED] * 3, [BLUE] * 3]


def test_more_colours_than_a_palette_holds_come_out_as_their_nearest() -> None:
    rows = [[(40 * red, 40 * green, 40 * blue) for red in range(7) for green in range(7)] for blue in range(7)]
    shown = _shown(packed(_rgb(rows)))
    palette = {colour for row in shown for colour in row}
    assert len(palette) == 256
    for colour, other in zip(chain(*rows), chain(*shown), strict=True):
        assert _distance(colour, other) == min(_distance(colour, each) for each in palette)


@pytest.mark.parametrize("kind", range(5))
def test_every_way_in_which_a_row_may_be_written_is_read(kind: int) -> None:
    rows = [[RED, GREEN, (9, 99, 199)], [BLUE, (1, 2, 3), RED], [GREEN, GREEN, BLUE]]
    found = [list(zip(row[0::3], row[1::3], row[2::3], strict=True)) for row, _ in pixel_rows(_rgb(rows, kind=kind))]
    assert found == rows


def _distance(one, other) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _rgb(rows, *, kind: int = 0) -> bytes:
    """Write a PNG of 8-bit RGB, each row by the filter of that kind."""
    lines = [bytes(value for pixel in row for value in pixel) for row in rows]
    above, written = bytes(len(lines[0])), b""
    for line in lines:
        written += bytes([kind]) + bytes(_reported(kind, line, above))
        above = line
    plain = indexed_png([bytes(len(row)) for row in rows], b"\0\0\0")
    header = plain[16:25] + b"\x02" + plain[26:29]  # colour type 2: RGB without a palette
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(written)), (b"IEND", b""))
    return SIGNATURE + b"".join(struct.pack(">I", len(body)) + name + body + bytes(4) for name, body in parts)


def _reported(kind: int, line: bytes, above: bytes):
    for place, value in enumerate(line):
        left, corner = (line[place - 3], above[place - 3]) if place >= 3 else (0, 0)
        up = above[place]
        nearest = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        yield (value - (0, left, up, (left + up) // 2, nearest)[kind]) & 255


def _shown(data: bytes):
    """Read a PNG with a palette, whose rows are written plainly."""
    width, height = struct.unpack(">II", data[16:24])
    place, parts = len(SIGNATURE), {}
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        parts[name] = data[place + 8 : place + 8 + size]
        place += size + 12
    raw, palette = zlib.decompress(parts[b"IDAT"]), parts[b"PLTE"]
    rows = [raw[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height)]
    return [[tuple(palette[3 * each : 3 * each + 3]) for each in row] for row in rows]
