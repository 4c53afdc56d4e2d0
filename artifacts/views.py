"""Pages of artifacts: what was delivered, its versions, its text page by page, and its bytes to download."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from artifacts import store
from artifacts.download import download
from artifacts.models import Artifact, ArtifactVersion, Content
from tasks.views import number_in, page

SHOWN_CHARACTERS = 200_000
SHOWN_VERSIONS = 50
LAST_NUMBER = 2**31 - 1


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
    return download(request, found, version)


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
