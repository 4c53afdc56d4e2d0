"""Read stored bytes, whole or in part, and never return damaged ones as good."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from itertools import pairwise

from artifacts.models import Content
from artifacts.storage.backends import content_store
from artifacts.storage.base import exactly
from artifacts.storage.block_index import Block, BrokenIndex, Index
from orchestrator_site.kernel.errors import OrchestratorError


class Damaged(OrchestratorError):
    """Stored bytes are missing or are not the ones that were delivered."""

    code = "conflict"
    status = 500


class Missing(Damaged):
    """There are no stored bytes."""


def chunks(content: Content) -> Iterator[bytes]:
    """Yield the delivered bytes in order, up to a block at a time.

    Raises Damaged, at the end at the latest, where they are not the ones that were delivered.
    """
    digest = hashlib.sha256()
    for chunk in _checked_blocks(content, index_of(content).rows):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != content.sha256:
        raise damaged(content)


def verify_digest(content: Content) -> None:
    """Read everything. Raises Damaged."""
    for _ in chunks(content):
        pass


def text_of(content: Content) -> str:
    """Return the whole delivered text, checked against its sha256. Raises Damaged."""
    return b"".join(chunks(content)).decode("utf-8")


def stretch(content: Content, start: int, stop: int) -> Iterator[bytes]:
    """Yield the delivered bytes from `start` up to `stop`, each block after it was checked. Raises Damaged."""
    if start >= stop:
        return
    if content.data is not None:
        verify_digest(content)
    rows = index_of(content).span(start, stop)
    position = rows[0].start
    for block in _checked_blocks(content, rows):
        yield block[max(start - position, 0) : stop - position]
        position += len(block)


def index_of(content: Content) -> Index:
    """Return the index of a content; what is in its row counts as one block. Raises Damaged."""
    if content.data is not None:
        return Index([Block(0, 0, 0, 0), Block(content.size_bytes, content.size_chars or 0, 0, 0)])
    try:
        return Index.read(bytes(content.index or b""), content.sha256)
    except BrokenIndex as error:
        raise damaged(content) from error


def damaged(content: Content, kind: type[Damaged] = Damaged) -> Damaged:
    return kind(
        "The stored bytes are missing or damaged.",
        next="Restore them from a backup of ORCHESTRATOR_HOME, or deliver the artifact again.",
        details={"sha256": content.sha256},
    )


def read_unverified(content: Content, chunk_size: int) -> Iterator[bytes]:
    """Yield stored bytes in chunks, whatever they are. Raises Missing."""
    if content.data is not None:
        yield bytes(content.data)
        return
    try:
        with content_store().open(content.stored_as) as handle:
            while chunk := exactly(handle, chunk_size):
                yield chunk
    except FileNotFoundError as error:
        raise damaged(content, Missing) from error


def _checked_blocks(content: Content, rows: list[Block]) -> Iterator[bytes]:
    """Read consecutive blocks; the last row says where they end."""
    if content.data is not None:
        yield bytes(content.data)
        return
    try:
        with content_store().open(content.stored_as, rows[0].start, rows[-1].start) as handle:
            for block, following in pairwise(rows):
                data = exactly(handle, following.start - block.start)
                if zlib.crc32(data) != block.crc:
                    raise damaged(content)
                yield data
    except FileNotFoundError as error:
        raise damaged(content, Missing) from error
