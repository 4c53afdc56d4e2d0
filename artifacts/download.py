"""Delivered bytes as an HTTP response: complete or a range, streamed, and verified on the way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import chain

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified, StreamingHttpResponse
from django.utils.http import content_disposition_header

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion
from orchestrator_site.rest.etags import is_known

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes that are sent: from `start` up to and excluding `stop`."""

    start: int
    stop: int


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
    if span is not None and span.start >= span.stop:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "ETag": etag})
    headers, media_type = _headers(artifact, version, etag, span), _media_type(version)
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, content_type=media_type, headers=headers)
    # The last piece is held back until everything is verified, so that no damaged file is complete.
    is_part = span not in (None, Span(0, size))
    checked = storage.stretch(version.content, span.start, span.stop) if span and is_part else _held_back(version)
    first = next(checked)  # missing or damaged bytes are found before the response begins
    stream = _stream(request, first, checked)
    return StreamingHttpResponse(stream, status=status, content_type=media_type, headers=headers)


def streamed(request: HttpRequest, chunks: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Return chunks, of which there is at least one, as a response streams them; an early failure is raised here."""
    return _stream(request, next(chunks), chunks)


def _span(request: HttpRequest, etag: str, size: int) -> Span | None:
    """Read the requested range; None for everything: no range, several, an invalid one, or one of other bytes."""
    if request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return Span(max(size - int(last), 0), size) if int(last) else Span(size, size)
    if last and int(last) < int(first):
        return None
    return Span(int(first), min(int(last) + 1, size) if last else size)


def _held_back(version: ArtifactVersion) -> Iterator[bytes]:
    held = b""
    for chunk in storage.chunks(version.content):
        if held:
            yield held
        held = chunk
    yield held


def _stream(request: HttpRequest, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Return chunks as the server reads them: under ASGI, Django would collect a plain iterator first."""
    return _asynchronously(first, rest) if isinstance(request, ASGIRequest) else chain([first], rest)


async def _asynchronously(first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    chunk: bytes | None = first
    while chunk is not None:
        yield chunk
        chunk = await sync_to_async(_next)(rest)


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def _media_type(version: ArtifactVersion) -> str:
    if not _MEDIA_TYPE.fullmatch(version.media_type):
        return "application/octet-stream"
    return f"{version.media_type}; charset=utf-8" if version.media_type.startswith("text/") else version.media_type


def _headers(artifact: Artifact, version: ArtifactVersion, etag: str, span: Span | None) -> dict[str, str]:
    """Have the browser save the bytes, which are not trusted, and never run or show them on this site."""
    size = version.content.size_bytes
    part = {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"} if span else {}
    return {
        "Content-Disposition": content_disposition_header(True, _file_name(artifact, version)) or "attachment",
        "Content-Length": str(span.stop - span.start if span else size),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        **part,
    }


def _file_name(artifact: Artifact, version: ArtifactVersion) -> str:
    paths = [path.path for path in artifact.paths.all()]
    name = paths[0].rsplit("/", 1)[-1] if paths else f"{artifact.public_id}-v{version.number}.md"
    return plain_name(name) or artifact.public_id


def plain_name(name: str) -> str:
    """Leave out characters that could disguise a file's name, such as those that reverse text."""
    return "".join(char for char in name if unicodedata.category(char)[0] != "C")
