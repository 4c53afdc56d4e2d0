"""Makes the whole document."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from drf_spectacular.generators import SchemaGenerator

from orchestrator_site.kernel.errors import Hint
from orchestrator_site.openapi.examples import add_examples
from orchestrator_site.openapi.schema import PROBLEMS, Schema
from orchestrator_site.rest.problems import MEDIA_TYPE, TITLES, TYPE

_WORD = {"type": "string"}
PROBLEM = {
    "type": "object",
    "description": "What went wrong, why, and what to do next (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Leads to what the code means."},
        "title": _WORD,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong and why."},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "enum": list(TITLES)},
        "next": {"type": "string", "description": "What to do about it."},
        "hint": {"type": "string", "enum": [hint.value for hint in Hint], "description": "The next step, as a code."},
        "problems": {
            "type": "array",
            "description": "Every mistake in the request, as many as fit.",
            "items": {
                "type": "object",
                "required": ["at", "problem"],
                "properties": {
                    "at": {"type": "string", "description": "The field, as `subtasks[0].title`."},
                    "problem": _WORD,
                    "allowed": {"type": "array", "items": _WORD},
                },
            },
        },
        "details": {"type": "object", "additionalProperties": True},
    },
    "example": {
        "type": f"{TYPE}invalid",
        "title": TITLES["invalid"],
        "status": 400,
        "detail": "subtasks[0].title: it may not be empty",
        "instance": "/api/v1/plans",
        "code": "invalid",
        "next": "Nothing was changed. Mend the request and send it again.",
        "problems": [{"at": "subtasks[0].title", "problem": "it may not be empty"}],
    },
}
SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, made under /tokens/ or by `manage.py token create`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A person who signed in to the site. Writes need the header X-CSRFToken as well.",
    },
}


class Generator(SchemaGenerator):
    """Has our own class describe each operation. As a setting, it would be imported with every view."""

    def create_view(self, *place: Any, **options: Any) -> Any:
        """Return the view that an operation is described from."""
        view = super().create_view(*place, **options)
        view.schema = Schema()
        return view


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document in plain types. It is the same until the code changes."""
    made: dict[str, Any] = Generator().get_schema(request=None, public=True)
    made["components"]["schemas"]["Problem"] = PROBLEM
    made["components"]["responses"] = {PROBLEMS[status][0]: _problem(status) for status in PROBLEMS}
    made["components"]["securitySchemes"] = SCHEMES
    made["security"] = [{name: []} for name in SCHEMES]
    add_examples(made)
    return made


def _problem(status: str) -> dict[str, Any]:
    _, code, about = PROBLEMS[status]
    example = {
        "type": f"{TYPE}{code}",
        "title": TITLES[code],
        "status": int(status) if status.isdigit() else 400,
        "detail": about,
        "instance": "/api/v1/tasks/implementer_4f9a1c",
        "code": code,
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": about, "content": {MEDIA_TYPE: content}}


def as_yaml() -> str:
    """Return the document as it is checked in."""
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes everything out where it stands, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
