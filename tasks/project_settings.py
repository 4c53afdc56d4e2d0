"""The settings document of a project: what is in effect where nothing else was set."""

from __future__ import annotations

from typing import Any

from tasks.models import Project

DEFAULTS: dict[str, Any] = {
    "routing.suggest": "suggest",
    "routing.min_confidence": 0.6,
    "routing.explore": 0,
    "templates.suggest": "suggest",
    "metrics.daily": "act",
    "metrics.window_days": 30,
    "time_zone": "UTC",
}


def setting(project: Project, name: str) -> Any:
    """Return a setting by its dotted name, such as `routing.min_confidence`, or its default."""
    found: Any = project.settings
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return DEFAULTS[name]
        found = found[part]
    return found
