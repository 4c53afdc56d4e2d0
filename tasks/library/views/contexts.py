"""The contexts of a project: the list with what waits for a person, one of them, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import NotFound, OrchestratorError, Stale
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import action_view, form, page, text_in
from tasks.identity.page import actor_of, find_project
from tasks.library.choices import ContextState
from tasks.library.models import Context
from tasks.library.selectors import contexts as query
from tasks.library.selectors import lessons as waiting
from tasks.library.services import contexts as services
from tasks.library.services import lessons
from tasks.models import Note, Project
from tasks.roles import catalogue

_LISTS = ("paths", "words")
_TEXTS = ("name", "text", "specialist", *_LISTS)


@page
def contexts(request: HttpRequest, slug: str) -> HttpResponse:
    project, specialist = find_project(slug), text_in(request, "specialist")
    rows = query.contexts_of(project).exclude(state=ContextState.DISMISSED)
    files = query.files_of(project)
    found = waiting.open_lessons(project)
    context = {
        "project": project,
        "specialist": specialist,
        "rows": list(rows.filter(specialist__in=("", specialist)) if specialist else rows)[: query.CANDIDATES],
        "files": [each for each in files.contexts if not specialist or each.entry.specialist in ("", specialist)],
        "problems": files.problems,
        "lessons": found[: waiting.SHOWN],
        "lessons_total": found.count(),
        "now": timezone.now(),
        "may_decide": Scope.REVIEW in scopes_of(request.user),
    }
    return render(request, "library/contexts.html", context)


@page
def context(request: HttpRequest, slug: str, context_id: str) -> HttpResponse:
    project = find_project(slug)
    row = _row(project, context_id)
    facts = {
        "project": project,
        "row": row,
        "now": timezone.now(),
        "may_decide": Scope.REVIEW in scopes_of(request.user) and (row.project_id or request.user.is_superuser),
    }
    return render(request, "library/context.html", facts)


_VERBS: dict[str, tuple[Callable[..., object], str]] = {
    "accept": (services.accept_context, "Accepted. The next briefs have it."),
    "renew": (services.renew_context, "Renewed for 90 days."),
    "dispute": (services.dispute_context, "Marked as disputed. It comes last in briefs."),
    "uphold": (partial(services.dispute_context, is_disputed=False), "No longer disputed."),
    "dismiss": (services.dismiss_context, "Dismissed. No brief has it any more."),
}


@action_view(Scope.REVIEW)
def act(request: HttpRequest, slug: str, context_id: str, verb: str) -> HttpResponseBase:
    project = find_project(slug)
    row = _row(project, context_id)
    if verb not in _VERBS:
        raise Http404
    do, done = _VERBS[verb]
    try:
        do(project=project, context=row, actor=actor_of(request))
        messages.success(request, done, extra_tags=verb)
    except OrchestratorError as error:
        messages.error(request, in_words(error), extra_tags=error.code)
    return redirect("context", slug=slug, context_id=context_id)


@form(Scope.REVIEW)
def merge(request: HttpRequest, slug: str, context_id: str) -> HttpResponseBase:
    project = find_project(slug)
    row, error = _row(project, context_id), None
    if request.method == "POST":
        others = [_row(project, each) for each in request.POST.getlist("context")]
        try:
            services.merge_contexts(project=project, into=row, others=others, actor=actor_of(request))
        except OrchestratorError as refused:
            error = refused
        else:
            messages.success(request, "Merged. The others are dismissed.")
            return redirect("context", slug=slug, context_id=context_id)
    rows = query.contexts_of(project).filter(project=row.project_id).exclude(state=ContextState.DISMISSED)
    rows = rows.filter(specialist=row.specialist) if row.specialist else rows
    facts = {
        "project": project,
        "row": row,
        "others": rows.exclude(pk=row.pk)[: query.CANDIDATES],
        "chosen": request.POST.getlist("context"),
        "error": in_words(error) if error else "",
    }
    return render(request, "library/context_merge.html", facts, status=error.status if error else 200)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A context as form fields: lists are lines of text."""

    name: str = ""
    text: str = ""
    specialist: str = ""
    paths: str = ""
    words: str = ""
    is_for_site: bool = False

    @classmethod
    def of(cls, row: Context) -> _Draft:
        return cls(row.name, row.text, row.specialist, "\n".join(row.paths), "\n".join(row.words))

    @classmethod
    def typed(cls, request: HttpRequest) -> _Draft:
        given = (request.POST.get(each, "").replace("\r\n", "\n") for each in _TEXTS)
        name, text, specialist, paths, words = given
        return cls(name, text, specialist, paths, words, "is_for_site" in request.POST)

    @property
    def facts(self) -> dict[str, Any]:
        lists = {each: [line.strip() for line in getattr(self, each).split("\n") if line.strip()] for each in _LISTS}
        return {"name": self.name.strip(), "text": self.text.strip(), "specialist": self.specialist, **lists}


@form(Scope.REVIEW)
def new(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    if request.method != "POST":
        return _form(request, project, _Draft(specialist=text_in(request, "specialist")))
    draft = _Draft.typed(request)
    save = partial(services.save_context, is_for_site=draft.is_for_site)
    return _sent(request, project, draft, save)


@form(Scope.REVIEW)
def edit(request: HttpRequest, slug: str, context_id: str) -> HttpResponseBase:
    project = find_project(slug)
    row = _row(project, context_id)
    if request.method != "POST":
        return _form(request, project, _Draft.of(row), row=row)
    save = partial(services.edit_context, context=row, guard=partial(_require_unchanged, request.POST.get("seen", "")))
    return _sent(request, project, _Draft.typed(request), save, row=row)


@form(Scope.REVIEW)
def lesson(request: HttpRequest, slug: str, lesson_id: str) -> HttpResponseBase:
    """Decide about a lesson: save it as a context, merge it into one, or dismiss it."""
    project = find_project(slug)
    try:
        note = waiting.lesson_by_id(project, lesson_id)
    except NotFound as error:
        raise Http404 from error
    if request.method != "POST":
        draft = _Draft(lessons.name_of(note), note.text, note.task.specialist, "\n".join(note.task.paths))
        return _form(request, project, draft, note=note)
    draft, do = _Draft.typed(request), request.POST.get("do", "")
    if do == "dismiss":
        lessons.dismiss_lesson(project=project, note=note, actor=actor_of(request))
        messages.success(request, "Dismissed.", extra_tags="dismiss")
        return redirect("contexts", slug=slug)
    save: Callable[..., Context] = partial(lessons.accept_lesson, note=note)
    if do == "merge":
        into = _row(project, request.POST.get("into", ""))

        def save(project: Project, actor: Any, text: str, **_: Any) -> Context:
            return lessons.merge_lesson(project=project, note=note, into=into, actor=actor, text=text)

    return _sent(request, project, draft, save, note=note)


def _sent(
    request: HttpRequest,
    project: Project,
    draft: _Draft,
    save: Callable[..., Context],
    row: Context | None = None,
    note: Note | None = None,
) -> HttpResponseBase:
    try:
        with db_errors_mapped("a context on a page"):
            saved = save(project=project, actor=actor_of(request), **draft.facts)
    except OrchestratorError as error:
        return _form(request, project, draft, row, note, error)
    messages.success(request, f"{saved.name} saved. The change applies to the next brief.")
    return redirect("context", slug=project.slug, context_id=saved.public_id)


def _form(
    request: HttpRequest,
    project: Project,
    draft: _Draft,
    row: Context | None = None,
    note: Note | None = None,
    error: OrchestratorError | None = None,
) -> HttpResponse:
    errors = errors_by_field(error)
    of_project = query.contexts_of(project).filter(project=project, state=ContextState.ACTIVE)
    facts = {
        "project": project,
        "draft": draft,
        "row": row,
        "note": note,
        "specialists": sorted({*catalogue(project).roles, *filter(None, [draft.specialist])}),
        "seen": _seen(row) if row else "",
        "errors": errors,
        "problem": "Fix the errors below." if errors else in_words(error) if error else "",
        "rival": error.details.get("context_id", "") if error else "",
        "targets": of_project.filter(specialist__in=("", draft.specialist))[: query.CANDIDATES] if note else (),
    }
    return render(request, "library/context_edit.html", facts, status=error.status if error else 200)


def _row(project: Project, context_id: str) -> Context:
    try:
        return query.context_by_id(project, context_id.replace("\x00", ""))
    except NotFound as error:
        raise Http404 from error


def _seen(row: Context) -> str:
    return row.saved_at.isoformat()


def _require_unchanged(seen: str, row: Context) -> None:
    if _seen(row) != seen:
        raise Stale(
            f"{row.saved_by} changed this context while this form was open.", next="Save again to overwrite it."
        )
