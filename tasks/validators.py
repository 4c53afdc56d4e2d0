"""Validators of model fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError

from tasks.gates.definition import NAME, normalised

LEASE_MINUTES_LIMIT = 24 * 60
DAYS_LIMIT = 10_000
HOURS_LIMIT = 24 * 365
COMMANDS_LIMIT = 50
ARGUMENTS_LIMIT = 50
COMMAND_SECONDS_LIMIT = 6 * 60 * 60
RETENTION_REASONS = ("completed", "failed", "stale", "abandoned", "orphaned")
SWITCHES = ("archive", "purge", "handover", "status_documents")
"""What maintenance does by itself where a project switches it on."""
Check = Callable[[Any], str]
"""Returns what is wrong with a value, or nothing."""


def _yes_or_no(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number and least <= value <= most else f"must be a number from {least:g} to {most:g}"

    return check


def _numbers(least: float, most: float, *, names: tuple[str, ...] = ()) -> Check:
    number = _number(least, most)

    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return "must be an object"
        if names and (unknown := sorted(set(value) - set(names))):
            return f"has unknown names: {', '.join(unknown)}; allowed: {', '.join(names)}"
        wrong = [f"{name} {why}" for name, each in value.items() if (why := number(each))]
        return "; ".join(wrong)

    return check


def _switches(value: Any) -> str:
    if not isinstance(value, list) or set(map(str, value)) - set(SWITCHES) or len(set(map(str, value))) < len(value):
        return f"must be a list of {', '.join(SWITCHES)}, each once"
    return ""


MAINTENANCE: dict[str, Check] = {
    "automatic": _switches,
    "stale_hours": _numbers(0.25, HOURS_LIMIT),  # by specialist; `default` is for all others
    "archive_after_days": _numbers(0, DAYS_LIMIT, names=RETENTION_REASONS),
    "purge_after_days": _number(1, DAYS_LIMIT),
    "handover_chars": _number(2_000, 100_000),
}
"""The settings of maintenance."""


def _maintenance(value: Any) -> str:
    if not isinstance(value, dict):
        return "must be an object"
    if unknown := sorted(set(value) - set(MAINTENANCE)):
        return f"has unknown settings: {', '.join(unknown)}; allowed: {', '.join(MAINTENANCE)}"
    return "; ".join(f"{name} {why}" for name, each in value.items() if (why := MAINTENANCE[name](each)))


def _lease_minutes(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if is_number and 0 < value <= LEASE_MINUTES_LIMIT else f"must be a number up to {LEASE_MINUTES_LIMIT}"


def _gates(value: Any) -> str:
    if not isinstance(value, dict):
        return "must be an object"
    if unknown := sorted(set(value) - {"default", "commands"}):
        return f"has unknown settings: {', '.join(unknown)}; allowed: commands, default"
    problems = [f"{each['at']} {each['problem']}" for each in normalised(value.get("default", []), at="default")[1]]
    commands = value.get("commands", {})
    if not isinstance(commands, dict) or len(commands) > COMMANDS_LIMIT:
        return f"commands must be an object of up to {COMMANDS_LIMIT} commands"
    problems += [f"commands.{name[:64]} {why}" for name, each in commands.items() if (why := _command(name, each))]
    return "; ".join(problems)


def _command(name: str, value: Any) -> str:
    if not NAME.fullmatch(name):
        return "has a name that is not of up to 64 lower-case letters, digits, - and _"
    if not isinstance(value, dict) or set(value) - {"argv", "timeout_seconds", "report"}:
        return "must be an object with argv, and perhaps timeout_seconds and report"
    argv = value.get("argv")
    if not isinstance(argv, list) or not 0 < len(argv) <= ARGUMENTS_LIMIT or not all(map(_is_argument, argv)):
        return f"argv must be a list of up to {ARGUMENTS_LIMIT} printable strings, such as ['make', 'test']"
    if "report" in value and not _is_argument(value["report"]):
        return "report must be the path of a JUnit XML file that the command writes"
    return _number(1, COMMAND_SECONDS_LIMIT)(value.get("timeout_seconds", 1)).replace("must", "timeout_seconds must")


def _is_argument(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable()


def _time_zone(value: Any) -> str:
    is_known = isinstance(value, str) and value in available_timezones()
    return "" if is_known else "must be a time zone, such as Europe/Berlin"


SETTINGS: dict[str, Check] = {
    "lease_minutes": _lease_minutes,
    "review": _yes_or_no,
    "self_approval": _yes_or_no,
    "mirror": _yes_or_no,
    "maintenance": _maintenance,
    "gates": _gates,
    "time_zone": _time_zone,
}


def validate_project_settings(value: Any) -> None:
    """Check a project's settings, each by its entry of `SETTINGS`.

    Raises ValidationError; its code is the name of the invalid setting.
    """
    if not isinstance(value, dict):
        raise ValidationError("Must be an object, for example {}.", code="invalid")
    unknown = sorted(set(value) - set(SETTINGS))
    if unknown:
        raise ValidationError(f"Unknown setting: {', '.join(unknown)}. Allowed: {', '.join(SETTINGS)}.", code="invalid")
    for name, each in value.items():
        if why := SETTINGS[name](each):
            raise ValidationError(f"{name} {why}.", code=name)
