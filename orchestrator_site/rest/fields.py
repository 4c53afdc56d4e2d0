"""Fields that take what JSON says and nothing that merely looks like it, and bodies that know all their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from orchestrator_site.rest.problems import allowed

_ECHO_LIMIT = 80
_NAMES_TOLD = 20
_UNSTORABLE = (ProhibitNullCharactersValidator, ProhibitSurrogateCharactersValidator)


class Body(serializers.Serializer[Any]):
    """What a request may say: a name that is not known is refused, with the names that are."""

    def to_internal_value(self, data: Any) -> Any:
        """Check the names, then the values."""
        if isinstance(data, Mapping):
            known = {name: field for name, field in self.fields.items() if not field.read_only}
            unknown = list(islice((str(name) for name in data if name not in known), _NAMES_TOLD))
            if unknown:
                raise ValidationError({name: [allowed("is no field here", known)] for name in unknown})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A text, kept as it is. It may be empty; what must not be is for the service to say.

    The parser has looked for what cannot be stored, so a work that is kept as bytes may hold what other texts may not.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **options})
        self.validators = [each for each in self.validators if not isinstance(each, _UNSTORABLE)]

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is no text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """True or false, and no text that stands for it."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse what is not exactly one of them."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse texts, fractions and truth values."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Word(serializers.ChoiceField):
    """One of some words."""

    def __init__(self, words: Iterable[str], **options: Any) -> None:
        super().__init__(choices=[(str(word), str(word)) for word in words], **options)

    def to_internal_value(self, data: Any) -> str:
        """Refuse others, with those that there are."""
        if not isinstance(data, str) or data not in self.choices:
            raise ValidationError([allowed(f"{str(data)[:_ECHO_LIMIT]!r} is not known", self.choices)])
        return data


class Several(serializers.ListField):
    """A list, whose length is looked at before what it holds."""

    def to_internal_value(self, data: Any) -> list[Any]:
        """Refuse what is too long with one sentence, and not with one for each of a million mistakes."""
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return list(super().to_internal_value(data))


class Texts(Several):
    """A list of texts."""

    child = Text()
