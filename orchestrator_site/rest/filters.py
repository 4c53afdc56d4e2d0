"""Filters that refuse what they do not understand, since one that is left out in silence shows the wrong rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from orchestrator_site.rest.problems import allowed


class _SeveralWords(forms.SelectMultiple):
    """Takes a parameter that is repeated, and one that holds several words with commas between them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [word for text in data.getlist(name) for word in text.split(",") if word]


class _WordsField(forms.MultipleChoiceField):
    widget = _SeveralWords

    def __init__(self, *, words: list[str], **options: Any) -> None:
        super().__init__(choices=[(word, word) for word in words], **options)
        self.words = words

    def validate(self, value: Any) -> None:
        for word in value:
            if not self.valid_value(word):
                detail = allowed(f"{word[:80]!r} is not known", self.words)
                # What takes it from here formats it with %.
                raise forms.ValidationError(detail.replace("%", "%%"), code=detail.code)


class _MomentField(IsoDateTimeField):  # type: ignore[misc]
    def to_python(self, value: Any) -> datetime | None:
        try:
            found: datetime | None = super().to_python(value)
            return found.astimezone(UTC) if found else None
        except OverflowError as error:
            raise forms.ValidationError("This moment is none of the years 1 to 9999 in UTC.", code="invalid") from error


SEARCH_LIMIT = 200
"""Characters of a text that is searched for; SQLite takes no pattern of any length."""


class Filters(filters.FilterSet):  # type: ignore[misc]  # the package has no types
    """The filters of a list."""


class WordsFilter(filters.MultipleChoiceFilter):  # type: ignore[misc]
    """One or several of some words: `?status=pending,active` or `?status=pending&status=active`."""

    field_class = _WordsField

    def __init__(self, words: Iterable[tuple[Any, str]], **options: Any) -> None:
        """Take pairs of a stored value and the word for it."""
        self._stored = {word: value for value, word in words}
        super().__init__(words=list(self._stored), **options)

    def filter(self, queryset: QuerySet[Any], words: list[str]) -> QuerySet[Any]:
        """Keep the rows with any of these."""
        if not words:
            return queryset
        return queryset.filter(**{f"{self.field_name}__in": [self._stored[word] for word in words]})


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    """A moment in ISO 8601."""

    field_class = _MomentField


class FlagFilter(filters.TypedChoiceFilter):  # type: ignore[misc]
    """`true` or `false`."""

    def __init__(self, **options: Any) -> None:
        words = [("true", "true"), ("false", "false")]
        super().__init__(choices=words, coerce=lambda word: word == "true", empty_value=None, **options)
