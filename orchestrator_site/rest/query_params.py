"""Query parameters: each describes itself in the OpenAPI document, and reads itself from a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request

from orchestrator_site.kernel.errors import Invalid, invalid

ECHO_LIMIT = 80
ID = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_.-]+$"}
_DIGITS = 10


class Parameter:
    """A query parameter or a header, with its JSON schema."""

    def __init__(
        self, name: str, about: str, schema: dict[str, Any] | None = None, *, is_required: bool = False
    ) -> None:
        self.name = name
        self.about = about
        self.schema = schema or {"type": "string"}
        self.is_required = is_required


class IntegerParameter(Parameter):
    def __init__(self, name: str, about: str, *, least: int, most: int, default: int | None = None) -> None:
        schema = {"type": "integer", "minimum": least, "maximum": most}
        super().__init__(name, about, schema if default is None else {**schema, "default": default})
        self.least, self.most, self.default = least, most, default

    def read(self, request: Request) -> int | None:
        sent = request.query_params.get(self.name)
        if sent is None:
            return self.default
        if not (sent.isascii() and sent.isdigit() and len(sent) <= _DIGITS and self.least <= int(sent) <= self.most):
            raise Invalid(
                f"{self.name}: must be an integer between {self.least} and {self.most}.", next="Correct or omit it."
            )
        return int(sent)


class ChoiceParameter(Parameter):
    """One of several words, the first by default."""

    def __init__(self, name: str, about: str, choices: Sequence[str]) -> None:
        super().__init__(name, about, {"type": "string", "enum": list(choices), "default": choices[0]})
        self.choices = choices

    def read(self, request: Request) -> str:
        sent = request.query_params.get(self.name, self.choices[0])
        require_choice(self.name, sent, self.choices)
        return sent


class ChoicesParameter(Parameter):
    """Several words, with commas between them or in a repeated parameter."""

    def __init__(self, name: str, about: str, choices: Sequence[str]) -> None:
        super().__init__(name, about, {"type": "array", "items": {"type": "string", "enum": list(choices)}})
        self.choices = choices

    def read(self, request: Request) -> list[str]:
        sent = [word for value in request.query_params.getlist(self.name) for word in value.split(",") if word]
        for word in sent:
            require_choice(self.name, word, self.choices)
        return list(dict.fromkeys(sent))


def require_choice(name: str, sent: str, choices: Sequence[str]) -> None:
    if sent not in choices:
        raise invalid([{"at": name, "problem": f"unknown value {sent[:ECHO_LIMIT]!r}", "allowed": list(choices)}])
