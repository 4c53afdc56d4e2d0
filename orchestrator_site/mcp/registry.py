"""The registry of tools, resources and prompts: apps register them at import, and the server reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.fields import FieldInfo

from orchestrator_site.kernel.bodies import LARGE_BODY, count_structure
from orchestrator_site.kernel.limits import STRING_LIMIT

LONG_ANSWER = 500_000
"""The most characters of an answer that Claude Code can be asked to show to the model."""
LONG = LARGE_BODY
"""The `max_length` of a text, whose service has a limit of its own."""
_STRINGS = ("<class 'str'>", "str | None")
_TEXTS = frozenset(
    {"title", "description", "context", "estimated_effort", "key", "reason", "answer", "summary", "path"}
)
"""Texts in which "null" is a word like others."""
_CONTENT = frozenset({"detailed_work", "text", "base64"})
"""Texts in which blanks count as well."""


class Arguments(BaseModel):
    """The arguments of a tool: unknown ones are errors, and unambiguous slips are repaired.

    For an optional argument, null and a blank string mean that it was not sent, and so do "null" and "none" where it is
    no text, and 0 where that is too small. Repaired are also null and blanks in a list, a known alias, JSON in a string
    instead of a list, one string instead of a list of strings, and a number instead of a string. Each repair is
    appended to `info.context["repaired"]` if the caller passes such a list. Raises Excess for too much JSON in strings.
    """

    model_config = ConfigDict(extra="forbid", str_max_length=STRING_LIMIT)
    aliases: ClassVar[dict[str, str]] = {}
    """Wrong names that assistants use for arguments, each with the right one."""

    @model_validator(mode="before")
    @classmethod
    def _repair(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        context = info.context or {}
        notes: list[str] = context.get("repaired", [])
        counts: Counter[str] = context.setdefault("counts", Counter())
        renamed = {cls._right_name(name, given, notes): value for name, value in given.items()}
        optional = {name: field for name, field in cls.model_fields.items() if not field.is_required()}
        unsaid = [
            name for name, value in renamed.items() if name in optional and _is_unsaid(name, value, optional[name])
        ]
        if unsaid:
            notes.append(f"{', '.join(unsaid)}: empty, so taken as not sent")
        return {
            name: _right_type(name, value, str(cls.model_fields[name].annotation), notes, counts)
            if name in cls.model_fields
            else value
            for name, value in renamed.items()
            if name not in unsaid
        }

    @classmethod
    def _right_name(cls, name: str, given: dict[str, Any], notes: list[str]) -> str:
        right = cls.aliases.get(name)
        if right is None or right in given or name in cls.model_fields:
            return name
        notes.append(f"{name}: renamed to {right}")
        return right


def _is_unsaid(name: str, value: Any, field: FieldInfo) -> bool:
    """Whether this is how a client fills in an optional argument that it has nothing for."""
    if isinstance(value, str):
        word = value if name in _CONTENT else value.strip()
        return not word or (name not in _TEXTS | _CONTENT and word.lower() in ("null", "none"))
    begins_later = any(isinstance(limit, Ge) and limit.ge != 0 for limit in field.metadata)
    return value is None or (value == 0 and not isinstance(value, bool) and begins_later)


def _right_type(name: str, value: Any, annotation: str, notes: list[str], counts: Counter[str]) -> Any:
    if isinstance(value, list) and any(map(_is_blank, value)):
        notes.append(f"{name}: empty members left out")
        return [member for member in value if not _is_blank(member)]
    if isinstance(value, str) and "list[" in annotation:
        parsed = _parsed(value, counts) if value.lstrip().startswith("[") else None
        if isinstance(parsed, list):
            notes.append(f"{name}: JSON string parsed as a list")
            return _right_type(name, parsed, annotation, notes, counts)
        if value and ("list[str]" in annotation or "list[typing.Literal" in annotation):
            notes.append(f"{name}: string converted to a list of one")
            return [value]
    if isinstance(value, str) and "dict[" in annotation and value.lstrip().startswith("{"):
        parsed = _parsed(value, counts)
        if isinstance(parsed, dict):
            notes.append(f"{name}: JSON string parsed as an object")
            return parsed
    elif isinstance(value, int | float) and not isinstance(value, bool) and annotation in _STRINGS:
        notes.append(f"{name}: number converted to a string")
        return str(value)
    return value


def _is_blank(member: Any) -> bool:
    return member is None or (isinstance(member, str) and not member.strip())


def _parsed(text: str, counts: Counter[str]) -> Any:
    """Parse JSON in a string; None for what is none. Raises Excess where all of a call cost more than a body may."""
    try:
        count_structure(text.encode(), counts)
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=str | bytes)
ToolHandler = Callable[[Any, A], dict[str, Any]]
"""Takes the caller (`tasks.services.caller.Caller`) and the parsed arguments; returns the payload of the result."""
Completer = Callable[[Any, str, str, dict[str, str]], list[str]]
"""Takes the caller, the name of a variable, its prefix and the variables chosen so far; returns matching values."""


@dataclass(slots=True, eq=False)
class Tool(Generic[A]):
    """A tool as clients see it; a read-only one changes no task and no artifact. Decorates its handler."""

    name: str
    _: KW_ONLY
    title: str
    description: str
    arguments: type[A]
    toolset: str = "core"
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    scope: str = ""
    """The scope that the caller needs (`orchestrator_site.kernel.identity.Scope`), by default `read` or `write`."""
    result_chars: int = 0
    """How many characters of an answer a client should show, where that is more than usual."""
    in_runs: bool = False
    """Whether an agent in a run may call it for its own task; those that only read it may anyway."""
    is_long: bool = False
    """Whether a call may take so long that short ones should not wait for it."""
    handler: ToolHandler[A] = field(init=False)

    def __call__(self, handler: ToolHandler[A]) -> ToolHandler[A]:
        self.scope = self.scope or ("read" if self.read_only else "write")
        self.handler = handler
        _add(_tools, self.name, self)
        return handler


@dataclass(slots=True, eq=False)
class Resource:
    """Content to read by URI, which may hold `{variables}`. Decorates `handler(caller, **variables)`."""

    uri: str
    _: KW_ONLY
    name: str
    title: str
    description: str
    mime_type: str
    complete: Completer | None = None
    """Offers values for the variables."""
    project_of: Callable[..., Any] | None = None
    """`project_of(caller, **variables)` returns the project that a template's resource belongs to."""
    handler: Callable[..., str | bytes] = field(init=False)

    def __call__(self, handler: Callable[..., B]) -> Callable[..., B]:
        self.handler = handler
        _add(_resources, self.uri, self)
        return handler


@dataclass(slots=True, eq=False)
class Prompt:
    """The first message of a conversation. Decorates `handler(caller, **arguments)`; all arguments are strings."""

    name: str
    _: KW_ONLY
    title: str
    description: str
    arguments: Sequence[tuple[str, str, bool]] = ()
    """Each argument: its name, its description, whether it is required."""
    handler: Callable[..., str] = field(init=False)

    def __call__(self, handler: Callable[..., str]) -> Callable[..., str]:
        self.handler = handler
        _add(_prompts, self.name, self)
        return handler


# As decorators.
tool, resource, prompt = Tool, Resource, Prompt

_tools: dict[str, Tool[Any]] = {}
_resources: dict[str, Resource] = {}
_prompts: dict[str, Prompt] = {}


def _add(registered: dict[str, Any], key: str, entry: Any) -> None:
    if key in registered:
        raise ValueError(f"{key} is registered twice.")
    registered[key] = entry


def tools(toolsets: Iterable[str] = ("core",)) -> list[Tool[Any]]:
    """Return the tools of some toolsets, or every tool if one of them is `all`, in order of registration."""
    chosen = set(toolsets)
    return [entry for entry in _tools.values() if "all" in chosen or entry.toolset in chosen]


def resources() -> list[Resource]:
    return list(_resources.values())


def prompts() -> list[Prompt]:
    return list(_prompts.values())
