"""The problems of an error, by the field of a form."""

from __future__ import annotations

import re

from orchestrator_site.kernel.errors import OrchestratorError

_PLACE = re.compile(r"([^\[]*)(?:\[(\d{1,9})\])?(.*)", re.DOTALL)  # matches every string


def errors_by_field(error: OrchestratorError | None) -> dict[str, list[str]]:
    """Return what is wrong with each field; in a list of lines, the line is named, and what is below it."""
    found: dict[str, list[str]] = {}
    for problem in error.details.get("problems", []) if error else ():
        name, line, below = _PLACE.findall(problem.get("at", "").removeprefix("settings."))[0]
        where = ", ".join(filter(None, [f"line {int(line) + 1}" if line else "", below.lstrip(".")]))
        found.setdefault(name, []).append(f"{where}: {problem['problem']}" if where else problem["problem"])
    return found
