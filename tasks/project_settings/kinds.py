"""What a setting may be: each kind checks a value, and describes itself as JSON Schema and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from zoneinfo import available_timezones

from tasks.gates import definition

COMMANDS_LIMIT = 50
ARGUMENTS_LIMIT = 50
ARGUMENT_LENGTH = 1_000
COMMAND_SECONDS_LIMIT = 6 * 60 * 60
NAMES_LIMIT = 200
_COMMAND = ("argv", "timeout_seconds", "report")
_NAME_SCHEMA = {"type": "string", "pattern": f"^{definition.NAME.pattern}$"}
Problem = dict[str, Any]


class Kind:
    control: ClassVar[str]
    """What edits it in a form."""
    is_by_name: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """What a value has to be, after "must be"."""
        raise NotImplementedError

    @property
    def json_schema(self) -> dict[str, Any]:
        raise NotImplementedError

    def allows(self, value: Any) -> bool:
        raise NotImplementedError

    def problems(self, value: Any, at: str) -> list[Problem]:
        return [] if self.allows(value) else [{"at": at, "problem": f"must be {self.words}"}]


@dataclass(frozen=True)
class Flag(Kind):
    control = "flag"

    @property
    def words(self) -> str:
        return "true or false"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Number(Kind):
    """A number from `least` to `most`; `is_above` leaves `least` itself out."""

    control = "number"
    least: float
    most: float
    is_integer: bool = False
    is_above: bool = False

    @property
    def words(self) -> str:
        noun, range_ = "an integer" if self.is_integer else "a number", f"{self.least:,g} to {self.most:,g}"
        return f"{noun} above {range_.replace('to', 'and up to')}" if self.is_above else f"{noun} from {range_}"

    @property
    def json_schema(self) -> dict[str, Any]:
        least = "exclusiveMinimum" if self.is_above else "minimum"
        return {"type": "integer" if self.is_integer else "number", least: self.least, "maximum": self.most}

    def allows(self, value: Any) -> bool:
        is_number = isinstance(value, int if self.is_integer else int | float) and not isinstance(value, bool)
        return is_number and self.least <= value <= self.most and not (self.is_above and value == self.least)


@dataclass(frozen=True)
class Choice(Kind):
    control = "choice"
    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        return " or ".join(filter(None, [", ".join(self.choices[:-1]), self.choices[-1]]))

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.choices


@dataclass(frozen=True)
class Zone(Kind):
    control = "string"

    @property
    def words(self) -> str:
        return "a time zone, such as Europe/Berlin"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in available_timezones()


@dataclass(frozen=True)
class Numbers(Kind):
    """Numbers by name; without `names`, by that of a specialist."""

    control = "numbers"
    is_by_name = True
    each: Number
    names: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return f"{self.each.words}, by {', '.join(self.names) or 'name'}"

    @property
    def json_schema(self) -> dict[str, Any]:
        if self.names:
            return closed(dict.fromkeys(self.names, self.each.json_schema))
        named = {"propertyNames": _NAME_SCHEMA, "additionalProperties": self.each.json_schema}
        return {"type": "object", "maxProperties": NAMES_LIMIT, **named}

    def problems(self, value: Any, at: str) -> list[Problem]:
        if not isinstance(value, dict) or len(value) > NAMES_LIMIT:
            return [{"at": at, "problem": f"must be an object of up to {NAMES_LIMIT} numbers by name"}]
        strange = unknown(set(value) - set(self.names), self.names, at) if self.names else misnamed(value, at)
        places = {each["at"] for each in strange}
        known = {place: each for name, each in value.items() if (place := f"{at}.{name[:64]}") not in places}
        return strange + [problem for place, each in known.items() for problem in self.each.problems(each, place)]


@dataclass(frozen=True)
class Gates(Kind):
    control = "yaml"

    @property
    def words(self) -> str:
        return f"a list of up to {definition.GATES_LIMIT} gates"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "maxItems": definition.GATES_LIMIT, "items": definition.JSON_SCHEMA}

    def problems(self, value: Any, at: str) -> list[Problem]:
        return definition.normalised(value, at=at)[1]


@dataclass(frozen=True)
class Commands(Kind):
    control = "yaml"
    seconds: ClassVar[Number] = Number(1, COMMAND_SECONDS_LIMIT)

    @property
    def words(self) -> str:
        return f"an object of up to {COMMANDS_LIMIT} commands by name"

    @property
    def json_schema(self) -> dict[str, Any]:
        argv = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": ARGUMENTS_LIMIT}
        fields = {"argv": argv, "timeout_seconds": self.seconds.json_schema, "report": {"type": "string"}}
        return {
            "type": "object",
            "maxProperties": COMMANDS_LIMIT,
            "propertyNames": _NAME_SCHEMA,
            "additionalProperties": {**closed(fields), "required": ["argv"]},
        }

    def problems(self, value: Any, at: str) -> list[Problem]:
        if not isinstance(value, dict) or len(value) > COMMANDS_LIMIT:
            return [{"at": at, "problem": f"must be {self.words}"}]
        wrong = [problem for name, each in value.items() for problem in self._command(each, f"{at}.{name[:64]}")]
        return misnamed(value, at) or wrong

    def _command(self, value: Any, at: str) -> list[Problem]:
        if not isinstance(value, dict):
            return [{"at": at, "problem": "must be an object with argv"}]
        found = unknown(set(value) - set(_COMMAND), _COMMAND, at)
        argv = value.get("argv")
        if not isinstance(argv, list) or not 0 < len(argv) <= ARGUMENTS_LIMIT or not all(map(_is_argument, argv)):
            why = f"must be a list of up to {ARGUMENTS_LIMIT} printable strings, such as ['make', 'test']"
            found.append({"at": f"{at}.argv", "problem": why})
        if "report" in value and not _is_argument(value["report"]):
            found.append({"at": f"{at}.report", "problem": "must be the path of a JUnit XML file of the command"})
        return found + self.seconds.problems(value.get("timeout_seconds", 1), f"{at}.timeout_seconds")


def _is_argument(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= ARGUMENT_LENGTH and value.isprintable()


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of an object without further properties."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def misnamed(names: Iterable[str], at: str) -> list[Problem]:
    """Return a problem for each name that a specialist or a command cannot have."""
    why = "has a name that is not of up to 64 lower-case letters, digits, - and _"
    return [{"at": f"{at}.{each[:64]}", "problem": why} for each in names if not definition.NAME.fullmatch(each)]


def unknown(names: Iterable[str], allowed: Iterable[str], at: str) -> list[Problem]:
    """Return a problem for each name that is none of a setting."""
    known = list(allowed)
    place = f"{at}." if at else ""
    return [{"at": f"{place}{each[:64]}", "problem": "unknown setting", "allowed": known} for each in sorted(names)]
