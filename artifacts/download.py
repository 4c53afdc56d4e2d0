"""Delivered bytes as an HTTP response: complete or a range, streamed, and verified on the way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from itertools import chain, islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified, StreamingHttpResponse
from django.utils.http import content_disposition_header

from artifacts import storage
from artifacts.media_types import BYTES
from artifacts.models import Artifact, ArtifactVersion
from orchestrator_site.rest.etags import is_known

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_TOGETHER = 4
"""Chunks that are read at a time, since each time costs a change of threads."""
_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


def download(request: HttpRequest, artifact: Artifact, version: ArtifactVersion) -> HttpResponseBase:
    """Respond with the bytes of a version: 200, 206 for a range, 304 for what the client has, 416 without a body.

    Raises Damaged where the bytes are missing, or are small and damaged; larger ones are verified while they are sent,
    and break off before what is damaged, or before their end.
    """
    etag = f'"{version.content.sha256}"'
    if is_known(request, etag):
        return HttpResponseNotModified(headers={"ETag": etag})
    size = version.content.size_bytes
    span = _span(request, etag, size)
    if span is not None and not span:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "ETag": etag})
    headers = _headers(artifact, version, etag, span)
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    # The last piece is held back until everything is verified, so that no damaged file is complete.
    is_part = span is not None and span != range(size)
    checked = storage.stretch(version.content, span.start, span.stop) if span and is_part else _held_back(version)
    return StreamingHttpResponse(streamed(request, checked), status=status, headers=headers)


def streamed(request: HttpRequest, chunks: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Return chunks, of which there is at least one, as the server reads them; an early failure is raised here.

    Under ASGI, Django would collect a plain iterator first.
    """
    first = next(chunks)
    return _asynchronously(first, chunks) if isinstance(request, ASGIRequest) else chain([first], chunks)


def _span(request: HttpRequest, etag: str, size: int) -> range | None:
    """Read the requested range; None for everything: no range, several, an invalid one, or one of other bytes."""
    if request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _held_back(version: ArtifactVersion) -> Iterator[bytes]:
    held = b""
    for chunk in storage.chunks(version.content):
        if held:
            yield held
        held = chunk
    yield held


async def _asynchronously(first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    chunks = [first]
    while chunks:
        yield b"".join(chunks)
        chunks = await sync_to_async(lambda: list(islice(rest, _TOGETHER)))()


def _headers(artifact: Artifact, version: ArtifactVersion, etag: str, span: range | None) -> dict[str, str]:
    """Have the browser save the bytes, which are not trusted, and never run or show them on this site."""
    size = version.content.size_bytes
    media_type = version.media_type if _MEDIA_TYPE.fullmatch(version.media_type) else BYTES
    paths = artifact.paths.all()
    name = paths[0].path.rpartition("/")[2] if paths else f"{artifact.public_id}-v{version.number}.md"
    name = plain_name(name) or artifact.public_id
    part = {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"} if span else {}
    return {
        "Content-Type": f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Content-Length": str(len(span) if span else size),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        **part,
    }


def plain_name(name: str) -> str:
    """Leave out characters that could disguise a file's name, such as those that reverse text."""
    return "".join(char for char in name if unicodedata.category(char)[0] != "C")
