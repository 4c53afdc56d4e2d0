"""Reading JSON that a stranger wrote: whatever is missing, of another type or absurd becomes empty."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from orchestrator_site.kernel.text import storable

TEXT_LIMIT = 4_000
"""Characters of any text that an event carries."""
COUNT_LIMIT = 2**53


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
        return storable(self.raw[:TEXT_LIMIT]) if isinstance(self.raw, str) else ""

    @property
    def count(self) -> int:
        """The number, not below 0 and small enough to store."""
        return int(self.number)

    @property
    def number(self) -> float:
        raw = self.raw
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
            return 0
        return min(max(raw, 0), COUNT_LIMIT)


def parsed(line: bytes) -> Value | None:
    """Read a line; None where it is no JSON object."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return Value(raw) if isinstance(raw, dict) else None
