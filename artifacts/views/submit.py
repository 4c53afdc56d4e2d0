"""Handing work in by hand: the page that completes a task, with what was done as text, as a file, or in a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from artifacts.models import Kind
from artifacts.paths import all_normalised
from artifacts.services.submit import HandedIn, Sent, hand_in
from orchestrator_site.kernel.db_errors import refusals_told
from orchestrator_site.kernel.errors import Conflict, Invalid, NotReady, OrchestratorError, TooLarge, Transient, invalid
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import came_from, form
from tasks.choices import Status
from tasks.identity.page import actor_of, find_task
from tasks.models import Task
from tasks.selectors.available_actions import may_complete
from tasks.selectors.blockers import open_dependencies
from tasks.services.guarded_action import seen_as

_CHUNK = 4 * 1024 * 1024
_PLACES = {"detailed_work": "work", "file_paths": "paths"}
"""What the services call a place that the form calls otherwise."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person sent."""

    summary: str = ""
    work: str = ""
    kind: str = Kind.GENERAL.value
    paths: str = ""
    seen: str = ""
    file: UploadedFile[bytes] | None = None


@form(Scope.WRITE)
def complete(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Ask for the work on GET; on POST store it and end the task."""
    task = find_task(public_id)
    if request.method != "POST":
        return _form(request, task, Typed(seen=seen_as(task)))
    typed = _read(request)
    try:
        with refusals_told("work handed in on a page"):
            done = _hand_in(request, task, typed)
    except (Invalid, TooLarge, Transient) as error:
        return _form(request, task, typed, error)
    except (Conflict, NotReady) as error:
        return _form(request, find_task(public_id), typed, error)
    messages.success(request, _told(done))
    return came_from(request, reverse("task", args=[task.public_id]))


def _read(request: HttpRequest) -> Typed:
    """Read what was sent; browsers send line ends of their own."""
    texts = {name: request.POST.get(name, "").replace("\r\n", "\n") for name in ("summary", "work", "paths", "seen")}
    return Typed(**texts, kind=request.POST.get("kind", ""), file=request.FILES.get("file"))


def _hand_in(request: HttpRequest, task: Task, typed: Typed) -> HandedIn:
    named = [line.strip() for line in typed.paths.split("\n") if line.strip()]
    if typed.file is not None and not named and typed.file.name:
        named = [typed.file.name]
    paths, problems = all_normalised(named)
    if typed.kind not in Kind.values:
        problems.append({"at": "kind", "problem": "choose a kind from the list"})
    if typed.work.strip() and typed.file is not None:
        problems.append({"at": "file", "problem": "enter text or choose a file, not both"})
    if paths and not typed.work.strip() and typed.file is None:
        problems.append({"at": "paths", "problem": "enter text or choose a file to go with these paths"})
    if problems:
        raise invalid(problems)
    file = Sent(typed.file.chunks(_CHUNK), typed.file.size or 0) if typed.file is not None else None
    return hand_in(
        task=task, actor=actor_of(request), summary=typed.summary, work=typed.work, file=file, kind=typed.kind,
        paths=paths, seen=typed.seen,
    )  # fmt: skip


def _told(done: HandedIn) -> str:
    stands = "completed" if done.task.status == Status.COMPLETED else "submitted for review"
    stored = f"; {done.versions[0].artifact.public_id} keeps the work" if done.versions else ""
    return f"“{done.task.title}” {stands}{stored}."


def _form(request: HttpRequest, task: Task, typed: Typed, error: OrchestratorError | None = None) -> HttpResponse:
    problems = _places(error)
    is_possible = may_complete(task, scopes_of(request.user))
    context = {
        "task": task,
        "typed": typed,
        "kinds": Kind.choices,
        "problems": problems,
        "error": in_words(error) if error is not None and not problems else "",
        "has_problems": error is not None,
        "lost_file": typed.file is not None,
        "is_possible": is_possible,
        "waits_for": [] if is_possible or not task.is_leaf else open_dependencies(task)[:10],
        # Only who was told how the task stands now has seen it.
        "seen": seen_as(task) if isinstance(error, Conflict) and is_possible else typed.seen,
        "largest_file": settings.ORCHESTRATOR_MAX_UPLOAD_BYTES,
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "artifacts/complete.html", context, status=error.status if error else 200)


def _places(error: OrchestratorError | None) -> Mapping[str, str]:
    """Return what is wrong by the name of its field; empty for what is wrong with no field."""
    if isinstance(error, TooLarge):
        place, _, words = error.message.partition(": ")
        return {_PLACES.get(place, place): words} if words else {}
    listed: list[dict[str, Any]] = error.details.get("problems", []) if error is not None else []
    found: dict[str, str] = {}
    for problem in listed:
        place = str(problem.get("at", "")).partition("[")[0]
        found.setdefault(_PLACES.get(place, place), str(problem["problem"]))
    return found
