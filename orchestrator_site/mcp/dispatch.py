"""One call of a tool: repair and parse its arguments, run its handler, shape what comes of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator_site.kernel.db_errors import refusals_told
from orchestrator_site.kernel.errors import OrchestratorError, Transient, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.mcp.hints import HINTS
from orchestrator_site.mcp.metering import Meter
from orchestrator_site.mcp.registry import Tool
from tasks.identity.client import Caller

logger = logging.getLogger(__name__)

PROBLEMS_LIMIT = 20
NOTES_LIMIT = 8
_NOTE_LIMIT = 160
_ECHO_LIMIT = 80
_KEPT_AS_BYTES = ("detailed_work", "text")


@dataclass(frozen=True)
class Outcome:
    """What the client gets: the same facts as text and as structure."""

    payload: dict[str, Any]
    is_error: bool = False

    @cached_property
    def text(self) -> str:
        """The payload as compact JSON."""
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":"), default=str)


def run(
    tool: Tool, arguments: dict[str, Any], caller: Caller, meter: Meter | None = None, *, received: int = 0
) -> Outcome:
    """Run one call to its end, and note in the meter what it came to; never raises.

    `received` is the size of the request in bytes.
    """
    repaired: list[str] = []
    outcome = _run(tool, arguments, caller, repaired)
    if meter is not None:
        is_repaired = bool(repaired) or "repaired" in outcome.payload
        code = str(outcome.payload.get("code", "")) if outcome.is_error else ""
        meter.note(caller, tool.name, received, outcome.text, error=code, is_repaired=is_repaired)
    return outcome


def _run(tool: Tool, arguments: dict[str, Any], caller: Caller, repaired: list[str]) -> Outcome:
    try:
        with contained(tool.name):
            caller.principal.require(Scope(tool.scope))
            payload = tool.handler(caller, parse(tool.arguments, arguments, repaired))
    except OrchestratorError as error:
        return Outcome(error.as_dict(HINTS), is_error=True)
    notes = [*repaired, *payload.pop("repaired", [])]
    return Outcome(_without_nothing({**payload, "repaired": _counted(notes)}))


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Keep what breaks inside: its text may hold paths or SQL and goes to the log.

    Raises OrchestratorError and nothing else.
    """
    try:
        with refusals_told(what):
            yield
    except OrchestratorError:
        raise
    except Exception as error:  # the outermost edge
        logger.exception("%s failed.", what)
        raise _broken() from error


def _counted(notes: list[str]) -> list[str]:
    """Say each repair once, with how often it was made."""
    counts = Counter(note[:_NOTE_LIMIT] for note in notes)
    told = [note if number == 1 else f"{note} ({number} times)" for note, number in counts.items()]
    return told if len(told) <= NOTES_LIMIT else [*told[:NOTES_LIMIT], f"and {len(told) - NOTES_LIMIT} more"]


def parse(model: type[BaseModel], arguments: dict[str, Any], repaired: list[str]) -> BaseModel:
    """Return the parsed arguments, noting repairs.

    Raises Invalid with every mistake, its place and what is allowed there.
    """
    try:
        problems = list(islice(_unstorable(arguments), PROBLEMS_LIMIT))
        if not problems:
            return model.model_validate(arguments, context={"repaired": repaired})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems = [_problem(detail, model) for detail in details[:PROBLEMS_LIMIT]]
    except RecursionError:
        problems = [{"at": "", "problem": "the arguments are nested too deeply"}]
    raise invalid(problems, next="Nothing was changed. Mend the call and send it again.")


def _unstorable(value: Any, at: str = "") -> Iterator[dict[str, Any]]:
    """Find the texts that no database keeps; the work itself is kept as bytes and has its own check."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _KEPT_AS_BYTES:
                yield from _unstorable(inner, f"{at}.{name!s:.80}".lstrip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unstorable(inner, f"{at}[{number}]")
    elif isinstance(value, str) and (why := unstorable(value)):
        yield {"at": at, "problem": why}


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> dict[str, Any]:
    problem: dict[str, Any] = {"at": _place(detail["loc"]), "problem": _in_words(detail)}
    if detail["type"] == "extra_forbidden":
        problem["allowed"] = sorted(_model_at(model, detail["loc"]).model_fields)
    elif detail["type"] in ("literal_error", "enum"):
        problem["allowed"] = [word.strip("' ") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(",")]
    return problem


def _place(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part!s:.80}" for part in location]
    return "".join(parts).lstrip(".")


def _in_words(detail: ErrorDetails) -> str:
    kind, got = detail["type"], detail["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is no argument here"
    if kind in ("literal_error", "enum"):
        return f"{str(got)[:_ECHO_LIMIT]!r} is not known"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "recursion_loop":
        return "is nested too deeply"
    return f"{_wanted(kind, detail)}, got {_kind_of(got)}"


def _wanted(kind: str, detail: ErrorDetails) -> str:
    words = {
        "string_type": "a text is wanted",
        "greater_than_equal": f"at least {detail.get('ctx', {}).get('ge')} is wanted",
        "less_than_equal": f"at most {detail.get('ctx', {}).get('le')} is wanted",
        "list_type": "a list is wanted",
        "dict_type": "an object is wanted",
        "model_type": "an object is wanted",
        "model_attributes_type": "an object is wanted",
    }
    if kind.startswith(("int_", "bool_", "float_")):
        return {"i": "a whole number is wanted", "b": "true or false is wanted", "f": "a number is wanted"}[kind[0]]
    return words.get(kind, detail["msg"])


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:_ECHO_LIMIT]}"
    if isinstance(value, str):
        return f"the text {value[:_ECHO_LIMIT]!r}"
    return "a list" if isinstance(value, list) else "an object"


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose argument a place names, for the names that are allowed there."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part)) if isinstance(part, str) else None
        below = _models_in(field.annotation) if field else []
        model = below[0] if below else model
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def _without_nothing(value: Any) -> Any:
    """Leave out nulls and empty lists and objects; zero, false and an empty text are facts."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner not in ([], {})}
    if isinstance(value, list | tuple):
        return [_without_nothing(inner) for inner in value]
    return value


def _broken() -> Transient:
    return Transient(
        "The server failed; nothing was changed.",
        retry_after_ms=5000,
        next="Send the call once more. If it fails again, the reason is in the server's log.",
    )
