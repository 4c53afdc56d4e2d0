"""Strict fields, which convert nothing, and request bodies that reject unknown names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar

from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from orchestrator_site.kernel.limits import STRING_LIMIT
from orchestrator_site.rest.problems import allowed

_ECHO_LIMIT = 80
_NAMES_LIMIT = 20
_UNSTORABLE = (ProhibitNullCharactersValidator, ProhibitSurrogateCharactersValidator)


class Body(serializers.Serializer[Any]):
    """A request body. An unknown field is an error that names the known ones."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {name: field for name, field in self.fields.items() if not field.read_only}
            unknown = list(islice((str(name) for name in data if name not in known), _NAMES_LIMIT))
            if unknown:
                raise ValidationError({name: [allowed("unknown field", known)] for name in unknown})
        return super().to_internal_value(data)


class String(serializers.CharField):
    """A string, kept as it is; the service says whether it may be empty.

    The parser has checked what can be stored: content that is kept as bytes may hold what other strings may not.
    """

    longest: ClassVar[int | None] = STRING_LIMIT

    def __init__(self, **options: Any) -> None:
        defaults = {"allow_blank": True, "trim_whitespace": False, "max_length": self.longest}
        super().__init__(**{**defaults, **options})
        self.validators = [each for each in self.validators if not isinstance(each, _UNSTORABLE)]

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Text(String):
    """A string whose service has a limit of its own."""

    longest = None


class Boolean(serializers.BooleanField):
    """True or false, and no string for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Integer(serializers.IntegerField):
    """An integer, and no string, float or boolean for it."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Number(serializers.FloatField):
    """A number, and no string or boolean for it."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return float(super().to_internal_value(data))


class Choice(serializers.ChoiceField):
    def __init__(self, words: Iterable[str], **options: Any) -> None:
        super().__init__(choices=[(str(word), str(word)) for word in words], **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            raise ValidationError([allowed(f"unknown value {str(data)[:_ECHO_LIMIT]!r}", self.choices)])
        return data


class BoundedList(serializers.ListField):
    """A list whose length is checked before its items, so that too long a list is one error."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return list(super().to_internal_value(data))


class StringList(BoundedList):
    child = String()
