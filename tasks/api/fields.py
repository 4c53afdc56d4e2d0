"""Fields for gates, for evidence and for usage in the bodies of requests."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from orchestrator_site.rest.fields import Body, Boolean, BoundedList, Integer, Number, String, Text
from tasks.choices import Rung
from tasks.gates.definition import GATES_LIMIT, JSON_SCHEMA
from tasks.services.attempts import COST_LIMIT, TOKENS_LIMIT

RUNGS = [rung.label for rung in Rung]
NUMBER_LIMIT = 2**31 - 1
_TEXT, _COUNT = {"type": "string"}, {"type": ["integer", "null"]}
_TEXTS = ("gate", "summary", "report", "output", "commit", "fingerprint", "challenge", "place")


class GateField(serializers.JSONField):
    """A gate: its kind, or an object as `tasks/gates/definition.py` describes it, which also checks it."""

    json_schema: ClassVar[dict[str, Any]] = JSON_SCHEMA

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str | dict):
            raise ValidationError(["must be the kind of a gate, or an object"])
        return data


class Gates(BoundedList):
    child = GateField()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "array", "maxItems": GATES_LIMIT, "items": GateField.json_schema
    }  # fmt: skip


class PieceBody(Body):
    """A piece of evidence; `gate` may be left out where the task has one."""

    gate = String(required=False)
    passed = Boolean(required=False, allow_null=True)
    summary = Text(required=False)
    exit_code = Integer(required=False, allow_null=True, min_value=-NUMBER_LIMIT, max_value=NUMBER_LIMIT)
    tests = Integer(required=False, allow_null=True, min_value=0, max_value=NUMBER_LIMIT)
    failures = Integer(required=False, allow_null=True, min_value=0, max_value=NUMBER_LIMIT)
    skipped = Integer(required=False, allow_null=True, min_value=0, max_value=NUMBER_LIMIT)
    seconds = Number(required=False, allow_null=True, min_value=0)
    report = Text(required=False)
    output = Text(required=False)
    commit = String(required=False)
    fingerprint = String(required=False)
    challenge = String(required=False)
    place = String(required=False)


class PieceField(serializers.JSONField):
    """A piece of evidence: words alone, or an object."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return data
        body = PieceBody(data=data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class EvidenceList(BoundedList):
    child = PieceField()
    json_schema: ClassVar[dict[str, Any]] = {
        "type": "array",
        "maxItems": GATES_LIMIT,
        "items": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "passed": {"type": ["boolean", "null"]},
                        **dict.fromkeys(("exit_code", "tests", "failures", "skipped"), _COUNT),
                        "seconds": {"type": ["number", "null"]},
                        **dict.fromkeys(_TEXTS, _TEXT),
                    },
                    "additionalProperties": False,
                },
            ]
        },
    }


class UsageBody(Body):
    """What an attempt used: tokens read and written, and US dollars."""

    read_tokens = Integer(required=False, allow_null=True, min_value=0, max_value=TOKENS_LIMIT)
    written_tokens = Integer(required=False, allow_null=True, min_value=0, max_value=TOKENS_LIMIT)
    cost_usd = Number(required=False, allow_null=True, min_value=0, max_value=COST_LIMIT)
