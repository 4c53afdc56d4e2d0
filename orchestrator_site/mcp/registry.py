"""What the bridge offers: tools, resources and prompts, as the apps' doors register them.

This module imports nothing of ours, so every app may import it. A door registers at import; the factory reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator


class Arguments(BaseModel):
    """A tool's arguments: nothing unknown is accepted; slips that leave no doubt are repaired, and told.

    Repairs are noted in `info.context["repaired"]`, a list of sentences, where the caller of `model_validate` gives
    one: a known alias of an argument, a JSON text where a list or object is wanted, one text where a list of texts
    is wanted, a number where a text is.
    """

    model_config = ConfigDict(extra="forbid")
    aliases: ClassVar[dict[str, str]] = {}
    """Other names that assistants use for an argument, each with the right one."""

    @model_validator(mode="before")
    @classmethod
    def _repair(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        notes: list[str] = (info.context or {}).get("repaired", [])
        renamed = {cls._right_name(name, given, notes): value for name, value in given.items()}
        said = {name: value for name, value in renamed.items() if value is not None or not cls._is_left_out(name)}
        return {name: cls._right_type(name, value, notes) for name, value in said.items()}

    @classmethod
    def _is_left_out(cls, name: str) -> bool:
        """Whether null says no more than leaving the argument out: it has a default, and null is no value of it."""
        field = cls.model_fields.get(name)
        return field is not None and not field.is_required() and "None" not in str(field.annotation)

    @classmethod
    def _right_name(cls, name: str, given: dict[str, Any], notes: list[str]) -> str:
        right = cls.aliases.get(name)
        if right is None or right in given or name in cls.model_fields:
            return name
        notes.append(f"{name}: taken as {right}")
        return right

    @classmethod
    def _right_type(cls, name: str, value: Any, notes: list[str]) -> Any:
        field = cls.model_fields.get(name)
        wanted = str(field.annotation) if field else ""
        if isinstance(value, str) and "list[" in wanted:
            return _list_from(name, value, notes, of_texts="list[str]" in wanted)
        if isinstance(value, int | float) and not isinstance(value, bool) and wanted in ("<class 'str'>", "str | None"):
            notes.append(f"{name}: a number taken as a text")
            return str(value)
        return value


def _list_from(name: str, value: str, notes: list[str], *, of_texts: bool) -> Any:
    """Read a list that came as JSON text; one text may stand for a list of one."""
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, list):
        notes.append(f"{name}: a JSON text read as a list")
        return parsed
    if of_texts and value:
        notes.append(f"{name}: one text taken as a list of one")
        return [value]
    return value


A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=str | bytes)
ToolHandler = Callable[[Any, Any], dict[str, Any]]
"""Takes the caller (`tasks.identity.client.Caller`) and the parsed arguments, returns the facts of the answer."""


Completer = Callable[[Any, str, str, dict[str, str]], list[str]]
"""Takes the caller, the name of a variable, what was typed of it and the variables that are chosen already.

Returns values that begin so.
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it. The annotations are true ones: a read-only tool changes no task and no artifact."""

    name: str
    title: str
    description: str
    arguments: type[BaseModel]
    handler: ToolHandler
    toolset: str = "core"
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    scope: str = "write"
    """What the caller must be allowed to do (`orchestrator_site.kernel.identity.Scope`)."""
    is_long: bool = False
    """Whether a call may take so long that short ones should not wait for it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to read by URI. `handler(caller, **variables)` returns its text, or bytes that are none.

    `uri` may hold `{variables}`.
    """

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    handler: Callable[..., str | bytes]
    complete: Completer | None = None
    project_of: Callable[..., Any] | None = None
    """`project_of(caller, **variables)` returns the project that a template's resource belongs to."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text that starts a conversation. `handler(caller, **arguments)` returns it; all arguments are strings."""

    name: str
    title: str
    description: str
    arguments: tuple[tuple[str, str, bool], ...]
    """Each argument: its name, its description, whether it is required."""
    handler: Callable[..., str]


_tools: dict[str, Tool] = {}
_resources: dict[str, Resource] = {}
_prompts: dict[str, Prompt] = {}


def tool(
    name: str,
    *,
    title: str,
    description: str,
    arguments: type[A],
    toolset: str = "core",
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    scope: str = "",
    is_long: bool = False,
) -> Callable[[Callable[[Any, A], dict[str, Any]]], Callable[[Any, A], dict[str, Any]]]:
    """Register a tool's handler. Without a `scope` reading needs `read`, the rest `write`.

    Raises ValueError where the name is taken: two doors cannot own one tool.
    """

    def register(handler: Callable[[Any, A], dict[str, Any]]) -> Callable[[Any, A], dict[str, Any]]:
        needed = scope or ("read" if read_only else "write")
        entry = Tool(
            name, title, description, arguments, handler, toolset, read_only, destructive, idempotent, needed, is_long
        )
        _add(_tools, name, entry)
        return handler

    return register


def resource(
    uri: str,
    *,
    name: str,
    title: str,
    description: str,
    mime_type: str,
    complete: Completer | None = None,
    project_of: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., B]], Callable[..., B]]:
    """Register a resource, or a template of resources where the URI holds `{variables}`.

    `complete` offers values for a template's variables; `project_of` names the project of one, to whoever may read it.
    """

    def register(handler: Callable[..., B]) -> Callable[..., B]:
        _add(_resources, uri, Resource(uri, name, title, description, mime_type, handler, complete, project_of))
        return handler

    return register


def prompt(
    name: str, *, title: str, description: str, arguments: Iterable[tuple[str, str, bool]] = ()
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register a prompt."""

    def register(handler: Callable[..., str]) -> Callable[..., str]:
        _add(_prompts, name, Prompt(name, title, description, tuple(arguments), handler))
        return handler

    return register


def _add(registered: dict[str, Any], key: str, entry: Any) -> None:
    if key in registered:
        raise ValueError(f"{key} is registered twice.")
    registered[key] = entry


def tools(toolsets: Iterable[str] = ("core",)) -> list[Tool]:
    """Return the tools of some toolsets, or of all where one of them is `all`, in order of registration."""
    wanted = set(toolsets)
    return [entry for entry in _tools.values() if "all" in wanted or entry.toolset in wanted]


def resources() -> list[Resource]:
    """Return every resource and template."""
    return list(_resources.values())


def prompts() -> list[Prompt]:
    """Return every prompt."""
    return list(_prompts.values())
