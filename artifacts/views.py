"""Pages of artifacts: what was delivered, its versions, its text page by page, and its bytes to download."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header, parse_etags

from artifacts import store
from artifacts.models import Artifact, ArtifactVersion, Content
from tasks.views import number_in, page

SHOWN_CHARACTERS = 200_000
SHOWN_VERSIONS = 50
LAST_NUMBER = 2**31 - 1
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a text that one page shows."""

    text: str
    offset: int
    total: int

    @property
    def first(self) -> int:
        """The place of the first character shown, counted as people do."""
        return self.offset + 1

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.offset + len(self.text)

    @property
    def left(self) -> int:
        """How many characters follow."""
        return max(self.total - self.end, 0)

    @property
    def earlier(self) -> int:
        """Where the part before begins."""
        return max(self.offset - SHOWN_CHARACTERS, 0)


@page
def artifact(request: HttpRequest, public_id: str) -> HttpResponse:
    found = _find(public_id)
    version = _version(request, found)
    offset = number_in(request, "offset", least=0, most=LAST_NUMBER)
    context = {
        "artifact": found,
        "version": version,
        "versions": found.versions.select_related("content")
        .defer("content__data")
        .order_by("-number")[:SHOWN_VERSIONS],
        "excerpt": excerpt_of(version.content, offset),
    }
    return render(request, "artifacts/artifact.html", context)


@page
def artifact_raw(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = _find(public_id)
    version = _version(request, found)
    etag = f'"{version.content.sha256}"'
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponseNotModified(headers={"ETag": etag})
    checked = _checked(version.content)
    first = next(checked, b"")  # missing or damaged bytes are found before an answer begins
    return StreamingHttpResponse(
        _stream(request, first, checked), content_type=_media_type(version), headers=_headers(found, version, etag)
    )


def excerpt_of(content: Content, offset: int) -> Excerpt:
    """Read a part of a text without holding the rest of it, checking the whole against its sha256.

    Raises Damaged.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts: list[str] = []
    position = 0
    for chunk in store.chunks(content):
        text = decoder.decode(chunk)
        parts.append(text[max(offset - position, 0) : max(offset + SHOWN_CHARACTERS - position, 0)])
        position += len(text)
    return Excerpt("".join(parts), min(offset, position), position)


def _find(public_id: str) -> Artifact:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    artifacts = Artifact.objects.select_related("project", "task", "task__root").prefetch_related("paths")
    return get_object_or_404(artifacts, public_id=public_id)


def _version(request: HttpRequest, found: Artifact) -> ArtifactVersion:
    number = number_in(request, "version", least=0, most=LAST_NUMBER) if "version" in request.GET else found.version
    return get_object_or_404(found.versions.select_related("content", "session"), number=number)


def _checked(content: Content) -> Iterator[bytes]:
    """Hold the last chunk back until the whole is proven, so that damaged bytes never arrive as a whole file."""
    held = b""
    for chunk in filter(None, store.chunks(content)):
        if held:
            yield held
        held = chunk
    yield held


def _stream(request: HttpRequest, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """Hand the chunks out as the server reads: a plain iterator would be collected whole under ASGI."""
    return _asynchronously(first, rest) if isinstance(request, ASGIRequest) else _after(first, rest)


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


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


def _headers(found: Artifact, version: ArtifactVersion, etag: str) -> dict[str, str]:
    """Delivered bytes are an assistant's: they are saved, never run or shown in this site's name."""
    return {
        "Content-Disposition": content_disposition_header(True, _file_name(found, version)) or "attachment",
        "Content-Length": str(version.content.size_bytes),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": etag,
    }


def _file_name(found: Artifact, version: ArtifactVersion) -> str:
    """Name the file as its first path does, without characters that would hide what it is."""
    paths = [path.path for path in found.paths.all()]
    name = paths[0].rsplit("/", 1)[-1] if paths else f"{found.public_id}-v{version.number}.md"
    return "".join(char for char in name if unicodedata.category(char)[0] != "C") or found.public_id
