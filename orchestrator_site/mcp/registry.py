"""The registry of tools, resources and prompts: apps register them at import, and the server reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator


class Arguments(BaseModel):
    """The arguments of a tool: unknown ones are errors, and unambiguous slips are repaired.

    Repaired are a known alias, JSON in a string instead of a list, one string instead of a list of strings, and a
    number instead of a string. Each repair is appended to `info.context["repaired"]` if the caller passes such a list.
    """

    model_config = ConfigDict(extra="forbid")
    aliases: ClassVar[dict[str, str]] = {}
    """Wrong names that assistants use for arguments, each with the right one."""

    @model_validator(mode="before")
    @classmethod
    def _repair(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        notes: list[str] = (info.context or {}).get("repaired", [])
        renamed = {cls._right_name(name, given, notes): value for name, value in given.items()}
        kept = {name: value for name, value in renamed.items() if value is not None or not cls._is_omitted(name)}
        return {name: cls._right_type(name, value, notes) for name, value in kept.items()}

    @classmethod
    def _is_omitted(cls, name: str) -> bool:
        """Return whether null means the same as omitting the argument: it has a default and null is no valid value."""
        field = cls.model_fields.get(name)
        return field is not None and not field.is_required() and "None" not in str(field.annotation)

    @classmethod
    def _right_name(cls, name: str, given: dict[str, Any], notes: list[str]) -> str:
        right = cls.aliases.get(name)
        if right is None or right in given or name in cls.model_fields:
            return name
        notes.append(f"{name}: renamed to {right}")
        return right

    @classmethod
    def _right_type(cls, name: str, value: Any, notes: list[str]) -> Any:
        field = cls.model_fields.get(name)
        annotation = str(field.annotation) if field else ""
        if isinstance(value, str) and "list[" in annotation:
            return _list_from(name, value, notes, of_strings="list[str]" in annotation)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and annotation in ("<class 'str'>", "str | None"):
            notes.append(f"{name}: number converted to a string")
            return str(value)
        return value


def _list_from(name: str, value: str, notes: list[str], *, of_strings: bool) -> Any:
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, list):
        notes.append(f"{name}: JSON string parsed as a list")
        return parsed
    if of_strings and value:
        notes.append(f"{name}: string converted to a list of one")
        return [value]
    return value


A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=str | bytes)
ToolHandler = Callable[[Any, Any], dict[str, Any]]
"""Takes the caller (`tasks.services.caller.Caller`) and the parsed arguments; returns the payload of the result."""
Completer = Callable[[Any, str, str, dict[str, str]], list[str]]
"""Takes the caller, the name of a variable, its prefix and the variables chosen so far; returns matching values."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it; a read-only one changes no task and no artifact."""

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
    """The scope that the caller needs (`orchestrator_site.kernel.identity.Scope`)."""
    is_long: bool = False
    """Whether a call may take so long that short ones should not wait for it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Content to read by URI, which may hold `{variables}`. `handler(caller, **variables)` returns it."""

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
    """The first message of a conversation. `handler(caller, **arguments)` returns it; all arguments are strings."""

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
    """Register the handler of a tool. By default a read-only tool needs the scope `read` and any other `write`."""

    def register(handler: Callable[[Any, A], dict[str, Any]]) -> Callable[[Any, A], dict[str, Any]]:
        needs = scope or ("read" if read_only else "write")
        entry = Tool(
            name, title, description, arguments, handler, toolset, read_only, destructive, idempotent, needs, is_long
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
    """Register a resource, or a template of resources if the URI holds `{variables}`.

    `complete` offers values for the variables of a template; `project_of` returns the project of a resource.
    """

    def register(handler: Callable[..., B]) -> Callable[..., B]:
        _add(_resources, uri, Resource(uri, name, title, description, mime_type, handler, complete, project_of))
        return handler

    return register


def prompt(
    name: str, *, title: str, description: str, arguments: Iterable[tuple[str, str, bool]] = ()
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    def register(handler: Callable[..., str]) -> Callable[..., str]:
        _add(_prompts, name, Prompt(name, title, description, tuple(arguments), handler))
        return handler

    return register


def _add(registered: dict[str, Any], key: str, entry: Any) -> None:
    if key in registered:
        raise ValueError(f"{key} is registered twice.")
    registered[key] = entry


def tools(toolsets: Iterable[str] = ("core",)) -> list[Tool]:
    """Return the tools of some toolsets, or every tool if one of them is `all`, in order of registration."""
    chosen = set(toolsets)
    return [entry for entry in _tools.values() if "all" in chosen or entry.toolset in chosen]


def resources() -> list[Resource]:
    return list(_resources.values())


def prompts() -> list[Prompt]:
    return list(_prompts.values())
