"""What the bridge offers: tools, resources and prompts, as the apps' doors register them.

This module imports nothing of ours, so every app may import it. A door registers at import; the factory reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

Arguments = TypeVar("Arguments", bound=BaseModel)
ToolHandler = Callable[[Any, Any], dict[str, Any]]
"""Takes the caller (`tasks.callers.Caller`) and the parsed arguments, returns the facts of the answer."""


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


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to read by URI. `handler(caller, **variables)` returns its text; `uri` may hold `{variables}`."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    handler: Callable[..., str]


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
    arguments: type[Arguments],
    toolset: str = "core",
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
) -> Callable[[Callable[[Any, Arguments], dict[str, Any]]], Callable[[Any, Arguments], dict[str, Any]]]:
    """Register a tool's handler.

    Raises ValueError where the name is taken: two doors cannot own one tool.
    """

    def register(handler: Callable[[Any, Arguments], dict[str, Any]]) -> Callable[[Any, Arguments], dict[str, Any]]:
        _add(
            _tools,
            name,
            Tool(name, title, description, arguments, handler, toolset, read_only, destructive, idempotent),
        )
        return handler

    return register


def resource(
    uri: str, *, name: str, title: str, description: str, mime_type: str
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register a resource, or a template of resources where the URI holds `{variables}`."""

    def register(handler: Callable[..., str]) -> Callable[..., str]:
        _add(_resources, uri, Resource(uri, name, title, description, mime_type, handler))
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
