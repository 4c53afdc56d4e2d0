"""Read exact ranges of a text in characters or lines, without reading what comes before them.

A line ends with \\n, which belongs to it; what follows the last \\n is a line as well.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from artifacts.models import Content
from artifacts.storage.block_index import CONTINUATION
from artifacts.storage.reading import damaged, index_of, stretch


@dataclass(frozen=True, slots=True)
class Lines:
    """Complete lines, how many they are, and the characters of the text before them."""

    text: str
    count: int
    chars_before: int


def characters(content: Content, offset: int, limit: int) -> str:
    """Return exactly `limit` characters from `offset` on, fewer only at the end of the text. Raises Damaged."""
    index = index_of(content)
    begin = index.last_before(offset, "chars")
    # The last character may continue in the next block, with up to three bytes.
    stop = min(index.first_after(offset + limit, "chars").start + 3, content.size_bytes)
    skip, left, parts = offset - begin.chars, limit, [""]
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for number, piece in enumerate(stretch(content, begin.start, stop)):
            text = decoder.decode(piece if number else piece.lstrip(CONTINUATION))
            parts.append(text[skip : skip + left])
            skip, left = max(skip - len(text), 0), left - len(parts[-1])
    except UnicodeDecodeError as error:
        raise damaged(content) from error
    if left and offset + limit - left != content.size_chars:
        raise damaged(content)
    return "".join(parts)


def lines(content: Content, offset: int, limit: int, *, most: int) -> Lines:
    """Return up to `limit` complete lines from `offset` on, of up to `most` characters together.

    None where the first line alone has more. Raises Damaged.
    """
    index = index_of(content)
    begin = index.last_before(offset - 1, "lines")
    stop = index.first_after(offset + limit, "lines").start
    skip, before, position, raw = offset - begin.lines, begin.chars, begin.start, bytearray()
    for piece in stretch(content, begin.start, stop):
        passed, skip = _after_lines(piece, skip)
        before += len(piece[:passed].translate(None, CONTINUATION))
        raw += piece[passed:]
        position += len(piece)
        if raw.count(b"\n") >= limit or len(raw) > 4 * most:
            break
    return Lines(*_fitting(bytes(raw), limit, most, at_end=position == content.size_bytes), before)


def ends_before(content: Content, offset: int) -> int:
    """Count the line ends in the first `offset` characters, reading only the block where they end. Raises Damaged."""
    begin = index_of(content).last_before(offset, "chars")
    return begin.lines + characters(content, begin.chars, offset - begin.chars).count("\n")


def _fitting(raw: bytes, limit: int, most: int, *, at_end: bool) -> tuple[str, int]:
    """Return the lines that fit, and how many. What follows the last \\n is a line only at the end of the text."""
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


def _after_lines(raw: bytes, ends: int) -> tuple[int, int]:
    """Return the place after so many line ends, and how many of them are not in these bytes."""
    found = raw.count(b"\n")
    if found < ends:
        return len(raw), ends - found
    start, stop = 0, len(raw)
    while ends and stop - start > 1:
        middle = (start + stop) // 2
        count = raw.count(b"\n", start, middle)
        start, stop, ends = (middle, stop, ends - count) if count < ends else (start, middle, ends)
    return (stop if ends else 0), 0
