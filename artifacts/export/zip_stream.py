"""Delivered work as a zip that is made while it is sent, in memory that does not grow with it.

The standard library writes zips to what cannot seek: sizes follow the bytes, and Zip64 where a file needs it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from artifacts.download import plain_name, streamed
from artifacts.export.contents import chunks_of
from artifacts.export.filenames import Placed, Work, laid_out
from artifacts.storage import Damaged, Unreadable

PIECE = 128 * 1024
"""Bytes of the zip that are sent at once, at least."""
QUICKLY = 1
"""How hard zlib tries, of 9: a zip is made while somebody waits for it."""
MEDIA_TYPE = "application/zip"
_PACKED = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-", "application/vnd.")
_ENDINGS = (
    ".zip",
    ".gz",
    ".tgz",
    ".bz2",
    ".xz",
    ".zst",
    ".7z",
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".mp4",
    ".whl",
    ".jar",
)
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3
DAMAGED = "This work could not be put into the zip: what is stored of it is missing, damaged or cannot be read.\n"


def zip_answer(request: HttpRequest, works: Iterable[Work], name: str) -> HttpResponseBase:
    """Answer with a zip of works, to be saved under a name."""
    headers = {
        "Content-Disposition": content_disposition_header(True, plain_name(f"{name}.zip")) or "attachment",
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(content_type=MEDIA_TYPE, headers=headers)
    stream = streamed(request, zipped(laid_out(works)))
    return StreamingHttpResponse(stream, content_type=MEDIA_TYPE, headers=headers)


def zipped(placed: Iterable[Placed]) -> Iterator[bytes]:
    """Yield a zip of files, a piece at a time.

    A damaged work is proven to be so before any of it is sent, and replaced by `<name>.DAMAGED.txt`, which says so.
    Raises Damaged where one goes bad in between: then the zip ends without its directory, and no program takes it.
    """
    out = _Pieces()
    with zipfile.ZipFile(out, "w") as archive:
        for each in placed:
            yield from _added(archive, out, each)
    yield out.taken()


def _added(archive: zipfile.ZipFile, out: _Pieces, placed: Placed) -> Iterator[bytes]:
    info = _info(placed)
    try:
        for _ in chunks_of(placed.work):
            pass
        chunks = chunks_of(placed.work)
    except (Damaged, Unreadable):
        info.filename, info.file_size = f"{info.filename}.DAMAGED.txt", 0
        chunks = iter([DAMAGED.encode()])
    with archive.open(info, "w") as entry:
        for chunk in chunks:
            entry.write(chunk)
            if out.size >= PIECE:
                yield out.taken()


def _info(placed: Placed) -> zipfile.ZipInfo:
    """Describe a file. The size is known before, so that the zip says Zip64 exactly where it is needed."""
    work = placed.work
    moment = min(max(work.delivered_at.astimezone(UTC), _FIRST), _LAST)
    info = zipfile.ZipInfo(placed.file, moment.timetuple()[:6])
    is_packed = work.media_type.startswith(_PACKED) or placed.file.lower().endswith(_ENDINGS)
    info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    info._compresslevel = QUICKLY  # type: ignore[attr-defined]  # public from Python 3.13 on; this name stays
    info.create_system, info.external_attr, info.file_size = _UNIX, _PLAIN_FILE, work.size_bytes
    return info


class _Pieces:
    """What a zip is written to: keeps what was written until it is taken, and cannot seek."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Keep further bytes."""
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits for anything."""

    def close(self) -> None:
        """There is nothing to be let go."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts, self.size = [], 0
        return data
