"""A time axis with ticks, and tracks for overlapping spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOST_TICKS = 7
_SHORTEST = timedelta(minutes=1)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS = (
    *(number * _MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * _HOUR for number in (1, 2, 3, 6, 12)),
    *(number * _DAY for number in (1, 2, 7, 14, 30, 90, 180, 365)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    time: datetime
    percent: float
    label: str
    is_day: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """A span of time; its ticks are even times in the time zone of its start."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, start: datetime, end: datetime) -> Axis:
        return cls(start, max(end, start + _SHORTEST).astimezone(start.tzinfo))

    def percent(self, time: datetime) -> float:
        begin = self.start.timestamp()  # differences within a zone would leave out that its clocks are changed
        share = (time.timestamp() - begin) / (self.end.timestamp() - begin)
        return 100 * min(max(share, 0.0), 1.0)

    def ticks(self) -> list[Tick]:
        step = self._step()
        first, last = (int((time.replace(tzinfo=UTC)).timestamp()) for time in (self.start, self.end))
        clock = [datetime.fromtimestamp(at, UTC) for at in range(-(-first // step) * step, last + 1, step)]
        times = [time.replace(tzinfo=self.start.tzinfo) for time in clock]
        return [Tick(at, self.percent(at), *_label(at, step)) for at in times]

    @property
    def has_days(self) -> bool:
        return sum(tick.is_day for tick in self.ticks()) > 1

    def _step(self) -> int:
        span = self.end.timestamp() - self.start.timestamp()
        longer = next((step for step in _STEPS if span / step <= MOST_TICKS), 0)
        return longer or -(-int(span / MOST_TICKS) // _STEPS[-1]) * _STEPS[-1]


def _label(time: datetime, step: int) -> tuple[str, bool]:
    """Return a tick's label, and whether it names a day; midnight does, even between hours."""
    if step >= _STEPS[-3]:
        return f"{time:%b %Y}", True
    if step >= _DAY or (time.hour, time.minute) == (0, 0):
        return f"{time.day} {time:%b}", True
    return f"{time:%H:%M}", False


def tracks(spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """Return the first free track for each span; spans are sorted by start."""
    free_at: list[datetime] = []
    found = []
    for start, end in spans:
        track = next((number for number, free in enumerate(free_at) if free <= start), len(free_at))
        free_at[track : track + 1] = [end]
        found.append(track)
    return found


def lasting(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    days = seconds // _DAY
    return _two(days, "day" if days == 1 else "days", seconds % _DAY // _HOUR, "h")


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large:,} {unit} {small} {smaller}" if small else f"{large:,} {unit}"
