"""Times for people to read."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
_FAR = timedelta(days=30)


def short_age(time: datetime, now: datetime) -> str:
    """Format an age for a narrow column: 9m, 3h, 12d; now below a minute."""
    seconds = max(0, int((now - time).total_seconds()))
    return next((f"{seconds // size}{unit[0]}" for size, unit in _UNITS if seconds >= size), "now")


def relative_time(time: datetime, now: datetime) -> str:
    distance = abs(now - time)
    if distance > _FAR:
        return f"{time.day} {time:%b %Y}"
    for seconds, unit in _UNITS:
        number = int(distance.total_seconds()) // seconds
        if number:
            duration = f"{number} {unit}{'s' if number > 1 else ''}"
            return f"in {duration}" if time > now else f"{duration} ago"
    return "in less than a minute" if time > now else "just now"
