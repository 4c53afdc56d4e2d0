"""The days that figures are about, in the time zone of their project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """The last `days` days with `day`, until `now`.

    What is later than `now` belongs to it too: the clock was set back.
    """

    day: date
    days: int
    zone: ZoneInfo
    start: datetime
    now: datetime

    @classmethod
    def ending(cls, now: datetime, *, days: int, zone: str) -> Window:
        place = ZoneInfo(zone)
        day = now.astimezone(place).date()
        first = datetime.combine(day - timedelta(days=days - 1), time(), tzinfo=place)
        return cls(day, days, place, first.astimezone(now.tzinfo), now)

    def holds(self, at: datetime | None) -> bool:
        return at is not None and at >= self.start

    def day_of(self, at: datetime) -> date:
        return min(at.astimezone(self.zone).date(), self.day)
