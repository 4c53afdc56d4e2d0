"""Reading JSON that a stranger wrote: whatever is missing, of another type or absurd becomes empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestrator_site.kernel.text import shortened, storable

TEXT_LIMIT = 4_000
"""Characters of any text that an event carries."""
_COUNT_LIMIT = 2**53
_SUMMARY_LIMIT = 300
_TELLING = ("command", "file_path", "filePath", "path", "pattern", "url", "query", "task_id", "title", "description")


class Value:
    """A JSON value, whatever it is."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __getitem__(self, key: str) -> Value:
        return Value(self.raw.get(key) if isinstance(self.raw, dict) else None)

    def __iter__(self) -> Iterator[Value]:
        return map(Value, self.raw if isinstance(self.raw, list) else [])

    def __contains__(self, key: str) -> bool:
        return isinstance(self.raw, dict) and key in self.raw

    @property
    def values(self) -> Iterator[Value]:
        return map(Value, self.raw.values() if isinstance(self.raw, dict) else [])

    @property
    def text(self) -> str:
        """The string, cut and storable; empty for anything else."""
        return cut(self.raw) if isinstance(self.raw, str) else ""

    @property
    def count(self) -> int:
        """The number, not below 0 and small enough to store."""
        return int(self.number)

    @property
    def number(self) -> float:
        raw = self.raw
        if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw:
            return 0
        return min(max(raw, 0), _COUNT_LIMIT)


def cut(text: str) -> str:
    return storable(text[:TEXT_LIMIT])


def summary(value: Value) -> str:
    """Return what is most worth showing of a tool's input, on one line."""
    return shortened(telling(value) or (cut(repr(value.raw)) if value.raw else ""), _SUMMARY_LIMIT)


def telling(value: Value) -> str:
    return next((text for key in _TELLING if (text := value[key].text)), "")


def line(message: dict[str, Any]) -> bytes:
    """Write a message as agents read it."""
    return json.dumps(message).encode() + b"\n"


def parsed(raw_line: bytes) -> Value | None:
    """Read a line; None where it is no JSON object."""
    try:
        raw = json.loads(raw_line)
    except (ValueError, RecursionError):
        return None
    return Value(raw) if isinstance(raw, dict) else None
