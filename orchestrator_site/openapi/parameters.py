"""What stands in addresses, queries and headers: how it looks and what it is for."""

from __future__ import annotations

from typing import Any

import django_filters
from django_filters.rest_framework import FilterSet

from artifacts.api.files import LIMIT as FILES_LIMIT
from artifacts.api.files import LIMIT_DEFAULT as FILES_DEFAULT
from artifacts.api.search import KINDS as SEARCH_KINDS
from artifacts.reports.brief import SMALLEST_CHARS
from artifacts.search.query_parser import QUERY_LIMIT
from artifacts.search.service import LIMIT as SEARCH_LIMIT
from artifacts.search.service import LIMIT_DEFAULT as SEARCH_DEFAULT
from orchestrator_site.rest.filters import FlagFilter, WordsFilter
from tasks.api.events import LIMIT as EVENTS_LIMIT
from tasks.api.events import LIMIT_DEFAULT as EVENTS_DEFAULT
from tasks.api.tasks import BRIEF_CHARS_LIMIT
from tasks.choices import Verb
from tasks.services.idempotency import KEY_LIMIT

Parameter = dict[str, Any]
_ID = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_.-]+$"}

PATH = {
    "project": ("The slug of a project.", "ledger"),
    "task_id": ("The id of a task, whole.", "implementer_4f9a1c"),
    "needed_id": ("The id of the task that is waited for.", "architect_a71c02"),
    "session_id": ("The handle of a session.", "session_0f61a2b3c4d5"),
    "artifact_id": ("The id of an artifact.", "artifact_5b1e77d0"),
    "upload_id": ("The id of an upload.", "upload_3c9198e8e019"),
    "token_id": ("The id of an access token; not its secret.", "token_6504b6cf"),
    "name": ("The name of a specialist.", "implementer"),
    "code": ("The code of a problem.", "conflict"),
}
FILTERS = {
    "project": "Of one project, by its slug.",
    "status": "In one or several states.",
    "archived": "Only what is archived (`true`), or that as well (`any`). Without it, the archive is left out.",
    "updated_after": "Changed after a time.",
    "search": "With a text in the title, the description or the id (projects: in the name).",
    "specialist_type": "For one specialist.",
    "priority": "Of one or several priorities.",
    "is_leaf": "Work only (`true`), or only what has subtasks (`false`).",
    "is_ready": "What can be claimed now.",
    "plan": "Of one plan, by the id of its root.",
    "parent": "Right below one task, by its id.",
    "waits_for": "What waits for one task, by its id.",
    "open": "Sessions that go on (`true`) or have ended (`false`).",
    "task": "Of one task, by its id.",
    "kind": "Of one or several kinds.",
    "path": "With a text in one of its paths.",
    "state": "In one or several states.",
}
QUERY: dict[str, tuple[dict[str, Any], str]] = {
    "detail": ({"type": "string", "enum": ["brief", "full"], "default": "brief"}, "How much is told of each part."),
    "max_chars": (
        {"type": "integer", "minimum": SMALLEST_CHARS, "maximum": BRIEF_CHARS_LIMIT},
        "How long the brief may be.",
    ),
    "version": ({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "Another version than the latest."),
    "after": (
        {"type": "string", "pattern": "^([0-9]{1,18}|now)$", "default": "0"},
        "The last event that is known: `0` for all, `now` for what is to come. Streams begin now.",
    ),
    "q": (
        {"type": "string", "minLength": 1, "maxLength": QUERY_LIMIT},
        'Words; "a phrase" in quotes, begin* for a beginning.',
    ),
    "search.kind": (
        {"type": "array", "items": {"type": "string", "enum": list(SEARCH_KINDS)}, "maxItems": len(SEARCH_KINDS)},
        "Tasks, all artifacts, or one or several kinds of artifacts.",
    ),
    "search.limit": (
        {"type": "integer", "minimum": 1, "maximum": SEARCH_LIMIT, "default": SEARCH_DEFAULT},
        "How many.",
    ),
    "search.task": (_ID, "Of one task or plan and what is below it, by its id."),
    "in_artifact": (_ID, "Every place in one artifact, in its order; without project, task and kind."),
    "cursor": ({"type": "string", "maxLength": 100}, "The place after which the page begins, from `next`."),
    "path": ({"type": "string", "default": ""}, "A folder, as `src/app/`; without it, the top."),
    "pathless": (
        {"type": "string", "enum": ["true", "false"], "default": "false"},
        "The works without a path instead of a folder.",
    ),
    "versions": (
        {"type": "string", "enum": ["latest", "all"], "default": "latest"},
        "Older versions too (`all`), as `name~v1.ext`.",
    ),
    "folder.limit": (
        {"type": "integer", "minimum": 1, "maximum": FILES_LIMIT, "default": FILES_DEFAULT},
        "How many.",
    ),
    "folder.cursor": ({"type": "string", "maxLength": 300}, "The place after which the page begins, from `next`."),
    "project": (_ID, FILTERS["project"]),
    "task": (_ID, FILTERS["task"]),
    "verb": (
        {"type": "array", "items": {"type": "string", "enum": Verb.values}},
        "One or several verbs.",
    ),
    "limit": ({"type": "integer", "minimum": 1, "maximum": EVENTS_LIMIT, "default": EVENTS_DEFAULT}, "How many."),
}
_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_LIMIT,
    "pattern": '^([!#-~]|[!#-~][ !#-~]*[!#-~]|"[ !#-~]*[!#-~][ !#-~]*")$',
}
_ANYTHING = {"type": "string"}
_ETAGS = {"type": "string", "pattern": '^([*]|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'}
HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "Idempotency-Key": (_KEY, "A fresh UUID for each new request: sent again with the same one, it is done once."),
    "Session-Id": (_ID, "The session of this token that the request belongs to, where it has several."),
    "If-Match": (_ETAGS, "The ETag that was read: the request is refused (412) where it has changed since."),
    "If-None-Match": (_ANYTHING, "The ETag that is known: answered by 304 where nothing has changed."),
    "Range": (_ANYTHING, "A range of bytes, as `bytes=1000-1999`."),
    "If-Range": (_ANYTHING, "The ETag of the bytes that the range is of; everything is sent where it is another."),
    "Upload-Offset": (
        {"type": "string", "pattern": "^[0-9]{1,15}$"},
        "How many bytes are there already: where those of the body go.",
    ),
    "Last-Event-ID": (_ANYTHING, "Streams: the last event that was seen. Browsers send it by themselves."),
}
PAGING = {
    "cursor": "The place after (or before) which the page begins, from `next` or `previous`.",
    "limit": "How many rows.",
    "ordering": "The order; `-` in front turns it around.",
}


def in_path(name: str) -> Parameter:
    """Describe a part of an address."""
    about, example = PATH[name]
    return {"name": name, "in": "path", "required": True, "schema": _ID, "description": about, "example": example}


def in_query(name: str, *, action: str = "") -> Parameter:
    """Describe a parameter that an action reads by itself; `search.limit` is the limit of the action `search`."""
    schema, about = QUERY.get(f"{action}.{name}") or QUERY[name]
    return {**_optional(name, "query", schema, about), "required": name == "q"}


def in_header(name: str) -> Parameter:
    """Describe a header."""
    schema, about = HEADERS[name]
    return {**_optional(name, "header", schema, about), "required": name == "Upload-Offset"}


def of_filter(name: str, kind: Any) -> Parameter:
    """Describe a filter of a list."""
    return {**_optional(name, "query", _schema_of(kind), FILTERS[name]), "allowEmptyValue": True}


def filters_of(filters: type[FilterSet] | None) -> list[Parameter]:
    """Describe all filters of a list."""
    return [of_filter(name, kind) for name, kind in filters.base_filters.items()] if filters else []


def _schema_of(kind: Any) -> dict[str, Any]:
    if isinstance(kind, WordsFilter):
        words = {"type": "string", "enum": list(kind.extra["words"])}
        return {"type": "array", "items": words}
    if isinstance(kind, FlagFilter):
        return {"type": "boolean"}
    if isinstance(kind, django_filters.ChoiceFilter):
        return {"type": "string", "enum": [word for word, _ in kind.extra["choices"]]}
    if isinstance(kind, django_filters.IsoDateTimeFilter):
        return {"type": "string", "format": "date-time"}
    longest = kind.extra.get("max_length")
    return {"type": "string", "maxLength": longest} if longest else {"type": "string"}


def _optional(name: str, place: str, schema: dict[str, Any], about: str) -> Parameter:
    return {"name": name, "in": place, "required": False, "schema": schema, "description": about}
