"""The problems of an error, by the field of a form."""

from __future__ import annotations

from orchestrator_site.kernel.errors import OrchestratorError


def errors_by_field(error: OrchestratorError | None) -> dict[str, list[str]]:
    """Return what is wrong with each field; in a list of lines, the line is named."""
    found: dict[str, list[str]] = {}
    for problem in error.details.get("problems", []) if error else ():
        name, _, line = problem.get("at", "").removeprefix("settings.").partition("[")
        where = f"line {int(line[:-1]) + 1}: " if line else ""
        found.setdefault(name, []).append(f"{where}{problem['problem']}")
    return found
