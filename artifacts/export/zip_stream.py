"""Zips that are made while they are sent, in constant memory.

The standard library can write a zip to a stream: sizes follow the bytes, and Zip64 is used where a file needs it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from artifacts.download import plain_name, streamed
from artifacts.export.contents import chunks_of
from artifacts.export.filenames import ExportedVersion, PlacedFile, place_files
from artifacts.storage import Damaged, Unreadable

PIECE = 128 * 1024
"""Bytes of the zip that are sent at once, at least."""
FAST_LEVEL = 1
"""The compression level: a zip is made while someone waits for it."""
MEDIA_TYPE = "application/zip"
_PACKED = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-", "application/vnd.")
_SUFFIXES = (
    ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".png", ".jpg", ".jpeg", ".webp", ".mp4", ".whl", ".jar",
)  # fmt: skip
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3
DAMAGED = "This file could not be put into the zip: its stored bytes are missing, damaged or unreadable.\n"


def zip_answer(request: HttpRequest, versions: Iterable[ExportedVersion], name: str) -> HttpResponseBase:
    """Return a response that downloads a zip of versions under a name."""
    headers = {
        "Content-Disposition": content_disposition_header(True, plain_name(f"{name}.zip")) or "attachment",
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(content_type=MEDIA_TYPE, headers=headers)
    stream = streamed(request, zipped(place_files(versions)))
    return StreamingHttpResponse(stream, content_type=MEDIA_TYPE, headers=headers)


def zipped(placed: Iterable[PlacedFile]) -> Iterator[bytes]:
    """Yield a zip of files, a piece at a time.

    Each file is verified before any of it is sent; a damaged one is replaced by `<name>.DAMAGED.txt`. Raises Damaged
    where one is damaged between the two reads: then the zip ends without its directory, and no program accepts it.
    """
    out = _Pieces()
    with zipfile.ZipFile(out, "w") as archive:
        for each in placed:
            yield from _added(archive, out, each)
    yield out.taken()


def _added(archive: zipfile.ZipFile, out: _Pieces, placed: PlacedFile) -> Iterator[bytes]:
    info = _info(placed)
    try:
        for _ in chunks_of(placed.version):
            pass
        chunks = chunks_of(placed.version)
    except (Damaged, Unreadable):
        info.filename, info.file_size = f"{info.filename}.DAMAGED.txt", 0
        chunks = iter([DAMAGED.encode()])
    with archive.open(info, "w") as entry:
        for chunk in chunks:
            entry.write(chunk)
            if out.size >= PIECE:
                yield out.taken()


def _info(placed: PlacedFile) -> zipfile.ZipInfo:
    """Describe a file. Its size is known in advance, so the zip uses Zip64 exactly where it is needed."""
    version = placed.version
    delivered_at = min(max(version.delivered_at.astimezone(UTC), _FIRST), _LAST)
    info = zipfile.ZipInfo(placed.file, delivered_at.timetuple()[:6])
    is_packed = version.media_type.startswith(_PACKED) or placed.file.lower().endswith(_SUFFIXES)
    info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    info._compresslevel = FAST_LEVEL  # type: ignore[attr-defined]  # public from Python 3.13 on; this name stays
    info.create_system, info.external_attr, info.file_size = _UNIX, _PLAIN_FILE, version.size_bytes
    return info


class _Pieces:
    """A stream that keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: zipfile calls it."""

    def close(self) -> None:
        """Do nothing: zipfile's types require it."""

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts, self.size = [], 0
        return data
