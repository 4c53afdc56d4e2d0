"""The settings document: its schema, what holds by default, merge patches, and YAML there and back."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator_site.kernel.errors import Invalid, TooLarge
from tasks.project_settings import setting
from tasks.project_settings.document import differences, in_a_line, merged, read_yaml
from tasks.project_settings.schema import (
    ARCHIVE_DAYS,
    BYTES_LIMIT,
    NAMED,
    SECTIONS,
    json_schema,
    problems_of,
    to_yaml,
    value_in,
)
from tests.settings_samples import BAD, GOOD, bad_cases, cases, document
from tests.site.processes import ROOT

WHOLE, PATCH = Draft202012Validator(json_schema()), Draft202012Validator(json_schema(is_patch=True))
ONLY_IN_WORDS = {"time_zone", "gates.default", "gates.commands"}
"""Settings of which the JSON Schema says less than is checked."""


def _documents() -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in GOOD.items()})
    names = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
    hours = st.dictionaries(names, st.floats(0.25, 8760), max_size=4)
    words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)
    commands = st.fixed_dictionaries({"test": st.fixed_dictionaries({"argv": st.lists(words, min_size=1, max_size=5)})})
    wild = {"maintenance.stale_hours": hours, "gates.commands": commands, "routing.min_confidence": st.floats(0, 1)}
    return st.builds(_made, chosen, st.fixed_dictionaries({}, optional=wild))


def _made(*parts: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            made = merged(made, document(name, value))
    return made


def test_every_setting_has_samples() -> None:
    assert list(GOOD) == list(BAD) == list(NAMED)


@pytest.mark.parametrize(("name", "value"), cases())
def test_a_good_value_is_taken_by_the_check_and_the_json_schema(name: str, value: Any) -> None:
    assert problems_of(document(name, value)) == []
    assert WHOLE.is_valid(document(name, value)) and PATCH.is_valid(document(name, value))


@pytest.mark.parametrize(("name", "value", "at"), bad_cases())
def test_a_bad_value_is_refused_with_its_place(name: str, value: Any, at: str) -> None:
    assert [each["at"] for each in problems_of(document(name, value))] == [at]
    assert name in ONLY_IN_WORDS or not WHOLE.is_valid(document(name, value))


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_set_has_its_default_which_is_a_good_value(name: str) -> None:
    default = NAMED[name].default
    assert setting(SimpleNamespace(settings={}), name) == default
    assert default is None or problems_of(document(name, default)) == []


@pytest.mark.parametrize(("name", "value"), cases())
def test_what_is_set_holds(name: str, value: Any) -> None:
    usual = NAMED[name].default if NAMED[name].kind.is_by_name else None
    assert setting(SimpleNamespace(settings=document(name, value)), name) == ({**usual, **value} if usual else value)


def test_numbers_by_name_that_are_left_out_are_the_defaults() -> None:
    project = SimpleNamespace(settings={"maintenance": {"archive_after_days": {"failed": 5}}})
    assert setting(project, "maintenance.archive_after_days") == {**ARCHIVE_DAYS, "failed": 5}


@pytest.mark.parametrize(
    ("wrong", "at", "allowed"),
    [
        ({"colour": 1}, "settings.colour", "routing"),
        ({"handover_chars": 8_000}, "settings.handover_chars", "handover"),
        ({"maintenance": {"automatic": []}}, "settings.maintenance.automatic", "archive"),
        ({"routing": {"guess": "act"}}, "settings.routing.guess", "suggest"),
    ],
)
def test_unknown_settings_are_refused_with_the_allowed_ones(wrong: dict[str, Any], at: str, allowed: str) -> None:
    (problem,) = problems_of(wrong)
    assert problem["at"] == at and allowed in problem["allowed"]


def test_unknown_settings_that_are_kept_already_may_stay_but_not_change() -> None:
    kept = {"colour": "red", "routing": {"guess": {"deep": 1}, "explore": 2}}
    assert problems_of({**kept, "review": True}, kept=kept) == []
    changed = {"colour": "blue", "routing": {"guess": {"deep": 2}}}
    assert [each["at"] for each in problems_of(changed, kept=kept)] == ["settings.colour", "settings.routing.guess"]


def test_a_default_gate_needs_its_command_unless_it_is_kept_already() -> None:
    gates = {"default": [{"command": "test"}, {"kind": "commit"}]}
    assert [each["at"] for each in problems_of({"gates": gates})] == ["settings.gates.default[0].command"]
    assert problems_of({"gates": {**gates, "commands": {"test": {"argv": ["make"]}}}}) == []
    assert problems_of({"gates": gates, "review": True}, kept={"gates": gates}) == []


@given(_documents())
def test_what_is_exported_is_imported_as_it_was(made: dict[str, Any]) -> None:
    text = to_yaml(made)
    assert read_yaml(text) == made
    assert yaml.safe_load(text) == made, "another reader of YAML reads the same"


@given(_documents(), _documents())
def test_differences_are_exactly_the_settings_that_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = {each.name for each in differences(before, after)}
    assert found == {name for name, each in NAMED.items() if value_in(before, each.path) != value_in(after, each.path)}


def test_a_patch_merges_objects_clears_with_null_and_replaces_all_else() -> None:
    before = {"review": True, "maintenance": {"archive": "act", "stale_hours": {"tester": 2, "debugger": 3}}}
    patch = {"review": None, "maintenance": {"stale_hours": {"tester": None}}, "gates": {"default": ["review"]}}
    assert merged(before, patch) == {
        "maintenance": {"archive": "act", "stale_hours": {"debugger": 3}}, "gates": {"default": ["review"]}
    }  # fmt: skip
    assert before["review"] is True and PATCH.is_valid(patch) and not WHOLE.is_valid(patch)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("review: true\nreview: false", 2),
        ("routing: &a {}\ngates: *a", 1),
        ("review: !!bool yes", 1),
        ("a: [", 1),
        ("- review", 1),
        ("", 1),
        ("review: true\n---\nreview: false", 3),
    ],
)
def test_yaml_that_cannot_be_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Invalid) as refused:
        read_yaml(text)
    assert refused.value.details["problems"][0]["at"] == f"line {line}"


def test_yaml_that_is_too_large_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_yaml("# " + "x" * BYTES_LIMIT)


def test_switches_in_yaml_need_no_quotes() -> None:
    assert read_yaml("maintenance: {archive: off, purge: act}") == {"maintenance": {"archive": "off", "purge": "act"}}


def test_the_json_schema_is_served_to_editors(client: Client) -> None:
    answer = client.get("/api/schema/settings.json")
    assert answer["Content-Type"] == "application/schema+json"
    Draft202012Validator.check_schema(answer.json())
    assert answer.json()["properties"] == json_schema()["properties"]


def test_the_documentation_has_a_row_for_each_setting_as_the_schema_says_it() -> None:
    text = (ROOT / "docs" / "settings.md").read_text().partition("## A project's settings")[2]
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [
        (each.name, each.kind.words, each.usual or f"`{in_a_line(each.default)}`", each.hint)
        for section in SECTIONS
        for each in section.settings
    ]
