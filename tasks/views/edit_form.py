"""The fields of the edit form: input, the values it was opened with, and errors."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict

from tasks.choices import Complexity, Priority
from tasks.models import NEVER, Task
from tasks.project_settings import setting
from tasks.roles import Catalogue

SEVERAL = 100  # the most dependencies that one form adds or removes
_APART = re.compile(r"[\n,]+")
_SENT_AS = {"specialist": "specialist_type"}  # what services call a field
_FIELDS: tuple[tuple[str, str, str, str], ...] = (
    ("title", "Title", "line", ""),
    ("description", "Description", "text", "What to do. Included in the brief."),
    ("context", "Context", "text", "Background needed to do it. Subtasks inherit it."),
    ("specialist", "Specialist", "choice", ""),
    ("priority", "Priority", "choice", ""),
    ("complexity", "Complexity", "choice", ""),
    ("effort", "Effort", "line", "Such as 2 hours, 1h30 or 2-4 days."),
    ("due_at", "Due", "date", "The end of that day, in the time zone of the project."),
    ("gates", "Gates", "text", 'What has to be shown first, as JSON: ["report", {"command": "test"}].'),
    ("requires_review", "Require a review before this task counts as completed", "check", ""),
)


@dataclass(frozen=True, slots=True)
class Typed:
    """The submitted form. `seen` is the timestamp of the last change that the user has seen."""

    values: dict[str, str]
    was: dict[str, str]
    seen: str
    add: list[str] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    find: str = ""

    @property
    def terms(self) -> list[str]:
        return [part.strip() for part in _APART.split(self.find) if part.strip()][:SEVERAL]


def read(post: QueryDict) -> Typed:
    return Typed(
        values={name: _normalize_line_ends(post.get(name, "")) for name, *_ in _FIELDS},
        was={name: post.get(f"was-{name}", "") for name, *_ in _FIELDS},
        seen=post.get("seen", ""),
        add=_ids(post, "add"),
        drop=_ids(post, "drop"),
        find=_normalize_line_ends(post.get("find", "")).replace("\x00", ""),
    )


def using(typed: Typed, specialist: str) -> Typed:
    """Return the form with a suggested specialist filled in."""
    return replace(typed, values={**typed.values, "specialist": specialist})


def shown(task: Task) -> Typed:
    values = values_of(task)
    return Typed(values, {name: digest(value) for name, value in values.items()}, seen_of(task))


def seen_of(task: Task) -> str:
    return task.updated_at.isoformat()


def values_of(task: Task) -> dict[str, str]:
    line_ends, zone = re.compile(r"[\r\n]"), ZoneInfo(setting(task.project, "time_zone"))
    return {
        "title": line_ends.sub("", task.title),
        "description": _normalize_line_ends(task.description),
        "context": _normalize_line_ends(task.context),
        "specialist": task.specialist,
        "priority": str(task.priority),
        "complexity": task.complexity,
        "effort": line_ends.sub("", task.effort),
        "due_at": task.due.astimezone(zone).date().isoformat() if task.due else "",
        "gates": json.dumps(task.gates, indent=2, ensure_ascii=False) if task.gates else "",
        "requires_review": "on" if task.is_reviewed else "",
    }


def changed(task: Task, typed: Typed) -> dict[str, Any]:
    current = values_of(task)
    columns: dict[str, Any] = {name: value for name, value in typed.values.items() if value != current[name]}
    if "requires_review" in columns:
        columns["requires_review"] = bool(columns["requires_review"])
    if "due_at" in columns:
        columns["due_at"] = columns["due_at"].strip() or NEVER
    if "gates" in columns:
        columns["gates"] = _parsed(columns["gates"])
    priority = columns.get("priority", "")
    if priority.isascii() and priority.isdigit() and len(priority) < 4:
        columns["priority"] = int(priority)
    return columns


def _parsed(text: str) -> Any:
    """Return what a JSON text says; one that is none stays a text, which the service refuses."""
    try:
        return json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        return text


def rebase(task: Task, typed: Typed) -> tuple[Typed, dict[str, str]]:
    """Take over others' changes in fields that the user has not touched.

    Returns the new form, and the current values of the fields in conflict. Saving again overwrites those knowingly.
    """
    current = shown(task)
    values, against = dict(typed.values), {}
    for name, value in typed.values.items():
        if digest(value) == typed.was[name]:
            values[name] = current.values[name]
        elif typed.was[name] != current.was[name] and value != current.values[name]:
            against[name] = current.values[name]
    return Typed(values, current.was, current.seen, typed.add, typed.drop, typed.find), against


def fields(
    task: Task, typed: Typed, roles: Catalogue, errors: Mapping[str, list[str]], now: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the fields of the page: `was` is a digest of the value shown, `now` the value if others changed it."""
    choices = {
        "specialist": [(name, name or "Any") for name in sorted({*roles.roles, task.specialist})],
        "priority": [(str(value), label.capitalize()) for value, label in Priority.choices],
        "complexity": list(Complexity.choices),
    }
    return [
        {
            "name": name,
            "label": label,
            "kind": kind,
            "hint": hint,
            "value": typed.values[name],
            "was": typed.was[name],
            "choices": choices.get(name),
            "problem": errors.get(_SENT_AS.get(name, name), [""])[0],
            "now": now.get(name),
        }
        for name, label, kind, hint in _FIELDS
    ]


def digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]


def _ids(post: QueryDict, name: str) -> list[str]:
    return [each.replace("\x00", "") for each in post.getlist(name)[:SEVERAL]]


def _normalize_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
