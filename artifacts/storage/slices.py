"""Exact stretches of a text in characters or lines, of any size, from where they begin.

A line ends with \\n, which belongs to it as a \\r before it does; what follows the last one is a line as well.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from artifacts.models import Content
from artifacts.storage.frames import CONTINUATION, Unit
from artifacts.storage.reading import chunks, damaged, index_of, stretch


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, how many they are, and the characters of the text before them."""

    text: str
    count: int
    chars_before: int


def characters(content: Content, offset: int, limit: int) -> str:
    """Return exactly `limit` characters from `offset` on, fewer only at the end of the text.

    Raises Damaged.
    """
    index = index_of(content)
    begin = index.begins(offset, Unit.CHARS)
    # The last character may go on in the next frame, with up to three bytes.
    stop = min(index.ends(offset + limit, Unit.CHARS).raw + 3, content.size_bytes)
    skip, left, parts = offset - begin.chars, limit, [""]
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for number, piece in enumerate(stretch(content, begin.raw, stop)):
            text = decoder.decode(piece if number else piece.lstrip(CONTINUATION))
            parts.append(text[skip : skip + left])
            skip, left = max(skip - len(text), 0), left - len(parts[-1])
    except UnicodeDecodeError as error:
        raise damaged(content) from error
    if left and offset + limit - left != content.size_chars:
        raise damaged(content)
    return "".join(parts)


def lines(content: Content, offset: int, limit: int, *, most: int) -> Lines:
    """Return up to `limit` whole lines from `offset` on, as many as have up to `most` characters together.

    No line where there is none, or where the first has more. Raises Damaged.
    """
    index = index_of(content)
    begin = index.begins(offset - 1, Unit.LINES)
    stop = index.ends(offset + limit, Unit.LINES).raw
    skip, before, position, raw = offset - begin.lines, begin.chars, begin.raw, bytearray()
    for piece in stretch(content, begin.raw, stop):
        behind, skip = _behind(piece, skip)
        before += _begun(piece[:behind])
        raw += piece[behind:]
        position += len(piece)
        if raw.count(b"\n") >= limit or len(raw) > 4 * most:
            break
    return Lines(*_fitting(bytes(raw), limit, most, at_end=position == content.size_bytes), before)


def ends_before(content: Content, offset: int) -> int:
    """Count the lines that have ended in the first `offset` characters, reading no frame but the one they end in.

    Raises Damaged.
    """
    index = index_of(content)
    begin = index.begins(offset, Unit.CHARS)
    stop = min(index.ends(offset, Unit.CHARS).raw + 3, content.size_bytes)
    ends, left, decoder = begin.lines, offset - begin.chars, codecs.getincrementaldecoder("utf-8")()
    for number, piece in enumerate(stretch(content, begin.raw, stop)):
        text = decoder.decode(piece if number else piece.lstrip(CONTINUATION))[:left]
        ends, left = ends + text.count("\n"), left - len(text)
    return ends


def count_lines(content: Content) -> int:
    """Count the lines of a text that was stored before they were counted.

    Raises Damaged.
    """
    ends, last = 0, b"\n"
    for chunk in chunks(content):
        ends, last = ends + chunk.count(b"\n"), chunk[-1:] or last
    return ends + (last != b"\n")


def _fitting(raw: bytes, limit: int, most: int, *, at_end: bool) -> tuple[str, int]:
    """Return the whole lines that fit, and how many they are. The last part is a line only at the end of the text."""
    *ended, last = raw.split(b"\n", limit)
    found = [line + b"\n" for line in ended] + ([last] if at_end and last and len(ended) < limit else [])
    chosen: list[str] = []
    for line in found:
        text = line.decode()
        most -= len(text)
        if most < 0:
            break
        chosen.append(text)
    return "".join(chosen), len(chosen)


def _behind(raw: bytes, ends: int) -> tuple[int, int]:
    """Return where it goes on behind so many ends of lines, and how many of them are not in these bytes."""
    there = raw.count(b"\n")
    if there < ends:
        return len(raw), ends - there
    start, stop = 0, len(raw)
    while ends and stop - start > 1:
        middle = (start + stop) // 2
        count = raw.count(b"\n", start, middle)
        start, stop, ends = (middle, stop, ends - count) if count < ends else (start, middle, ends)
    return (stop if ends else 0), 0


def _begun(raw: bytes) -> int:
    """How many characters begin in some bytes."""
    return len(raw.translate(None, CONTINUATION))
