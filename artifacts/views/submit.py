"""The page that completes a task with a text, a file or just a summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from artifacts.models import Kind
from artifacts.services.deliver import Delivery, DeliveryRequest, IncomingFile, deliver_with_file, prepare_delivery
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, NotReady, OrchestratorError, ServerFault, TooLarge
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.pages import came_from, form
from tasks.choices import GateKind, Status, Verb
from tasks.gates.definition import Gate, gates_of
from tasks.gates.pieces import Piece
from tasks.identity.page import actor_of, find_task
from tasks.models import Task
from tasks.selectors.available_actions import may_complete
from tasks.selectors.blockers import open_dependencies
from tasks.selectors.gates import gates_on
from tasks.services.actions import seen_as

_CHUNK = 4 * 1024 * 1024
_PLACES = {"detailed_work": "work", "file_paths": "paths", "artifact_type": "kind"}
"""Fields of the form that the services name otherwise."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_TEXTS = ("summary", "work", "paths", "decisions", "learned", "seen")


@dataclass(frozen=True, slots=True)
class Typed:
    summary: str = ""
    work: str = ""
    kind: str = Kind.GENERAL.value
    paths: str = ""
    decisions: str = ""
    learned: str = ""
    seen: str = ""
    file: UploadedFile[bytes] | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What was typed for gates, by their names."""


@form(Scope.WRITE)
def complete(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task = find_task(public_id)
    if request.method != "POST":
        return _form(request, task, Typed(seen=seen_as(task)))
    sent = {name: request.POST.get(name, "").replace("\r\n", "\n") for name in _TEXTS}
    given = {gate.name: request.POST.get(f"gate-{gate.name}", "").strip() for gate in _open(task)}
    typed = Typed(**sent, kind=request.POST.get("kind", ""), file=request.FILES.get("file"), evidence=given)
    try:
        with db_errors_mapped("completing a task on a page"):
            done = _deliver(request, task, typed)
    except (Invalid, TooLarge, ServerFault) as error:
        return _form(request, task, typed, error)
    except (Conflict, NotReady) as error:
        return _form(request, find_task(public_id), typed, error)
    outcome = "completed" if done.completion.task.status == Status.COMPLETED else "submitted for review"
    stored = f" Stored as {done.versions[0].artifact.public_id}." if done.versions else ""
    messages.success(request, f"“{task.title}” {outcome}.{stored}", extra_tags=Verb.COMPLETE)
    return came_from(request, reverse("task", args=[task.public_id]))


def _deliver(request: HttpRequest, task: Task, typed: Typed) -> Delivery:
    named = _lines(typed.paths)
    if typed.file is not None and not named and typed.file.name:
        named = [typed.file.name]
    file = IncomingFile(typed.file.chunks(_CHUNK), typed.file.size or 0) if typed.file is not None else None
    asked = DeliveryRequest(
        summary=typed.summary,
        text=typed.work if typed.work.strip() else None,
        file=file,
        kind=typed.kind,
        paths=named,
        decisions=_lines(typed.decisions),
        learned=_lines(typed.learned),
        evidence=[_piece(gate, typed.evidence[gate.name]) for gate in _open(task) if typed.evidence.get(gate.name)],
        seen=typed.seen,
    )
    prepared = prepare_delivery(task=task, actor=actor_of(request), request=asked)
    return deliver_with_file(prepared)


def _open(task: Task) -> list[Gate]:
    """Return the gates for which evidence may come with the delivery."""
    return [gate for gate in gates_of(task.gates) if not gate.is_for_reviewer]


def _piece(gate: Gate, text: str) -> Piece:
    """Read what was typed for a gate: a report, the hash of a commit, or words."""
    if gate.kind == GateKind.REPORT and text.startswith("<"):
        return Piece(gate=gate.name, report=text)
    if gate.kind == GateKind.COMMIT and _COMMIT.fullmatch(text):
        return Piece(gate=gate.name, commit=text)
    return Piece(gate=gate.name, summary=text)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


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
        "code": error.code if error is not None else "",
        "lost_file": typed.file is not None,
        "is_possible": is_possible,
        "gates": [(state, typed.evidence.get(state.gate.name, "")) for state in gates_on(task)],
        "unmet": error.details.get("gates", []) if error is not None else [],
        "waits_for": [] if is_possible or not task.is_leaf else open_dependencies(task)[:10],
        # After a conflict the page shows the current state, so the next attempt is based on it.
        "seen": seen_as(task) if isinstance(error, Conflict) and is_possible else typed.seen,
        "largest_file": settings.ORCHESTRATOR_MAX_UPLOAD_BYTES,
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    return render(request, "artifacts/complete.html", context, status=error.status if error else 200)


def _places(error: OrchestratorError | None) -> Mapping[str, str]:
    if isinstance(error, TooLarge):
        place, _, words = error.message.partition(": ")
        return {_PLACES.get(place, place): words} if words else {}
    listed: list[dict[str, Any]] = error.details.get("problems", []) if error is not None else []
    found: dict[str, str] = {}
    for problem in listed:
        place = str(problem.get("at", "")).partition("[")[0]
        found.setdefault(_PLACES.get(place, place), str(problem["problem"]))
    return found
