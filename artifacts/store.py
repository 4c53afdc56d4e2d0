"""Where stored bytes are: small ones in their row, larger ones in files named by their sha256.

A file is written aside, synced and renamed before its row is inserted, so a row never stands without its bytes; a
crash leaves at most a file that no row names.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from artifacts.models import INLINE_LIMIT, Codec, Content
from tasks.errors import OrchestratorError, Transient

READ_CHUNK = 64 * 1024


class Damaged(OrchestratorError):
    """Stored bytes are missing or are not the ones that were delivered; they are never served as good."""

    code = "conflict"
    status = 500


@dataclass(frozen=True, slots=True)
class Prepared:
    """Bytes that are safe to name in a row: small ones still in hand, larger ones already on disk."""

    sha256: str
    size_bytes: int
    size_chars: int
    codec: str
    data: bytes | None


def folder() -> Path:
    """The folder of stored files."""
    return Path(settings.ORCHESTRATOR_HOME) / "content"


def path_of(sha256: str) -> Path:
    """The file of some content; the name is a hash, never a caller's text."""
    return folder() / sha256[:2] / sha256[2:4] / sha256


def prepare(text: str) -> Prepared:
    """Make a text ready to be stored. Call it outside any transaction: it compresses and syncs.

    Raises Transient where the disk refuses.
    """
    raw = text.encode("utf-8")
    sha256 = hashlib.sha256(raw).hexdigest()
    if len(raw) <= INLINE_LIMIT:
        return Prepared(sha256, len(raw), len(text), Codec.IDENTITY, raw)
    _write(path_of(sha256), zlib.compress(raw, level=1))
    return Prepared(sha256, len(raw), len(text), Codec.ZLIB, None)


def insert(prepared: Prepared) -> Content:
    """Name prepared bytes in a row, or find the row that already does, making its bytes good again."""
    row = Content(
        sha256=prepared.sha256,
        size_bytes=prepared.size_bytes,
        size_chars=prepared.size_chars,
        codec=prepared.codec,
        data=prepared.data,
    )
    Content.objects.bulk_create([row], update_conflicts=True, unique_fields=["sha256"], update_fields=["codec", "data"])
    return row


def chunks(content: Content) -> Iterator[bytes]:
    """Yield the delivered bytes in order.

    Raises Damaged at the end where they are not the ones that were delivered.
    """
    digest = hashlib.sha256()
    for chunk in _inline(content) if content.data is not None else _from_file(content):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != content.sha256:
        raise _damaged(content)


def text_of(content: Content) -> str:
    """Return the whole delivered text, checked against its sha256.

    Raises Damaged.
    """
    return b"".join(chunks(content)).decode("utf-8")


def _inline(content: Content) -> Iterator[bytes]:
    yield bytes(content.data or b"")


def _from_file(content: Content) -> Iterator[bytes]:
    try:
        with path_of(content.sha256).open("rb") as handle:
            packed = iter(lambda: handle.read(READ_CHUNK), b"")
            yield from _unpacked(packed) if content.codec == Codec.ZLIB else packed
    except (FileNotFoundError, zlib.error) as error:
        raise _damaged(content) from error


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a little at a time: a chunk may hold a thousand times its size."""
    unpack = zlib.decompressobj()
    for chunk in packed:
        while chunk:
            yield unpack.decompress(chunk, READ_CHUNK)
            chunk = unpack.unconsumed_tail
    yield unpack.flush()


def _damaged(content: Content) -> Damaged:
    return Damaged(
        "The stored bytes are missing or damaged.",
        next="Restore them from a backup of ORCHESTRATOR_HOME, or deliver the work again.",
        details={"sha256": content.sha256},
    )


def _write(path: Path, packed: bytes) -> None:
    """Write a file unless it is there already; one that has been damaged since is written anew."""
    if _is_file_with(path, packed):
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("xb") as handle:
                handle.write(packed)
                handle.flush()
                os.fsync(handle.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise Transient(
            f"The work could not be stored: {error.strerror}.",
            retry_after_ms=5000,
            next="Nothing was changed. Free disk space or ask the person who runs the server, then send it again.",
        ) from error


def _is_file_with(path: Path, packed: bytes) -> bool:
    """Whether the file is there; it then counts as new, since a row will name it (artifacts/services/sweep.py)."""
    try:
        if path.read_bytes() != packed:
            return False
        os.utime(path)
    except (FileNotFoundError, PermissionError):  # a file of somebody else is replaced by one of ours
        return False
    return True


def _sync_folder(path: Path) -> None:
    """Make a rename outlive a power cut; platforms that cannot open a folder do without."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
