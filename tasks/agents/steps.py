"""The log of a run as a page shows it: a call of a tool with its result, repeated retries as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator_site.kernel.text import storable

SILENT = ("withdrawn",)
TEXT_SHOWN = 4_000


@dataclass(slots=True)
class Step:
    """One line of a log. `result` is what a tool answered, and `failed` whether that, or the whole, went wrong."""

    kind: str
    at: datetime | None
    text: str = ""
    tool: str = ""
    result: str = ""
    failed: bool = False
    by: str = ""
    number: int = 1

    @property
    def is_long(self) -> bool:
        return len(self.text) > 600 or self.text.count("\n") > 8


def steps_of(entries: Iterable[dict[str, Any]]) -> list[Step]:
    found: list[Step] = []
    calls: dict[str, Step] = {}
    for entry in entries:
        kind = str(entry.get("kind", ""))
        call = calls.get(str(entry.get("id", ""))) if kind == "tool_result" else None
        if call is not None:
            call.result, call.failed = _string(entry, "text"), bool(entry.get("failed"))
        elif kind == "retry" and found and found[-1].kind == kind:
            found[-1].number += 1
        elif kind not in SILENT:
            found.append(_step(kind, entry))
            if kind == "tool_use":
                calls[str(entry.get("id", ""))] = found[-1]
    return found


def _step(kind: str, entry: dict[str, Any]) -> Step:
    words = _WORDS[kind](entry) if kind in _WORDS else _string(entry, "text") or _string(entry, "summary")
    failed = bool(entry.get("failed")) or (kind == "ended" and not entry.get("ok"))
    return Step(kind, _time(entry), words, _string(entry, "tool"), failed=failed, by=_string(entry, "by"))


def _string(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return storable(value[:TEXT_SHOWN]) if isinstance(value, str) else ""


def _time(entry: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(entry["at"])
    except (KeyError, TypeError, ValueError):
        return None


def _started(entry: dict[str, Any]) -> str:
    facts = [_string(entry, "model"), _string(entry, "version")]
    reached = "" if entry.get("board", True) else "it did not reach the board"
    return ", ".join(filter(None, [*facts, reached])) or "Its session is open"


def _rate_limited(entry: dict[str, Any]) -> str:
    until = entry.get("resets_at")
    if not isinstance(until, int | float):
        return "The share of the account is used up"
    return f"The share of the account is used up until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M UTC}"


def _compacted(entry: dict[str, Any]) -> str:
    before, after = entry.get("before"), entry.get("after")
    return f"from {before:,} to {after:,} tokens" if isinstance(before, int) and isinstance(after, int) else ""


def _ended(entry: dict[str, Any]) -> str:
    reason = _string(entry, "reason").replace("_", " ").capitalize()
    return ". ".join(filter(None, [reason, _string(entry, "text")]))


_WORDS = {"started": _started, "rate_limited": _rate_limited, "compacted": _compacted, "ended": _ended}
