"""Filters that reject what they do not understand; to ignore it would return the wrong rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from orchestrator_site.rest.problems import allowed


class _SeveralChoices(forms.SelectMultiple):
    """Takes a repeated parameter, and one with commas."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [word for text in data.getlist(name) for word in text.split(",") if word]


class _ChoicesField(forms.MultipleChoiceField):
    widget = _SeveralChoices

    def __init__(self, *, words: list[str], **options: Any) -> None:
        super().__init__(choices=[(word, word) for word in words], **options)
        self.words = words

    def validate(self, value: Any) -> None:
        for word in value:
            if not self.valid_value(word):
                detail = allowed(f"unknown value {word[:80]!r}", self.words)
                # Django formats this message with %.
                raise forms.ValidationError(detail.replace("%", "%%"), code=detail.code)


class _TimeField(IsoDateTimeField):  # type: ignore[misc]
    def to_python(self, value: Any) -> datetime | None:
        try:
            found: datetime | None = super().to_python(value)
            return found.astimezone(UTC) if found else None
        except OverflowError as error:
            raise forms.ValidationError("The year must be between 1 and 9999 in UTC.", code="invalid") from error


SEARCH_LIMIT = 200
"""Characters of a search term; SQLite limits the length of patterns."""


class Filters(filters.FilterSet):  # type: ignore[misc]  # the package has no types
    """The filters of a list."""


class ChoicesFilter(filters.MultipleChoiceFilter):  # type: ignore[misc]
    """One or several words: `?status=pending,active` or `?status=pending&status=active`."""

    field_class = _ChoicesField

    def __init__(self, words: Iterable[tuple[Any, str]], **options: Any) -> None:
        # Pairs of a stored value and the word for it.
        self._stored = {word: value for value, word in words}
        super().__init__(words=list(self._stored), **options)

    def filter(self, queryset: QuerySet[Any], words: list[str]) -> QuerySet[Any]:
        if not words:
            return queryset
        return queryset.filter(**{f"{self.field_name}__in": [self._stored[word] for word in words]})


class TimeFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    field_class = _TimeField


class BooleanFilter(filters.TypedChoiceFilter):  # type: ignore[misc]
    """`true` or `false`."""

    def __init__(self, **options: Any) -> None:
        words = [("true", "true"), ("false", "false")]
        super().__init__(choices=words, coerce=lambda word: word == "true", empty_value=None, **options)
