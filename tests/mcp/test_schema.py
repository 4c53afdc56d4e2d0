"""Input schemas say everything once, and nothing that says nothing."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator_site.mcp.schema import input_schema


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """A part of a whole."""

    title: str
    colour: Colour | None = None
    parts: list[Part] = []


class Arguments(BaseModel):
    """This docstring is for programmers."""

    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, Field(description="A property may be called title.")]
    count: int | None = None
    limit: int = Field(20, ge=1, le=100)
    kind: Literal["a", "b"] | None = None
    names: list[str] = []
    anything: dict[str, Any] | None = None
    either: int | list[int] | None = None
    secret: str | None = Field(None, json_schema_extra={"hidden": True})
    part: Annotated[Part | None, Field(description="The part.")] = None


SCHEMA = input_schema(Arguments)


def test_optional_means_not_required_and_nothing_else() -> None:
    assert SCHEMA["required"] == ["title"]
    assert SCHEMA["properties"]["count"] == {"type": "integer"}
    assert SCHEMA["properties"]["kind"] == {"enum": ["a", "b"], "type": "string"}


def test_a_property_may_be_called_title() -> None:
    assert SCHEMA["properties"]["title"] == {"description": "A property may be called title.", "type": "string"}


def test_meaningful_defaults_and_limits_are_kept() -> None:
    assert SCHEMA["properties"]["limit"] == {"default": 20, "maximum": 100, "minimum": 1, "type": "integer"}
    assert SCHEMA["properties"]["names"] == {"items": {"type": "string"}, "type": "array"}
    assert SCHEMA["properties"]["anything"] == {"type": "object"}


def test_real_alternatives_are_kept() -> None:
    assert SCHEMA["properties"]["either"] == {
        "anyOf": [{"type": "integer"}, {"items": {"type": "integer"}, "type": "array"}]
    }


def test_references_are_inlined_and_recursion_ends() -> None:
    part = SCHEMA["properties"]["part"]
    assert part["description"] == "The part."
    assert part["properties"]["colour"] == {"enum": ["red", "blue"], "type": "string"}
    assert part["properties"]["parts"] == {"items": {"type": "object"}, "type": "array"}
    assert "$" not in str(SCHEMA)


def test_hidden_arguments_are_accepted_but_not_listed() -> None:
    assert "secret" not in SCHEMA["properties"]
    assert Arguments(title="x", secret="y").secret == "y"


def test_unknown_arguments_are_rejected_by_the_server_not_the_schema() -> None:
    assert "additionalProperties" not in SCHEMA
    assert "description" not in SCHEMA
    assert input_schema(type("Nothing", (BaseModel,), {})) == {"type": "object", "properties": {}}
