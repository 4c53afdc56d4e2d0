"""When a task comes, and to whom: defer it, give it a priority, wish for a client or a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, ServerFault, Stale, TooLarge
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import came_from, form
from orchestrator_site.web.templatetags.formats import count_of, exactly
from tasks.choices import CLAIMABLE, Priority
from tasks.due import begin_of
from tasks.identity.page import actor_of, find_task
from tasks.models import Task
from tasks.project_settings import setting
from tasks.selectors.available_actions import may_edit
from tasks.selectors.order import order_of
from tasks.services import order
from tasks.services.effect import Effect

_COLUMNS = {"priority": "priority", "until": "not_before", "client": "for_client", "model": "for_model"}
Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Typed:
    """The submitted form, and what its fields were when it was opened: only what is unlike that is changed."""

    values: Values
    was: Values

    @property
    def changed(self) -> list[str]:
        return [name for name, value in self.values.items() if value != self.was[name]]


@form(Scope.WRITE)
def change(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task = find_task(public_id)
    if request.method != "POST":
        shown = _shown(task)
        return _form(request, task, Typed(shown, shown))
    typed = _read(request.POST)
    try:
        with db_errors_mapped("an order on a page"):
            said = _save(request, task, typed)
    except (Conflict, Invalid, ServerFault, TooLarge) as error:
        return _form(request, find_task(public_id), typed, error)
    messages.success(request, said or "No changes to save.", extra_tags="order" if said else "")
    return came_from(request, reverse("task", args=[public_id]))


def _read(post: QueryDict) -> Typed:
    was = {name: post.get(f"was-{name}", "") for name in _COLUMNS}
    return Typed({name: post.get(name, was[name]).strip() for name in _COLUMNS}, was)


def _shown(task: Task) -> Values:
    """Return the values of the fields; empty where the tasks of a group are unlike each other."""
    columns = order_of(task).columns
    until, zone = columns.get("not_before"), ZoneInfo(setting(task.project, "time_zone"))
    return {
        "priority": str(columns.get("priority", "")),
        "until": until.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if until else "",
        "client": columns.get("for_client", ""),
        "model": columns.get("for_model", ""),
    }


def _save(request: HttpRequest, task: Task, typed: Typed) -> str:
    """Change what is unlike before, and say what."""

    def require_unchanged(row: Task) -> None:
        shown = _shown(row)
        theirs = [name for name in typed.changed if shown[name] not in (typed.was[name], typed.values[name])]
        problem = "was changed by someone else; save again to overwrite it"
        if theirs:
            raise Stale("Nothing was changed.", details={"problems": [{"at": at, "problem": problem} for at in theirs]})

    columns = {_COLUMNS[name]: _column(task, name, typed.values[name]) for name in typed.changed}
    if not columns:
        return ""
    did = order.order(task=task, actor=actor_of(request), columns=columns, guard=require_unchanged)
    return _said(did, columns) if did.changed_total else ""


def _column(task: Task, name: str, value: str) -> Any:
    match name:
        case "until":
            return begin_of(value, at="until", zone=setting(task.project, "time_zone"))
        case "priority":
            return int(value) if value in map(str, Priority.values) else None
    return value


def _said(did: Effect, columns: dict[str, Any]) -> str:
    until, words = columns.get("not_before"), []
    if "priority" in columns:
        words.append(f"priority {Priority(columns['priority']).label}")
    if "not_before" in columns:
        words.append(f"deferred until {exactly(until)}" if until else "no longer deferred")
    for name in ("client", "model"):
        if f"for_{name}" in columns:
            words.append(f"for {columns[f'for_{name}'] or f'any {name}'}")
    which = "" if did.task.is_leaf else f", {count_of(did.changed_total, 'task')}"
    return f"“{did.task.title}”{which}: {', '.join(words)}."


def _form(request: HttpRequest, task: Task, typed: Typed, error: OrchestratorError | None = None) -> HttpResponse:
    if isinstance(error, Stale):
        now = _shown(task)
        typed = replace(typed, values=now | {name: typed.values[name] for name in typed.changed}, was=now)
    context = {
        "task": task,
        "typed": typed.values,
        "was": typed.was,
        "priorities": [(str(each.value), each.label.capitalize()) for each in Priority],
        "zone": setting(task.project, "time_zone"),
        "tasks_total": 0 if task.is_leaf else order_of(task).tasks_total,
        "starts_later": task.is_leaf and task.status not in CLAIMABLE,
        "is_late": task.due and task.not_before and task.not_before > task.due,
        "error": error,
        "error_words": in_words(error) if error else "",
        "errors": errors_by_field(error),
        "is_open": may_edit(task, scopes_of(request.user)),
        "next": request.POST.get("next") or request.GET.get("next", ""),
    }
    status = Conflict.status if isinstance(error, Stale) else error.status if error else 200
    return render(request, "tasks/order.html", context, status=status)
