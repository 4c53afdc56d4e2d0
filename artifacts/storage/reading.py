"""Reading: stored bytes as they were delivered, whole or any stretch of them, and never damaged ones."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from itertools import pairwise

from artifacts.models import Codec, Content
from artifacts.storage.base import Readable, content_store
from artifacts.storage.frames import BrokenFrame, Frame, Index, unpacked
from orchestrator_site.kernel.errors import OrchestratorError

READ_CHUNK = 64 * 1024
"""Packed bytes that are read at once where content has no frames."""


class Damaged(OrchestratorError):
    """Stored bytes are missing or are not the ones that were delivered; they are never served as good."""

    code = "conflict"
    status = 500


class Missing(Damaged):
    """There are no stored bytes."""


def chunks(content: Content) -> Iterator[bytes]:
    """Yield the delivered bytes in order, up to a frame at once.

    Raises Damaged, at the end at the latest, where they are not the ones that were delivered.
    """
    digest = hashlib.sha256()
    for chunk in unproven(content):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != content.sha256:
        raise damaged(content)


def prove(content: Content) -> None:
    """Read everything. Raises Damaged."""
    for _ in chunks(content):
        pass


def text_of(content: Content) -> str:
    """Return the whole delivered text, checked against its sha256.

    Raises Damaged.
    """
    return b"".join(chunks(content)).decode("utf-8")


def stretch(content: Content, start: int, stop: int) -> Iterator[bytes]:
    """Yield the delivered bytes from `start` up to `stop` in order. Each is proven before it is yielded.

    Raises Damaged.
    """
    if start >= stop:
        return
    if content.codec == Codec.FRAMES:
        rows = index_of(content).span(start, stop)
        position, pieces = rows[0].raw, _unpacked_frames(content, rows)
    else:
        prove(content)
        position, pieces = 0, unproven(content)
    for piece in pieces:
        if wanted := piece[max(start - position, 0) : stop - position]:
            yield wanted
        position += len(piece)
        if position >= stop:
            return


def index_of(content: Content) -> Index:
    """Return the index of a content; one without frames counts as a single one.

    Raises Damaged.
    """
    if content.codec != Codec.FRAMES:
        return Index([Frame(0, 0, 0, 0, 0), Frame(0, content.size_bytes, content.size_chars or 0, 0, 0)])
    try:
        return Index.read(bytes(content.index or b""), content.sha256)
    except BrokenFrame as error:
        raise damaged(content) from error


def damaged(content: Content, kind: type[Damaged] = Damaged) -> Damaged:
    """The refusal to show what was not delivered."""
    return kind(
        "The stored bytes are missing or damaged.",
        next="Restore them from a backup of ORCHESTRATOR_HOME, or deliver the work again.",
        details={"sha256": content.sha256},
    )


def unproven(content: Content) -> Iterator[bytes]:
    """Yield stored bytes as they are found. Raises Damaged where they are none that could have been delivered."""
    if content.data is not None:
        return iter([bytes(content.data)])
    if content.codec == Codec.FRAMES:
        return _unpacked_frames(content, index_of(content).rows)
    return _unpacked_stream(content)


def _unpacked_frames(content: Content, rows: list[Frame]) -> Iterator[bytes]:
    """Unpack consecutive frames; the last row tells where they end."""
    try:
        with content_store().open(content.kept_as, rows[0].packed, rows[-1].packed) as handle:
            for frame, following in pairwise(rows):
                packed = _exactly(handle, following.packed - frame.packed)
                yield unpacked(packed, following.raw - frame.raw, frame.crc)
    except FileNotFoundError as error:
        raise damaged(content, Missing) from error
    except BrokenFrame as error:
        raise damaged(content) from error


def _unpacked_stream(content: Content) -> Iterator[bytes]:
    """Read content that earlier releases stored: as it is, or as one stream of zlib."""
    try:
        with content_store().open(content.kept_as) as handle:
            packed = iter(lambda: handle.read(READ_CHUNK), b"")
            yield from _inflated(packed) if content.codec == Codec.ZLIB else packed
    except FileNotFoundError as error:
        raise damaged(content, Missing) from error
    except zlib.error as error:
        raise damaged(content) from error


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a little at a time: a chunk may hold a thousand times its size."""
    unpack = zlib.decompressobj()
    for chunk in packed:
        while chunk and not unpack.eof:  # behind its end a stream takes nothing and would ask for ever
            yield unpack.decompress(chunk, READ_CHUNK)
            chunk = unpack.unconsumed_tail
    yield unpack.flush()


def _exactly(handle: Readable, size: int) -> bytes:
    """Read so many bytes, fewer only at the end: an object store gives what has arrived."""
    parts = []
    while size > 0 and (part := handle.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
