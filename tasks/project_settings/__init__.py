"""The settings document of a project: one schema for its checks, defaults, form, JSON Schema and docs."""

from __future__ import annotations

from typing import Any, Protocol

from tasks.project_settings.schema import NAMED, value_in

OFF, SUGGEST, ACT = "off", "suggest", "act"


class HasSettings(Protocol):
    """A project; its model imports this package."""

    @property
    def settings(self) -> Any: ...


def setting(project: HasSettings, name: str) -> Any:
    """Return a setting by its dotted name, such as `routing.min_confidence`, or its default.

    Where a setting has numbers by name, those that a project leaves out are the defaults.
    """
    found = NAMED[name]
    value = value_in(project.settings, found.path)
    if value is None:
        return found.default
    return {**found.default, **value} if found.kind.is_by_name else value
