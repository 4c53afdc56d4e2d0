"""Stored settings are converted to the new names and back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tasks.project_settings.schema import problems_of

CONVERTED = import_module("tasks.migrations.0018_settings")
PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"review": True, "colour": {"of": 1}}, {"review": True, "colour": {"of": 1}}),
    ({"maintenance": {"automatic": ["archive", "purge"]}}, {"maintenance": {"archive": "act", "purge": "act"}}),
    ({"maintenance": {"automatic": ["handover"]}}, {"handover": {"prepare": "act"}}),
    ({"maintenance": {"handover_chars": 2_500}}, {"handover": {"max_chars": 2_500}}),
    (
        {"maintenance": {"automatic": ["status_documents"], "stale_hours": {"tester": 2}, "purge_after_days": 9}},
        {"maintenance": {"status_documents": "act", "stale_hours": {"tester": 2}, "purge_after_days": 9}},
    ),
    ({"gates": {"default": ["review"]}, "maintenance": {"archive_after_days": {"failed": 1}}},) * 2,
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_settings_are_converted_both_ways(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert CONVERTED.forward(old) == new
    assert CONVERTED.backward(new) == old
    assert problems_of(new, kept={"colour": {"of": 1}}) == []


def test_a_limit_with_a_fraction_becomes_an_integer() -> None:
    assert CONVERTED.forward({"maintenance": {"handover_chars": 2_500.5}}) == {"handover": {"max_chars": 2_500}}


def test_what_the_older_version_does_not_know_is_left_out_there() -> None:
    new = {"maintenance": {"archive": "off", "purge": "suggest"}, "handover": {"prepare": "off"}}
    assert CONVERTED.backward(new) == {}
