"""Write and delete templates: YAML in a field, with what is wrong at its line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, NotFound, OrchestratorError, Stale
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import form, number_in, text_in
from tasks.identity.page import actor_of, find_project
from tasks.library.addresses import library_address
from tasks.library.catalogue import Entry, catalogue
from tasks.library.selectors.pages import LAST_KEY, own_row
from tasks.library.selectors.templates import versions_of
from tasks.library.services.templates import delete_template, save_template
from tasks.library.views.find import find_place, find_template
from tasks.models import Project, Task

BLANK = """\
template: my_template
version: "1"
title: "Change {what}"
when: Say when this plan fits.
parameters:
  what: {type: string, required: true}
steps:
  - key: build
    title: "Build {what}"
    description: Say what to do, and what the result has to be.
    specialist: implementer
  - key: check
    title: "Check {what}"
    description: Say what to check, and how.
    specialist: tester
    needs: [build]
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form shows. `seen` is the hash of the template in effect when it was opened; a new one has no name."""

    text: str
    name: str = ""
    seen: str = ""
    plan: str = ""

    @classmethod
    def typed(cls, request: HttpRequest, name: str = "") -> Draft:
        text = request.POST.get("text", "").replace("\r\n", "\n")
        return cls(text, name, request.POST.get("seen", ""), request.POST.get("plan", "").replace("\x00", ""))


@form(Scope.ADMIN)
def new(request: HttpRequest, slug: str = "") -> HttpResponseBase:
    """Write a new template; `plan` is the finished plan that it was drafted from."""
    project = find_place(request, slug)
    if request.method == "POST":
        return _sent(request, project, Draft.typed(request))
    return show_form(request, project, Draft(BLANK))


@form(Scope.ADMIN)
def edit(request: HttpRequest, name: str, slug: str = "") -> HttpResponseBase:
    """Edit a template, or copy it here: from a source below, or for the site `from` a project."""
    project = find_place(request, slug)
    if request.method == "POST":
        return _sent(request, project, Draft.typed(request, name))
    entry = catalogue(project).templates.get(name)
    if entry is not None and entry.is_file:
        return redirect(library_address(project, "template", name))
    return show_form(request, project, Draft(_text(request, project, name, entry), name, _seen(entry)))


@form(Scope.ADMIN)
def delete(request: HttpRequest, name: str, slug: str = "") -> HttpResponseBase:
    project = find_place(request, slug)
    if own_row(project, name) is None:
        raise Http404
    entry = catalogue(project).templates.get(name)
    if request.method != "POST":
        below = entry.hides[-1] if entry and entry.hides else ""
        context = {"project": project, "name": name, "seen": _seen(entry), "below": below}
        return render(request, "library/delete.html", context)
    try:
        guard = partial(_require_unchanged, seen=request.POST.get("seen", ""))
        delete_template(project=project, actor=actor_of(request), name=name, guard=guard)
    except (Stale, NotFound) as error:
        messages.error(request, f"{error.message} {unchanged()}")
        return redirect(library_address(project, "template", name))
    messages.success(request, f"{name} deleted.")
    return redirect(library_address(project, "library"))


def show_form(
    request: HttpRequest, project: Project | None, draft: Draft, error: OrchestratorError | None = None
) -> HttpResponse:
    problems = error.details.get("problems", []) if error else []
    is_stale = isinstance(error, Stale)
    row = own_row(project, draft.name) if draft.name else None
    context = {
        "project": project,
        "draft": draft,
        "seen": _seen(catalogue(project).templates.get(draft.name)) if is_stale else draft.seen,
        "problems": problems,
        "is_saved": row is not None,
        "note": in_words(error) if error and not problems and not is_stale else "",
        "code": error.code if error else "",
        "lost": (row.saved_by if row else "someone") if is_stale else "",
        "back": library_address(project, *(["template", draft.name] if draft.name else ["library"])),
    }
    return render(request, "library/edit.html", context, status=error.status if error else 200)


def _sent(request: HttpRequest, project: Project | None, draft: Draft) -> HttpResponseBase:
    guard = partial(_require_unchanged, seen=draft.seen) if draft.name else _require_new
    plan = get_object_or_404(Task, public_id=draft.plan, project=project) if draft.plan and project else None
    try:
        with db_errors_mapped("a template on a page"):
            saved = save_template(
                project=project, actor=actor_of(request), text=draft.text, name=draft.name, drafted_from=plan,
                guard=guard,
            )  # fmt: skip
    except OrchestratorError as error:
        return show_form(request, project, draft, error)
    messages.success(request, f"{saved.name} saved. The next plan uses it.")
    return redirect(library_address(project, "template", saved.name))


def _text(request: HttpRequest, project: Project | None, name: str, entry: Entry | None) -> str:
    """Return what was saved here, even if it no longer fits, or else the template to copy; `version` restores one."""
    if chosen := number_in(request, "version", least=0, most=LAST_KEY):
        return get_object_or_404(versions_of(project, name).filter(is_deleted=False), pk=chosen).text
    other = text_in(request, "from") if project is None else ""
    if other:
        return find_template(find_project(other), name).text
    if row := own_row(project, name):
        return row.text
    if entry is None:
        raise Http404
    return entry.text


def _seen(entry: Entry | None) -> str:
    return entry.sha256 if entry else ""


def _require_unchanged(entry: Entry | None, seen: str) -> None:
    if _seen(entry) != seen:
        raise Stale("Someone else changed this template while this form was open.")


def _require_new(entry: Entry | None) -> None:
    if entry is not None:
        raise Conflict(
            f"There is a template {entry.name} already.", next="Edit that one, or name this one differently."
        )
