"""Pages of an artifact: its content and versions, diffs, and downloads."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from artifacts.download import download
from artifacts.models import Artifact, ArtifactVersion, Content
from artifacts.rendering.excerpts import excerpt_of
from artifacts.rendering.images import image_type
from artifacts.rendering.views_of import RENDERED_CHARACTERS, View, name_of, rendered, views_of
from artifacts.reviews.files import LAYOUTS, MOST_OPENED, Options, compared
from artifacts.selectors.tree import beside
from artifacts.storage import Damaged
from artifacts.views.source import LINES, PLACES, found_inside, fragment, hit_url, source_parts
from orchestrator_site.web.pages import number_in, page
from orchestrator_site.web.templatetags.formats import turns_text

SHOWN_CHARACTERS = 200_000
SHOWN_VERSIONS = 50
COPIED_BYTES = 2 * 1024 * 1024  # larger artifacts have no copy button
LAST_NUMBER = 2**31 - 1


@page
def artifact(request: HttpRequest, public_id: str) -> HttpResponse:
    if target := _line_url(request):
        return redirect(target)
    found = _find(public_id)
    version = _version(request, found, "version", found.version)
    status = 200
    try:
        if "find" in request.GET and not PLACES & set(request.GET) and (target := hit_url(request, version.content)):
            return redirect(target)
        shown = _shown(request, found, version.content)
    except Damaged as error:  # details and other versions stay accessible
        shown, status = {"damage": error}, error.status
    context = {
        "artifact": found,
        "project": found.project,
        "version": version,
        "versions": found.versions.select_related("content", "session")
        .defer("content__data")
        .order_by("-number")[:SHOWN_VERSIONS],
        "numbers": _numbers(found),
        "beside": beside(found),
        **shown,
    }
    return render(request, "artifacts/artifact.html", context, status=status)


@page
def artifact_part(request: HttpRequest, public_id: str) -> HttpResponse:
    found = _find(public_id)
    content = _version(request, found, "version", found.version).content
    if not content.size_chars:
        raise Http404
    return HttpResponse(fragment(request, content, name_of(found)))


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
    options = Options(
        layout=layout if layout in LAYOUTS else "unified",
        opened=tuple(request.GET.getlist("open")[-MOST_OPENED:]),
        links=(_line_links(old), _line_links(new)),
    )
    shown = {
        "artifact": found,
        "project": found.project,
        "old": old,
        "new": new,
        "numbers": _numbers(found),
        "each": compared(found, old, new, options),
        "options": options,
        "layouts": LAYOUTS,
        "opens": f"{request.path}?{request.GET.urlencode()}&open=",
    }
    return render(request, "artifacts/diff.html", shown)


def _shown(request: HttpRequest, found: Artifact, content: Content) -> dict[str, Any]:
    if content.size_chars is None:
        return {"is_image": image_type(content) is not None}
    begin = excerpt_of(content, 0, RENDERED_CHARACTERS)
    views = views_of(name_of(found), found.kind, begin.text)
    offset = number_in(request, "offset", least=0, most=LAST_NUMBER)
    view = next((view for view in views if view == request.GET.get("view")), views[0])
    if offset >= content.size_chars:
        view = View.PLAIN
    elif view == View.RENDERED and PLACES & set(request.GET):  # a position in rendered text is shown in the source
        view = View.SOURCE
    facts = {"views": views, "is_copied": content.size_bytes <= COPIED_BYTES, **found_inside(request, content)}
    if view == View.SOURCE:
        return {**facts, "view": view, **source_parts(request, content, name_of(found))}
    if view == View.PLAIN:
        excerpt = excerpt_of(content, offset, SHOWN_CHARACTERS)
        return {**facts, "view": view, "excerpt": excerpt, "turns_text": turns_text(excerpt.text)}
    facts |= {"excerpt": begin.shortened(SHOWN_CHARACTERS), "turns_text": turns_text(begin.text)}
    rendering = rendered(content, begin.text)
    if rendering.html is None:
        return {**facts, "failed": True, "view": View.PLAIN}
    return {**facts, "view": view, "rendering": rendering}


def _line_url(request: HttpRequest) -> str | None:
    lines = LINES.fullmatch(request.GET.get("go", ""))
    if lines is None:
        return None
    query = request.GET.copy()
    for name in ("go", "part", "offset"):
        query.pop(name, None)
    query["line"] = lines[0]
    return f"{request.path}?{query.urlencode()}#L{lines[1]}"


def _line_links(version: ArtifactVersion) -> str:
    address = f"{reverse('artifact', args=[version.artifact.public_id])}?version={version.number}&amp;view=source"
    return f'<a href="{address}&amp;line={{n}}#L{{n}}">{{n}}</a>'


def _numbers(found: Artifact) -> range | None:
    return range(found.version, 0, -1) if found.version <= SHOWN_VERSIONS else None


def _find(public_id: str) -> Artifact:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    artifacts = Artifact.objects.select_related("project", "task", "task__root").prefetch_related("paths")
    return get_object_or_404(artifacts, public_id=public_id)


def _version(request: HttpRequest, found: Artifact, parameter: str, default: int) -> ArtifactVersion:
    number = number_in(request, parameter, least=0, most=LAST_NUMBER) if parameter in request.GET else default
    return get_object_or_404(found.versions.select_related("content", "session"), number=number)
