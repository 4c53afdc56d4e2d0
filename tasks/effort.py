"""The minutes that an estimate says in words: `2 hours`, `1h30`, `2-4 h` (the middle), `half a day`, `PT90M`."""

from __future__ import annotations

import re

DAY = 8 * 60
"""Minutes of work in a day; a week has five days."""
LONGEST = 260 * DAY
_LENGTH = 200
_NUMBER = r"\d{1,6}(?:[.,]\d{1,2})?|an?|one|half(?: an?)?"  # 1,000 is a thousand to some and one to others
_UNITS = (
    ("w|wks?|weeks?", 5 * DAY),
    ("d|days?", DAY),
    ("h|hrs?|hours?", 60),
    ("m|mins?|minutes?", 1),
)
_SUM = re.compile("(?:,? ?(?:and )?)?".join(rf"(?:({_NUMBER}) ?(?:{unit})\b\.?)?" for unit, _ in _UNITS))
_ISO = re.compile(r"p(?:\d+w)?(?:[\d.]+d)?(?:t(?:[\d.]+h)?(?:[\d.]+m)?)?")
_ABOUT = re.compile(r"(?:~|about|around|approx\.?|approximately|ca\.?) ?")
_GLUED = re.compile(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)")
_BARE_MINUTES = re.compile(r"h (\d{1,2})$")
_RANGE = re.compile(r" ?(?:[-\u2013\u2014]|\bto\b) ?")
_WORDS = {"a": 1.0, "an": 1.0, "one": 1.0}


def minutes_in(effort: str) -> float | None:
    """Return the minutes of an estimate; None where it is not clear, none at all, or more than a year."""
    words = " ".join(effort.casefold().split())
    if not words or len(words) > _LENGTH:
        return None
    if _ISO.fullmatch(words):
        words = words.removeprefix("p").replace("t", "")
    words = _ABOUT.sub("", words, count=1) if _ABOUT.match(words) else words
    found = _sum_of(words) or _middle_of(_RANGE.split(words))
    return found if found and found <= LONGEST else None


def _middle_of(ends: list[str]) -> float | None:
    """Return the middle of a range, whose first end may leave the unit to the second."""
    if len(ends) != 2 or not (high := _sum_of(ends[1])):
        return None
    unit = ends[1].lstrip("0123456789., ")
    low = _sum_of(ends[0]) or _sum_of(f"{ends[0]} {unit}")
    return (low + high) / 2 if low and low <= high else None


def _sum_of(words: str) -> float | None:
    spaced = _BARE_MINUTES.sub(r"h \1 m", _GLUED.sub(" ", words))
    found = _SUM.fullmatch(spaced.strip())
    if found is None:
        return None
    each = zip(found.groups(), _UNITS, strict=True)
    return sum(_number(text) * minutes for text, (_, minutes) in each if text) or None


def _number(text: str) -> float:
    return 0.5 if text.startswith("half") else _WORDS.get(text) or float(text.replace(",", "."))


def words_of(minutes: float) -> str:
    """Return minutes as short as they are read in a column: 45 min, 2 h, 1 h 30 min."""
    hours, rest = divmod(round(minutes), 60)
    return " ".join([f"{hours:,} h"] * bool(hours) + [f"{rest} min"] * bool(rest or not hours))
