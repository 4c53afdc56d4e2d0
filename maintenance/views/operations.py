"""Ask the coordinator for something: preview, apply, follow, undo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from maintenance import schedules
from maintenance.choices import Action, Level, ScopeWord
from maintenance.found import Found
from maintenance.models import Operation
from maintenance.selectors.open_findings import SCAN_JOB
from maintenance.selectors.runs import is_running
from maintenance.services import undo as undoing
from maintenance.services.coordinate import Answer, Request, coordinate
from maintenance.services.scan_now import is_large, scan_now
from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import action_view, came_from, form, page, require
from orchestrator_site.web.templatetags.formats import count_of
from tasks.identity.page import actor_of, find_project
from tasks.models import Project, Task

SHOWN = 50
"""How many tasks a preview or a run lists."""
BY_PROPOSAL = {
    "release": Action.SCAN_CLEANUP,
    "archive": Action.ARCHIVE,
    "restore": Action.RESTORE,
    "purge": Action.PURGE,
    "repair": Action.VALIDATE_STRUCTURE,
}
"""The action of the coordinator that does what a finding proposes."""


@form(Scope.WRITE)
def run(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Preview with `preview`, or do what was previewed with its `plan_token`."""
    project = find_project(slug)
    if request.method != "POST":
        return redirect("maintenance", slug=slug)
    if "scan" in request.POST:
        return _scanned(request, project)
    asked = _asked(request)
    if asked.action == Action.PURGE:
        require(request, Scope.ADMIN)
    if "preview" in request.POST:
        return _preview(request, project, asked)
    try:
        answer = coordinate(project=project, actor=actor_of(request), request=asked)
    except Conflict as error:
        if not asked.apply:
            raise
        return _preview(request, project, replace(asked, apply=False, plan_token=""), error)
    if answer.operation is not None and is_running(answer.operation):
        return _followed(request, project, answer)
    _report(request, "done", answer.changes)
    return came_from(request, reverse("maintenance", args=[slug]))


@page
def operation(request: HttpRequest, slug: str, operation_id: str) -> HttpResponse:
    project = find_project(slug)
    found = get_object_or_404(_of(project), public_id=operation_id)
    report: dict[str, Any] = found.report
    said: dict[str, Any] = found.request
    shown = found.changes[:SHOWN]
    context = {
        "project": project,
        "operation": found,
        "changes": _with_tasks(project, shown),
        "more": len(found.changes) - len(shown),
        "counts": found.answer.get("counts", {}),
        "found": report.get("findings", [])[:SHOWN],
        "task_ids": " ".join(said.get("task_ids", [])),
        "may_act": Scope.WRITE in scopes_of(request.user),
    }
    return render(request, "maintenance/operation.html", context)


@action_view(Scope.WRITE)
def undo(request: HttpRequest, slug: str, operation_id: str) -> HttpResponseBase:
    found = get_object_or_404(_of(find_project(slug)), public_id=operation_id)
    made = undoing.undo(operation=found, actor=actor_of(request))
    if is_running(made):
        messages.success(request, "Undo: queued. The run shows how far it is.")
    else:
        _report(request, "undone", made.changes)
    return redirect("operation", slug=slug, operation_id=made.public_id)


def _scanned(request: HttpRequest, project: Project) -> HttpResponse:
    answer = scan_now(project=project, actor=actor_of(request))
    released = count_of(len(answer.changes), "task")
    said = [f"Released {released} whose lease was over."] if answer.changes else []
    if is_large(project):
        schedules.run_soon(SCAN_JOB)
        said.append("The rest of this large board is checked by the worker.")
    messages.success(request, " ".join(["Scanned.", *said]))
    return redirect("maintenance", slug=project.slug)


def _report(request: HttpRequest, verb: str, changes: list[dict[str, Any]]) -> None:
    missed = sum("conflict" in change for change in changes)
    say = messages.warning if missed else messages.success
    say(request, f"{len(changes) - missed} {verb}{f', {missed} not: see the run' if missed else ''}.")


def _of(project: Project) -> QuerySet[Operation]:
    return Operation.objects.filter(project=project)


def _asked(request: HttpRequest) -> Request:
    """Read what a form asks for. Raises Invalid for a word that it does not offer."""
    sent = request.POST
    proposal = sent.get("proposal", "")
    token = sent.get("plan_token", "")
    return Request(
        action=BY_PROPOSAL[proposal] if proposal in BY_PROPOSAL else _word(Action, request, "action"),
        scope=ScopeWord.FULL_PROJECT,
        level=Level.COMPREHENSIVE if proposal == "repair" else _word(Level, request, "level", Level.BASIC),
        task_ids=tuple(sent.get("task_ids", "").split()),
        apply=bool(token),
        plan_token=token,
    )


def _word(words: Any, request: HttpRequest, name: str, default: str = "") -> Any:
    sent = request.POST.get(name, default)
    if sent not in words.values:
        raise invalid([{"at": name, "problem": f"unknown value {sent[:80]!r}", "allowed": list(words.values)}])
    return words(sent)


def _preview(request: HttpRequest, project: Project, asked: Request, error: Conflict | None = None) -> HttpResponse:
    answer = coordinate(project=project, actor=actor_of(request), request=asked)
    if answer.operation is not None:
        return _followed(request, project, answer)
    shown = answer.proposals[:SHOWN]
    left = [found for found in answer.findings if not found.proposal]
    tasks = Task.objects.in_bulk([found.task_pk for found in shown if found.task_pk])
    context = {
        "project": project,
        "asked": asked,
        "task_ids": " ".join(asked.task_ids),
        "plan_token": answer.plan_token,
        "rows": [(found, tasks.get(found.task_pk or 0)) for found in shown],
        "more": len(answer.proposals) - len(shown),
        "left": left[:SHOWN],
        "left_more": len(left) - len(left[:SHOWN]),
        "label": _label(answer.proposals),
        "notes": answer.notes,
        "next": request.POST.get("next", ""),
        "error": error,
    }
    return render(request, "maintenance/preview.html", context, status=error.status if error else 200)


def _followed(request: HttpRequest, project: Project, answer: Answer) -> HttpResponse:
    """Show the operation that does this on the worker."""
    messages.success(request, f"{answer.request.action.label}: queued. The run shows how far it is.")
    assert answer.operation is not None  # noqa: S101 - asked before
    return redirect("operation", slug=project.slug, operation_id=answer.operation.public_id)


def _label(proposed: list[Found]) -> str:
    """Name what the button does, with how many tasks it concerns."""
    verbs = {found.proposal for found in proposed}
    verb = verbs.pop() if len(verbs) == 1 else "apply"
    noun = ("fix" if verb == "apply" else "task") if len(proposed) == 1 else ("fixes" if verb == "apply" else "tasks")
    return f"{verb.capitalize()} {len(proposed)} {noun}"


def _with_tasks(project: Project, changes: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Task | None]]:
    ids = [str(change.get("task_id", "")) for change in changes]
    tasks = {task.public_id: task for task in Task.objects.filter(project=project, public_id__in=ids)}
    return [(change, tasks.get(place)) for change, place in zip(changes, ids, strict=True)]
