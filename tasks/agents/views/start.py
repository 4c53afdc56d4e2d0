"""Start runs for a task, or for what is unfinished below a group."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import OrchestratorError, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form, user_of
from orchestrator_site.web.templatetags.formats import count_of
from tasks.agents.adapters import ADAPTERS
from tasks.agents.choices import Communication, Workspace
from tasks.agents.selectors import pages
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.supervisors import present
from tasks.agents.services.start import Wish, start_runs
from tasks.agents.settings import IsolationSettings
from tasks.agents.views.merge import outlook
from tasks.identity.page import actor_of, find_task
from tasks.models import Task

LIMITS = {"minutes": "Minutes", "idle_minutes": "Minutes of silence", "turns": "Turns", "cost_usd": "Cost (USD)"}


@form(Scope.WRITE)
def start(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task = find_task(public_id)
    tasks, others = ([task], 0) if task.is_leaf else pages.runnable_below(task)
    if request.method != "POST":
        return _form(request, task, len(tasks), others)
    try:
        with db_errors_mapped("a start of runs on a page"):
            runs = start_runs(
                project=task.project, actor=actor_of(request), tasks=tasks, wish=_wish(request),
                user_id=user_of(request).pk,
            )  # fmt: skip
    except OrchestratorError as error:
        return _form(request, task, len(tasks), others, error)
    messages.success(request, f"Queued {count_of(len(runs), 'run')}.", extra_tags="run")
    return redirect("run", runs[0].public_id) if len(runs) == 1 else redirect("project-agents", task.project.slug)


def _wish(request: HttpRequest) -> Wish:
    """Read what was chosen. Raises Invalid, naming each field that is wrong."""
    given = request.POST
    problems: list[dict[str, Any]] = []
    numbers = {name: _number(given.get(name, "").strip(), name, problems) for name in LIMITS}
    workspace, communication = given.get("workspace", ""), given.get("communication", "")
    if problems:
        raise invalid(problems, next="Fix these and start again.")
    return Wish(
        agent=given.get("agent", ""),
        model=given.get("model", "").strip(),
        base=given.get("base", "").strip(),
        workspace=Workspace(workspace) if workspace in Workspace.values else Workspace.NEW,
        communication=Communication(communication) if communication in Communication.values else Communication.ARTIFACT,
        **numbers,
    )


def _number(text: str, name: str, problems: list[dict[str, Any]]) -> Any:
    if not text:
        return None
    try:
        number = Decimal(text) if name == "cost_usd" else Decimal(int(text) if text.isdecimal() else "NaN")
    except (InvalidOperation, ValueError):
        number = Decimal("NaN")
    if not number.is_finite() or not 0 < number < 1_000_000:
        problems.append({"at": name, "problem": "must be a positive number"})
        return None
    return number if name == "cost_usd" else int(number)


def _form(
    request: HttpRequest, task: Task, leaves: int, others: int, error: OrchestratorError | None = None
) -> HttpResponse:
    is_on, settings = isolation_of(task.project)
    context = {
        "task": task,
        "leaves": leaves,
        "others": others,
        "is_on": is_on,
        "has_supervisor": present().exists(),
        "agents": [(name, ADAPTERS[name].title) for name in settings.agents if name in ADAPTERS],
        "limits": _limits(request, settings),
        "workspaces": [each for each in Workspace.choices if settings.own_folder or each[0] != Workspace.CURRENT],
        "communications": Communication.choices,
        "values": request.POST if error else {},
        "base": settings.base,
        "errors": errors_by_field(error),
        "error": error,
        "outlook": outlook(task.plan_id),
    }
    return render(request, "agents/start.html", context, status=error.status if error else 200)


def _limits(request: HttpRequest, settings: IsolationSettings) -> list[tuple[str, str, str, Any]]:
    """Return the name, label, value and highest value of each limit."""
    return [(name, label, request.POST.get(name, ""), getattr(settings, name)) for name, label in LIMITS.items()]
