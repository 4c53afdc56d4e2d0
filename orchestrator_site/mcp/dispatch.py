"""Tool calls: parse the arguments, run the handler, shape the result."""

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

from orchestrator_site.kernel.bodies import Excess
from orchestrator_site.kernel.commits import unchanged, watched
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Forbidden, Hint, OrchestratorError, TooLarge, Transient, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import unstorable_in
from orchestrator_site.mcp.metering import Meter
from orchestrator_site.mcp.registry import Tool
from tasks.services.caller import Caller

logger = logging.getLogger(__name__)

PROBLEMS_LIMIT = 20
NOTES_LIMIT = 8
HINTS: dict[Hint, str] = {
    Hint.NAME_PROJECT: "Call orchestrator_initialize_session with project_dir, the absolute path of the project's "
    "folder, and send the session_id it returns with every call.",
    Hint.OPEN_SESSION: "Call orchestrator_initialize_session for a new one.",
    Hint.PLAN: "Plan the job with orchestrator_plan_task.",
    Hint.CLAIM_NEXT: "Take another task: call orchestrator_execute_subtask without task_id.",
    Hint.CLAIM_NEXT_OR_TAKE_OVER: "Take another task: call orchestrator_execute_subtask without task_id. Only if that "
    "session is gone, call it with take_over=true.",
    Hint.FINISH_YOURS: "Finish it with orchestrator_complete_subtask, or release it with orchestrator_update_task.",
    Hint.FREE_RESOURCE: "You hold it without a task: give it back with orchestrator_execute_subtask(free_resource).",
    Hint.ANY_SPECIALIST: "Omit specialist_type.",
    Hint.WAIT: "Try again later.",
    Hint.SEE_TASK: "See orchestrator_get_status(task_id).",
    Hint.LIST_TASKS: "orchestrator_get_status lists the tasks; filter them by status.",
    Hint.REMOVE_DEPENDENCY: "Remove the dependency with orchestrator_update_task.",
    Hint.RETRY_OR_UNBLOCK: "Retry or unblock it with orchestrator_update_task.",
    Hint.APPROVE: "A person approves it, or an assistant that did not deliver it, with orchestrator_update_task.",
    Hint.SYNTHESIZE: "Call orchestrator_synthesize_results, or plan more with orchestrator_plan_task.",
    Hint.LIST_ARTIFACTS: "orchestrator_synthesize_results names a plan's artifacts.",
    Hint.LIST_UPLOADS: "Begin one with orchestrator_store_artifact; its status without an upload_id lists open ones.",
    Hint.UPLOAD: "Send it in parts with orchestrator_store_artifact (toolset artifacts), then complete with its "
    "upload_ids.",
}
"""The tools to call, in the words of an assistant."""
_WHOLE_MESSAGES = {
    "missing": "is required", "extra_forbidden": "unexpected argument", "recursion_loop": "nested too deeply"
}  # fmt: skip
_NOTE_LIMIT = 160
_ECHO_LIMIT = 80
_SHORT_TEXT = 500
_STORED_AS_BYTES = ("detailed_work", "text")
"""Arguments that have a check of their own, since they are not stored in a text column."""


@dataclass(frozen=True)
class Outcome:
    payload: dict[str, Any]
    is_error: bool = False

    @cached_property
    def text(self) -> str:
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":"), default=str)


def run(
    tool: Tool[Any], arguments: dict[str, Any], caller: Caller, meter: Meter | None = None, *, received: int = 0
) -> Outcome:
    """Run one call and meter it, with the size of its request in bytes; never raises."""
    repaired: list[str] = []
    with watched() as call:
        try:
            with contained(tool.name):
                caller.principal.require(Scope(tool.scope))
                _require_in_runs(tool, caller)
                payload = tool.handler(caller, parse(tool.arguments, arguments, repaired))
            notes = _counted([*repaired, *payload.pop("repaired", [])])
            warnings = [*payload.pop("warnings", []), *call.warnings]
            outcome = Outcome(_texts_last(_without_empty({**payload, "warnings": warnings, "repaired": notes})))
        except OrchestratorError as error:
            outcome = Outcome(error.as_dict(HINTS), is_error=True)
    if meter is not None:
        is_repaired = bool(repaired) or "repaired" in outcome.payload
        code = str(outcome.payload.get("code", "")) if outcome.is_error else ""
        meter.note(caller, tool.name, received, outcome.text, error=code, is_repaired=is_repaired)
    return outcome


def _require_in_runs(tool: Tool[Any], caller: Caller) -> None:
    if caller.principal.task_id is not None and not (tool.read_only or tool.in_runs):
        raise Forbidden(
            f"{tool.name} is not for agents in a run, which only do their own subtask.",
            next="Complete your subtask, and say in its summary what else is needed.",
        )


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Log unexpected exceptions, whose text may hold paths or SQL, and raise OrchestratorError instead."""
    try:
        with db_errors_mapped(what):
            yield
    except OrchestratorError:
        raise
    except Exception as error:  # the outermost edge
        logger.exception("%s failed.", what)
        known = unchanged()
        raise Transient(
            "The server failed.",
            retry_after_ms=5000,
            next=f"{known or 'Check whether it was done.'} Retry once. If it fails again, see the server's log.",
        ) from error


def _counted(notes: list[str]) -> list[str]:
    counts = Counter(note[:_NOTE_LIMIT] for note in notes)
    lines = [note if number == 1 else f"{note} ({number} times)" for note, number in counts.items()]
    return lines if len(lines) <= NOTES_LIMIT else [*lines[:NOTES_LIMIT], f"and {len(lines) - NOTES_LIMIT} more"]


def parse(model: type[BaseModel], arguments: dict[str, Any], repaired: list[str]) -> BaseModel:
    """Return the parsed arguments and append what was repaired.

    Raises Invalid with every problem, where it is and what is allowed there, TooLarge for too much JSON in strings.
    """
    try:
        problems = list(islice(unstorable_in(arguments, besides=_STORED_AS_BYTES), PROBLEMS_LIMIT))
        if not problems:
            return model.model_validate(arguments, context={"repaired": repaired})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems = [_problem(detail, model) for detail in details[:PROBLEMS_LIMIT]]
    except Excess as excess:
        raise TooLarge(f"The JSON in strings has {excess}.", next="Send less.", details=dict(excess.limit)) from excess
    except RecursionError:
        problems = [{"at": "", "problem": "nested too deeply"}]
    raise invalid(problems, next="Fix the call and retry.")


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> dict[str, Any]:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part!s:.80}" for part in detail["loc"]]
    problem: dict[str, Any] = {"at": "".join(parts).lstrip("."), "problem": _message(detail)}
    if detail["type"] == "extra_forbidden":
        problem["allowed"] = sorted(_model_at(model, detail["loc"]).model_fields)
    elif detail["type"] in ("literal_error", "enum"):
        problem["allowed"] = [word.strip("' ") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(",")]
    return problem


def _message(detail: ErrorDetails) -> str:
    kind, got = detail["type"], detail["input"]
    if kind in _WHOLE_MESSAGES:
        return _WHOLE_MESSAGES[kind]
    if kind in ("literal_error", "enum"):
        return f"unknown value {str(got)[:_ECHO_LIMIT]!r}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return f"{_expected(kind, detail)}, got {_describe(got)}"


def _expected(kind: str, detail: ErrorDetails) -> str:
    expected = {
        "string_type": "expected a string",
        "greater_than_equal": f"must be at least {detail.get('ctx', {}).get('ge')}",
        "less_than_equal": f"must be at most {detail.get('ctx', {}).get('le')}",
        "list_type": "expected a list",
        "dict_type": "expected an object",
        "model_type": "expected an object",
        "model_attributes_type": "expected an object",
    }
    if kind.startswith(("int_", "bool_", "float_")):
        return {"i": "expected an integer", "b": "expected a boolean", "f": "expected a number"}[kind[0]]
    return expected.get(kind, detail["msg"])


def _describe(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:_ECHO_LIMIT])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:_ECHO_LIMIT]
    return {type(None): "null", bool: "a boolean", list: "a list"}.get(type(value), "an object")


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    for part in location[:-1]:
        field = model.model_fields.get(str(part)) if isinstance(part, str) else None
        below = _models_in(field.annotation) if field else []
        model = below[0] if below else model
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def _texts_last(payload: dict[str, Any]) -> dict[str, Any]:
    """Put lists and then long texts last: some clients show the model only the beginning of an answer."""

    def place(fact: tuple[str, Any]) -> int:
        return 2 if isinstance(fact[1], str) and len(fact[1]) > _SHORT_TEXT else int(isinstance(fact[1], list))

    return dict(sorted(payload.items(), key=place))


def _without_empty(value: Any) -> Any:
    """Leave out nulls and empty lists and objects, but not zero, false or an empty string."""
    if isinstance(value, dict):
        kept = {name: _without_empty(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner not in ([], {})}
    if isinstance(value, list | tuple):
        return [_without_empty(inner) for inner in value]
    return value
