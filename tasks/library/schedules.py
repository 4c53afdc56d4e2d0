"""When a recurring plan is due: by a cron line in the time zone of its project, or every so many minutes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

LEAST_MINUTES = 15
MOST_MINUTES = 366 * 24 * 60
CRON_LENGTH = 100
_ALLOWED = re.compile(r"[0-9A-Za-z*/,#\- ]+")
_LEAST = timedelta(minutes=LEAST_MINUTES)
_SAMPLE = 100  # times in which two that are too close would show
_UNITS = ((24 * 60, "day"), (60, "hour"), (1, "minute"))
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either a cron line or an interval.

    A time that the clock of the zone skips comes right after the gap, and one that it shows twice comes once, unless
    the line says every hour or every minute.
    """

    cron: str
    every_minutes: int | None
    zone: str

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield every time after one, as UTC; a cron line may run out of them."""
        if self.every_minutes is not None:
            while True:
                after += timedelta(minutes=self.every_minutes)
                yield after
        for local in CronSim(self.cron, after.astimezone(ZoneInfo(self.zone))):
            time = local.astimezone(UTC)
            if time > after:
                yield time
                after = time

    def following(self, after: datetime, number: int) -> list[datetime]:
        return [time for time, _ in zip(self.times(after), range(number), strict=False)]

    def turn_after(self, due: datetime, now: datetime) -> datetime:
        """Return the turn after one that was due: those that were missed come no more, and an interval keeps step."""
        if self.every_minutes is None:
            return next(self.times(now))
        every = timedelta(minutes=self.every_minutes)
        return due + ((now - due) // every + 1) * every

    def corrected(self, due: datetime, now: datetime) -> datetime:
        """Return the next turn where a clock that was set back, or another time zone, has made the known one wrong.

        A clock that goes back by less than a turn changes nothing, so that no turn is taken twice.
        """
        first, second = self.following(now, 2)
        is_of_another_zone = not self.every_minutes and next(self.times(due - _SECOND)) != due
        return first if due > second or is_of_another_zone else due


def problems(cron: str, every_minutes: int | None) -> list[dict[str, Any]]:
    """Return what is wrong with a schedule, each with its place."""
    if bool(cron) == (every_minutes is not None):
        return [{"at": "cron", "problem": "give either a cron line or every_minutes"}]
    if every_minutes is None:
        return [{"at": "cron", "problem": why} for why in [_why_not(cron)] if why]
    if LEAST_MINUTES <= every_minutes <= MOST_MINUTES:
        return []
    return [{"at": "every_minutes", "problem": f"must be from {LEAST_MINUTES} to {MOST_MINUTES:,}"}]


def _why_not(cron: str) -> str:
    if len(cron) > CRON_LENGTH or not _ALLOWED.fullmatch(cron) or len(cron.split()) != len("mhdmw"):
        return "must be five fields: minute, hour, day of month, month, day of week, such as 0 9 * * MON-FRI"
    try:
        times = Schedule(cron, None, "UTC").following(datetime(2024, 1, 1, tzinfo=UTC), _SAMPLE)
    except CronSimError as error:
        return f"{error}: the order is minute, hour, day of month, month, day of week".lower()
    if len(times) < _SAMPLE:
        return "never comes" if not times else ""
    if any(later - time < _LEAST for time, later in pairwise(times)):
        return f"comes more often than every {LEAST_MINUTES} minutes"
    return ""


def in_words(cron: str, every_minutes: int | None) -> str:
    """Say when a schedule comes. Raises CronSimError for a cron line that `problems` refuses."""
    if every_minutes is None:
        return CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)).explain()
    size, unit = next(each for each in _UNITS if every_minutes % each[0] == 0)
    return f"Every {unit}" if size == every_minutes else f"Every {every_minutes // size:,} {unit}s"
