"""What agents may do in a project: whether they may run at all, which ones, with which rights, and how much."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Invalid, OrchestratorError, ServerFault
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form
from tasks.agents.adapters import ADAPTERS
from tasks.agents.models import Isolation
from tasks.agents.probe import why_no_jail
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.services.isolation import set_isolation
from tasks.agents.settings import IsolationSettings
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.services.projects import folder

_SWITCHES = ("unjailed", "own_folder")
RIGHTS = {
    "ask": "Ask a person, on the page of the run",
    "deny": "Deny it, and let the agent go on without",
    "bypass": "Allow everything (only works in a jail)",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form: a number, an amount, a string, or lines."""

    name: str
    label: str
    hint: str = ""
    kind: str = "number"


_LINES, _STRING, _TEXT, _AMOUNT = "lines", "string", "text", "amount"
_ALLOWED = Field("commands", "Shell commands allowed unasked", "One beginning per line, such as git diff.", _LINES)
_FILLED_IN = "One argument per line; {brief}, {rules}, {outbox}, {worktree} and {model} are filled in."
_COMMAND = Field("command", "Command of the agent “command”", _FILLED_IN, _LINES)
_WORKTREE = (
    Field("base", "Branch to begin from", "Empty: what was merged for the plan, or else what is checked out.", _STRING),
    Field("copied_files", "Ignored files to copy", "One pattern per line, such as .env or node_modules/.", _LINES),
    Field("setup", "Setup command", "One argument per line. It runs in each new worktree, as the agent would.", _LINES),
    Field("setup_minutes", "Minutes for the setup command"),
)  # fmt: skip
_LIMITS = (
    Field("parallel", "Runs at once", "0: as many as the machine can"),
    Field("minutes", "Minutes per run"),
    Field("idle_minutes", "Minutes of silence"),
    Field("turns", "Turns per run"),
    Field("cost_usd", "USD per run", kind=_AMOUNT),
    Field("plan_cost_usd", "USD per plan", kind=_AMOUNT),
    Field("attempts", "Failed runs per task"),
    Field("disk_gb", "GB of worktrees"),
    Field("keep_days", "Days to keep worktrees"),
)
_GUIDANCE = Field("guidance", "Guidance for every agent", "Goes into the rules of each run.", _TEXT)
_FIELDS = (_ALLOWED, _COMMAND, *_WORKTREE, *_LIMITS, _GUIDANCE)


@form(Scope.ADMIN)
def settings(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    is_on, kept = isolation_of(project)
    if request.method != "POST":
        return _form(request, project, is_on, _values_of(kept))
    typed = _typed(request)
    try:
        with db_errors_mapped("isolation settings on a page"):
            row = set_isolation(
                project=project, actor=actor_of(request), is_on="is_on" in request.POST, settings=_read(typed)
            )
    except (Invalid, ServerFault) as error:
        return _form(request, project, "is_on" in request.POST, typed, error)
    messages.success(request, "Saved. Agents may run." if row.is_on else "Saved. Agents are off.", extra_tags="saved")
    return redirect("project-agents", slug=slug)


def _values_of(kept: IsolationSettings) -> dict[str, Any]:
    """Return the settings as the fields of the form show them."""
    values = {field.name: _shown(getattr(kept, field.name)) for field in _FIELDS}
    chosen = {name: getattr(kept, name) for name in ("rights", *_SWITCHES)}
    return {**values, "agents": list(kept.agents), **chosen}


def _shown(value: Any) -> str:
    return "\n".join(value) if isinstance(value, tuple) else str(value)


def _typed(request: HttpRequest) -> dict[str, Any]:
    first, chosen = request.POST.get("agent", ""), request.POST.getlist("agents")
    values = {field.name: request.POST.get(field.name, "").replace("\r\n", "\n") for field in _FIELDS}
    agents = [*filter(None, [first]), *(name for name in chosen if name != first)]
    switches = {name: name in request.POST for name in _SWITCHES}
    return {**values, "agents": agents, "rights": request.POST.get("rights", ""), **switches}


def _read(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what was typed as the service takes it; what is empty is as by default."""
    found = {field.name: _value(field, typed[field.name]) for field in _FIELDS}
    kept = {name: value for name, value in found.items() if value not in ("", [])}
    return {**kept, **{name: typed[name] for name in ("agents", "rights", *_SWITCHES)}}


def _value(field: Field, text: str) -> Any:
    if field.kind == _LINES:
        return list(filter(None, map(str.strip, text.split("\n"))))
    text = text.strip()
    return int(text) if field.kind == "number" and text.isdecimal() and len(text) < 10 else text


def _form(
    request: HttpRequest, project: Project, is_on: bool, values: dict[str, Any], error: OrchestratorError | None = None
) -> HttpResponse:
    defaults = _values_of(IsolationSettings())
    context = {
        "project": project,
        "row": Isolation.objects.filter(project=project).first(),
        "is_on": is_on,
        "values": values,
        "agents": [(name, each.title, _is_installed(name), each.needs_jail) for name, each in ADAPTERS.items()],
        "rights": RIGHTS.items(),
        "groups": {
            name: [(field, values[field.name], defaults[field.name]) for field in fields]
            for name, fields in {
                "command": (_COMMAND,), "allowed": (_ALLOWED,), "worktree": _WORKTREE, "limits": _LIMITS,
                "guidance": (_GUIDANCE,),
            }.items()
        },
        "no_jail": why_no_jail(),
        "has_folder": folder(project.root_path) is not None,
        "errors": errors_by_field(error),
        "error": error,
    }  # fmt: skip
    return render(request, "agents/settings.html", context, status=error.status if error else 200)


def _is_installed(name: str) -> bool:
    """Whether an agent's program is there; the project itself names that of `command`."""
    programs = ADAPTERS[name].executables
    return not programs or any(map(shutil.which, programs))
