"""Times that callers send: a date, or a time with or without a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator_site.kernel.errors import invalid

EXAMPLES = "such as 2026-12-24 or 2026-12-24T17:00:00+01:00"
_SHAPE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_EARLIEST, _LATEST = 1970, 8999
"""Years. A task without a due date has one in the year 9000."""


def time_in(sent: str, *, zone: str, ends: bool = True) -> datetime | None:
    """Return the time that a string says; None where it says none.

    A date is the end of that day, or its begin without `ends`; what has no zone counts in `zone`.
    """
    shape = _SHAPE.fullmatch(sent.strip())
    if shape is None:
        return None
    try:
        found = datetime.fromisoformat(shape[0])
    except ValueError:
        return None
    if shape[0] == shape[1] and ends:
        found = datetime.combine(found, time(23, 59, 59))
    if not _EARLIEST < found.year < _LATEST:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def time_problems(sent: str, at: str) -> list[dict[str, Any]]:
    if not sent or time_in(sent, zone="UTC"):
        return []
    return [{"at": at, "problem": f"must be a date or a time {EXAMPLES}"}]


def begin_of(sent: str | None, *, at: str, zone: str) -> datetime | None:
    """Return the time from which on something is wanted, a date as its begin; None where nothing was sent.

    Raises Invalid, naming the argument `at`.
    """
    if not (sent or "").strip():
        return None
    if problems := time_problems(sent or "", at):
        raise invalid(problems, next="Correct it, or omit it.")
    return time_in(sent or "", zone=zone, ends=False)
