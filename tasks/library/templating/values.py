"""The values of a template's parameters: what was given, checked against what each has to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator_site.kernel.text import unstorable
from tasks.library.templating import patterns
from tasks.library.templating.format import ITEMS_LIMIT, Parameter, Type, Value

STRING_LIMIT = 300
TEXT_LIMIT = 20_000
INTEGER_LIMIT = 10**12
LIMITS = {Type.STRING: STRING_LIMIT, Type.TEXT: TEXT_LIMIT, Type.INTEGER: INTEGER_LIMIT, Type.LIST: ITEMS_LIMIT}
"""The most that `max` can be, and what holds without it."""
_BOOLEANS = {"true": True, "false": False}
_Problem = dict[str, Any]


class Wrong(Exception):
    """A value is not what its parameter has to be."""

    def __init__(self, why: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.allowed = allowed


def checked(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> tuple[dict[str, Value], list[_Problem]]:
    """Return a value for every parameter, and every mistake with its place and what is allowed."""
    problems: list[_Problem] = [
        {"at": f"parameters.{name!s:.64}", "problem": "is no parameter of it", "allowed": list(parameters)}
        for name in given
        if name not in parameters
    ]
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        try:
            values[name] = _value(parameter, given.get(name))
        except Wrong as wrong:
            allowed = {"allowed": list(wrong.allowed)} if wrong.allowed else {}
            problems.append({"at": f"parameters.{name}", "problem": str(wrong), **allowed})
    return values, problems


def value_of(parameter: Parameter, given: Any) -> Value:
    """Return a value that was given, as its type has it. Raises Wrong."""
    if parameter.type == Type.INTEGER:
        return _integer(parameter, given)
    if parameter.type == Type.BOOLEAN:
        return _boolean(given)
    if parameter.type == Type.LIST:
        return _list(parameter, given)
    return _string(parameter, given)


def _value(parameter: Parameter, given: Any) -> Value:
    if given is None or (isinstance(given, str) and not given.strip()) or given in ((), []):
        if parameter.required:
            raise Wrong(f"is required: {parameter.description or 'give it a value'}", parameter.choices)
        return parameter.default
    return value_of(parameter, given)


def _integer(parameter: Parameter, given: Any) -> int:
    text = given.strip() if isinstance(given, str) else ""
    if text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= len(str(INTEGER_LIMIT)):
        given = int(text)
    if not isinstance(given, int) or isinstance(given, bool):
        raise Wrong("must be an integer")
    most = INTEGER_LIMIT if parameter.max is None else parameter.max
    if not -INTEGER_LIMIT <= given <= most:
        raise Wrong(f"must be at most {most:,}")
    return given


def _boolean(given: Any) -> bool:
    found = _BOOLEANS.get(given) if isinstance(given, str) else given
    if not isinstance(found, bool):
        raise Wrong("must be true or false", tuple(_BOOLEANS))
    return found


def _list(parameter: Parameter, given: Any) -> tuple[str, ...]:
    most = parameter.max or ITEMS_LIMIT
    if not isinstance(given, list | tuple):
        raise Wrong("must be a list of strings")
    if len(given) > most:
        raise Wrong(f"has {len(given):,} items, {most} are allowed")
    return tuple(_one_line(parameter, each, STRING_LIMIT, f"item {number}: ") for number, each in enumerate(given, 1))


def _string(parameter: Parameter, given: Any) -> str:
    if parameter.type == Type.CHOICE:
        if given not in parameter.choices:
            raise Wrong(f"unknown value {str(given)[:64]!r}", parameter.choices)
        return str(given)
    if parameter.type == Type.TEXT:
        return _bounded(given, parameter.max or TEXT_LIMIT, "")
    return _one_line(parameter, given, parameter.max or STRING_LIMIT, "")


def _one_line(parameter: Parameter, given: Any, most: int, place: str) -> str:
    text = _bounded(given, min(most, patterns.VALUE_LIMIT) if parameter.pattern else most, place).strip()
    if not text or len(text.splitlines()) > 1:
        raise Wrong(f"{place}must be one line that is not empty")
    if parameter.pattern and not patterns.fits(parameter.pattern, text):
        raise Wrong(f"{place}does not fit the pattern {parameter.pattern}")
    return text


def _bounded(given: Any, most: int, place: str) -> str:
    if not isinstance(given, str):
        raise Wrong(f"{place}must be a string")
    if why := unstorable(given):
        raise Wrong(f"{place}{why}")
    if len(given) > most:
        raise Wrong(f"{place}has {len(given):,} characters, {most:,} are allowed")
    return given
