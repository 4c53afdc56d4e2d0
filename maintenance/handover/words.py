"""How a handover writes names, times and what people said: as data that no line of it can be taken for another."""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator_site.kernel.text import one_line, quoted, visible


def named(title: str) -> str:
    """Return a title on one line in quotes; characters that do not show are written as escapes."""
    return f'"{visible(one_line(title))}"'


def plain(name: str) -> str:
    """Return a name that its bearer chose, on one line."""
    return visible(one_line(name)) or "unknown"


def verbatim(text: str) -> str:
    """Quote every line; characters that reverse or hide text are written as escapes."""
    return quoted(visible(text, besides="\n\t\r"))


def at(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else "never"
