"""Pages of artifacts: what was delivered, its versions and their differences, its text, and its bytes to download."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from artifacts.download import download
from artifacts.models import Artifact, ArtifactVersion, Content
from artifacts.rendering.difference import COMPARED_CHARACTERS, difference
from artifacts.rendering.excerpts import excerpt_of
from artifacts.rendering.images import image_type
from artifacts.rendering.views_of import RENDERED_CHARACTERS, View, name_of, rendered, views_of
from artifacts.store import Damaged
from tasks.templatetags.board import turns_text
from tasks.views.page import number_in, page

SHOWN_CHARACTERS = 200_000
SHOWN_VERSIONS = 50
LAST_NUMBER = 2**31 - 1
LAYOUTS = ("unified", "split")


@page
def artifact(request: HttpRequest, public_id: str) -> HttpResponse:
    found = _find(public_id)
    version = _version(request, found, "version", found.version)
    shown, status = _shown_or_damaged(request, found, version.content)
    context = {
        "artifact": found,
        "version": version,
        "versions": found.versions.select_related("content")
        .defer("content__data")
        .order_by("-number")[:SHOWN_VERSIONS],
        "numbers": _numbers(found),
        **shown,
    }
    return render(request, "artifacts/artifact.html", context, status=status)


@page
def artifact_raw(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = _find(public_id)
    return download(request, found, _version(request, found, "version", found.version))


@page
def artifact_image(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = _find(public_id)
    version = _version(request, found, "version", found.version)
    media_type = image_type(version.content)
    if media_type is None:
        raise Http404
    answer = download(request, found, version)
    answer["Content-Disposition"] = "inline"
    answer["Content-Type"] = media_type
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


@page
def artifact_diff(request: HttpRequest, public_id: str) -> HttpResponse:
    found = _find(public_id)
    new = _version(request, found, "to", found.version)
    old = _version(request, found, "from", max(new.number - 1, 1))
    layout = request.GET.get("layout")
    context = {
        "artifact": found,
        "old": old,
        "new": new,
        "numbers": _numbers(found),
        **_compared(old.content, new.content),
        "layout": layout if layout in LAYOUTS else LAYOUTS[0],
        "layouts": LAYOUTS,
    }
    return render(request, "artifacts/diff.html", context)


def _shown_or_damaged(request: HttpRequest, found: Artifact, content: Content) -> tuple[dict[str, Any], int]:
    """Say of damaged bytes that they are; what is known beside them, and the other versions, can still be reached."""
    try:
        return _shown(request, found, content), 200
    except Damaged as error:
        return {"damage": error}, error.status


def _shown(request: HttpRequest, found: Artifact, content: Content) -> dict[str, Any]:
    """Choose how to show a content: as an image, rendered, in plain parts, or only by its facts."""
    if content.size_chars is None:
        return {"is_image": image_type(content) is not None}
    offset = number_in(request, "offset", least=0, most=LAST_NUMBER)
    excerpt = excerpt_of(content, offset, RENDERED_CHARACTERS)
    views = views_of(name_of(found), found.kind, excerpt.text)
    chosen = next((view for view in views if view == request.GET.get("view")), views[0])
    facts: dict[str, Any] = {"views": views, "view": View.PLAIN, "excerpt": excerpt.shortened(SHOWN_CHARACTERS)}
    facts["turns_text"] = turns_text(excerpt.text)
    if chosen == View.PLAIN or offset or not excerpt.text:
        return facts
    rendering = rendered(content, excerpt.text, chosen, name_of(found))
    return {**facts, "failed": True} if rendering.html is None else {**facts, "view": chosen, "rendering": rendering}


def _compared(old: Content, new: Content) -> dict[str, Any]:
    if old.size_chars is None or new.size_chars is None:
        return {"difference": None}
    before, after = (excerpt_of(content, 0, COMPARED_CHARACTERS + 1).text for content in (old, new))
    return {"difference": difference(old, new, before, after), "turns_text": turns_text(before + after)}


def _numbers(found: Artifact) -> range | None:
    """The versions to choose from; None where they are too many for a list, and are asked for by number."""
    return range(found.version, 0, -1) if found.version <= SHOWN_VERSIONS else None


def _find(public_id: str) -> Artifact:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    artifacts = Artifact.objects.select_related("project", "task", "task__root").prefetch_related("paths")
    return get_object_or_404(artifacts, public_id=public_id)


def _version(request: HttpRequest, found: Artifact, parameter: str, default: int) -> ArtifactVersion:
    number = number_in(request, parameter, least=0, most=LAST_NUMBER) if parameter in request.GET else default
    return get_object_or_404(found.versions.select_related("content", "session"), number=number)
