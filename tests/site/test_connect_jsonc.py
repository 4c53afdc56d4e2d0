"""Change one member of a JSON document with comments, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.connect.jsonc import Malformed, parse
from orchestrator_site.connect.jsonc_edit import remove_member, set_member
from orchestrator_site.kernel.errors import Invalid

PATH = ("mcpServers", "task-orchestrator")
ENTRY = {"command": "/venv/bin/python", "args": ["manage.py"]}

KEYS = st.one_of(st.sampled_from(["a", "mcpServers", "task-orchestrator", "//", "/*"]), st.text(max_size=5))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), KEYS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
SERVERS = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3)
DOCUMENTS = st.builds(
    lambda rest, servers: rest if servers is None else {**rest, "mcpServers": servers},
    st.dictionaries(KEYS.filter(lambda key: key != "mcpServers"), VALUES, max_size=4),
    st.one_of(st.none(), SERVERS),
)
GAPS = st.sampled_from(
    ["", "", " ", "\n", "\n  ", "\r\n\t", " /* one */ ", ' // to the end, with " and }\n', "/* {\n */"]
)


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Return a document, and its text in one of many formats."""
    document = draw(DOCUMENTS)

    def gap() -> str:
        return draw(GAPS)

    def write(value: Any) -> str:
        if not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=draw(st.booleans()))
        pairs = (
            [f"{json.dumps(key)}{gap()}:{gap()}{write(item)}" for key, item in value.items()]
            if isinstance(value, dict)
            else [write(item) for item in value]
        )
        inner = f"{gap()},".join(gap() + pair for pair in pairs) + gap()
        trailing = f",{gap()}" if pairs and draw(st.booleans()) else ""
        return "{%s}" % (inner + trailing) if isinstance(value, dict) else f"[{inner}{trailing}]"

    if draw(st.booleans()):
        return document, json.dumps(document, indent=draw(st.sampled_from([None, 2, 4, "\t"])))
    return document, gap() + write(document) + gap()


def is_within(part: str, whole: str) -> bool:
    """Whether `whole` contains every character of `part` in the same order."""
    rest = iter(whole)
    return all(character in rest for character in part)


def comments(text: str) -> list[str]:
    without_strings = re.sub(
        r'"(?:[^"\\]|\\.)*"|(//[^\r\n]*|/\*.*?\*/)', lambda found: found[1] or "", text, flags=re.DOTALL
    )
    return re.findall(r"//[^\r\n]*|/\*.*?\*/", without_strings, flags=re.DOTALL)


@given(written())
def test_parsing_returns_what_was_written(case: tuple[dict[str, Any], str]) -> None:
    document, text = case
    assert parse(text).value == document


@given(written())
def test_a_new_member_keeps_every_other_character(case: tuple[dict[str, Any], str]) -> None:
    document, text = case
    document.get("mcpServers", {}).pop("task-orchestrator", None)
    text = remove_member(text, PATH)
    changed = set_member(text, PATH, ENTRY)
    expected = {**document, "mcpServers": {**document.get("mcpServers", {}), "task-orchestrator": ENTRY}}
    assert parse(changed).value == expected
    assert is_within(text, changed)
    assert comments(changed) == comments(text)
    assert set_member(changed, PATH, ENTRY) == changed


@given(written(), VALUES)
def test_setting_a_value_replaces_only_that_value(case: tuple[dict[str, Any], str], value: Any) -> None:
    document, text = case
    changed = set_member(set_member(text, PATH, ENTRY), PATH, value)
    expected = {**document, "mcpServers": {**document.get("mcpServers", {}), "task-orchestrator": value}}
    assert parse(changed).value == expected


@given(written())
def test_removing_a_member_keeps_the_rest_and_its_comments(case: tuple[dict[str, Any], str]) -> None:
    document, text = case
    document.get("mcpServers", {}).pop("task-orchestrator", None)
    before = remove_member(text, PATH)
    after = remove_member(set_member(before, PATH, ENTRY), PATH)
    assert parse(before).value == document
    assert parse(after).value == {"mcpServers": {}, **document}
    assert comments(after) == comments(before)


TABBED = """\
{
\t// what I use
\t"theme": "dark", // by night
\t"mcpServers": {
\t\t"other": {"command": "other"} // keep
\t\t/* nothing else yet */
\t}
}
"""


def test_a_new_member_is_formatted_like_its_neighbors() -> None:
    assert (
        set_member(TABBED, PATH, {"command": "python"})
        == """\
{
\t// what I use
\t"theme": "dark", // by night
\t"mcpServers": {
\t\t"other": {"command": "other"}, // keep
\t\t"task-orchestrator": {
\t\t\t"command": "python"
\t\t}
\t\t/* nothing else yet */
\t}
}
"""
    )


def test_removing_a_new_member_restores_the_text() -> None:
    changed = set_member(TABBED, PATH, ENTRY)
    assert remove_member(changed, PATH) == TABBED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{\n  "a": {\n    "b": 1\n  }\n}'),
        ("{}\n", '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{"x":1}', '{"x":1, "a": {"b": 1}}'),
        ('{"x":1,"a":{}}', '{"x":1,"a":{"b": 1}}'),
        ('{\r\n    "a": {}\r\n}', '{\r\n    "a": {\r\n        "b": 1\r\n    }\r\n}'),
        ('{\n  "a": {\n  }\n}', '{\n  "a": {\n    "b": 1\n  }\n}'),
        ('{\n  "a": {\n    "x": 1,\n  },\n}', '{\n  "a": {\n    "x": 1,\n    "b": 1,\n  },\n}'),
    ],
)
def test_line_ends_indentation_and_trailing_commas_are_kept(text: str, expected: str) -> None:
    assert set_member(text, ("a", "b"), 1) == expected


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3),
        ('{"a" 1}', 1, 6),
        ('{"a": tru}', 1, 7),
        ('{"a": 01}', 1, 7),
        ("{'a': 1}", 1, 2),
        ('{"a": 1} x', 1, 10),
        ('{"a": "\n"}', 1, 7),
        ("{ /* never ends", 1, 3),
        ("[" * 5000, 1, 101),
        ('{"a": [1 2]}', 1, 10),
        ('{"a": 1,, "b": 2}', 1, 9),
    ],
)
def test_malformed_json_is_rejected_with_its_position(text: str, line: int, column: int) -> None:
    with pytest.raises(Malformed) as raised:
        parse(text)
    assert (raised.value.line, raised.value.column) == (line, column)


@pytest.mark.parametrize("text", ['{"mcpServers": {}, "mcpServers": {}}', '{"mcpServers": []}', "[]", "null", '"x"'])
def test_an_ambiguous_or_unsuitable_document_is_rejected(text: str) -> None:
    with pytest.raises(Invalid):
        set_member(text, PATH, ENTRY)


def test_duplicate_keys_elsewhere_are_allowed() -> None:
    assert '"a": 1, "a": 2' in set_member('{"a": 1, "a": 2}', PATH, ENTRY)
