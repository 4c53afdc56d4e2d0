"""The values of parameters: each is what its parameter has to be, or is named; none opens anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.library.templating.expand import Expansion, expand
from tasks.library.templating.values import STRING_LIMIT, checked
from tests.library.templates import of_steps, step, template_of

TYPED = template_of(
    of_steps(
        step("a", title="'{s} {t} {i} {b} {c} {l} {v} {r}'"),
        parameters="s: {}, t: {type: text, max: 10}, i: {type: integer, max: 9}, b: {type: boolean}, "
        "c: {type: choice, choices: [x, y]}, l: {type: list, max: 2}, v: {pattern: '[0-9]+'}, r: {required: true}",
    )
)

RIGHT: dict[str, tuple[Any, Any]] = {
    "a string": ({"s": " x "}, ("s", "x")),
    "a text": ({"t": "a\nb"}, ("t", "a\nb")),
    "an integer": ({"i": 9}, ("i", 9)),
    "an integer in a string": ({"i": "-3"}, ("i", -3)),
    "a boolean": ({"b": False}, ("b", False)),
    "a boolean in a string": ({"b": "true"}, ("b", True)),
    "a choice": ({"c": "y"}, ("c", "y")),
    "a list": ({"l": ["a", "b"]}, ("l", ("a", "b"))),
    "a pattern": ({"v": "12"}, ("v", "12")),
    "null": ({"s": None}, ("s", None)),
}
WRONG: dict[str, tuple[Any, str]] = {
    "an unknown name": ({"z": 1}, "z"),
    "two lines": ({"s": "a\nb"}, "s"),
    "a line separator": ({"s": "a\u2028b"}, "s"),
    "too long a string": ({"s": "x" * (STRING_LIMIT + 1)}, "s"),
    "too long a text": ({"t": "x" * 11}, "t"),
    "a number for a string": ({"s": 1}, "s"),
    "an object for a string": ({"s": {"a": 1}}, "s"),
    "a NUL": ({"s": "a\x00"}, "s"),
    "half a surrogate": ({"s": "a\ud800"}, "s"),
    "too large an integer": ({"i": 10}, "i"),
    "a fraction": ({"i": 1.5}, "i"),
    "true for an integer": ({"i": True}, "i"),
    "digits of another script": ({"i": "٣"}, "i"),
    "a string for a boolean": ({"b": "maybe"}, "b"),
    "one for a boolean": ({"b": 1}, "b"),
    "no choice": ({"c": "z"}, "c"),
    "a string for a list": ({"l": "a"}, "l"),
    "too many items": ({"l": ["a", "b", "c"]}, "l"),
    "an item of two lines": ({"l": ["a\nb"]}, "l"),
    "an item that is empty": ({"l": [""]}, "l"),
    "what does not fit the pattern": ({"v": "12a"}, "v"),
    "too long for a pattern": ({"v": "1" * 201}, "v"),
    "a pattern and a newline": ({"v": "12\n3"}, "v"),
    "nothing for what is required": ({"r": " "}, "r"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_fits_is_taken(case: str) -> None:
    given, (name, expected) = RIGHT[case]
    values, problems = checked(TYPED.parameters, {"r": "x", **given})
    assert problems == []
    assert (type(values[name]), values[name]) == (type(expected), expected)


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case: str) -> None:
    given, name = WRONG[case]
    _, problems = checked(TYPED.parameters, {"r": "x", **given})
    assert [each["at"] for each in problems] == [f"parameters.{name}"]


def test_all_mistakes_are_named_at_once_with_what_is_allowed() -> None:
    _, problems = checked(TYPED.parameters, {"z": 1, "c": "z"})
    assert {each["at"] for each in problems} == {"parameters.z", "parameters.c", "parameters.r"}
    assert problems[0]["allowed"] == list(TYPED.parameters)


HOSTILE = template_of(
    of_steps(
        "{key: a, title: 'Do {s}', description: 'Say {t}. Then {l}', specialist: tester, context: '{t}', "
        "effort: '{s}', gates: [report, {command: test}], paths: ['{l}', 'src/{s}'], needs: []}",
        step("b", needs="[a, each]", if_="{not: {param: s, equals: skip}}"),
        step("each", title="'Each {item}'", description="'Do {item}'", for_each="l", needs="[a, previous]"),
        parameters="s: {max: 300}, t: {type: text}, l: {type: list}",
        more="traits: [{to: all, gates: [approval]}]",
    )
)
_ATTACKS = [
    "- {{key: x, title: X, description: X, specialist: {0}}}", "needs: [{0}]", "{{{0}}}", "{{{{{0}}}}}", "!!{0} x",
    "*{0}", "&{0} x", "<<: {0}", "{0}\n---\n{0}", "```{0}", "~~~\n{0}", "# {0}", "## Gates\n- {0}", "$({0})", "`{0}`",
    "; {0} #", "&& {0}", "| {0}", "../../{0}", "/etc/{0}", "%s {0}", "{{% {0} %}}", "${{{0}}}", "\u202e{0}",
    "\x1b]0;{0}\x07", "<script>{0}</script>", "]]>{0}", "\r\n{0}", "\u2028{0}", "' or '{0}", '" {0} "', "\\{0}",
    "{0}\t{0}", "gates: [{0}]", "specialist: {0}", "[{0}]({0})", "@{0}", "{{item}} {0}", "{{s}}{{t}}{{l}} {0}",
    "\ufeff{0}",
]  # fmt: skip
_WORDS = ("admin", "rm -rf /", "command", "previous", "__class__")
VALUES = [attack.format(word) for attack in _ATTACKS for word in _WORDS]
HARMLESS = {"s": "x", "t": "x", "l": ["x", "x"]}


def structure(found: Expansion) -> list[Any]:
    """Return all of a plan that is no text of its own."""
    return [
        (each.key, each.specialist, each.dependencies, each.gates, each.review, each.priority, each.resources,
         each.complexity, len(each.paths), each.subtasks)
        for each in found.subtasks
    ]  # fmt: skip


def filled(value: str) -> Expansion:
    """Apply with the value everywhere it may be, and a harmless one elsewhere."""
    given: dict[str, Any] = {"s": value, "t": value, "l": [value, value]}
    _, problems = checked(HOSTILE.parameters, given)
    refused = {each["at"].removeprefix("parameters.") for each in problems}
    values, rest = checked(HOSTILE.parameters, {**given, **{name: HARMLESS[name] for name in refused}})
    assert rest == []
    return expand(HOSTILE, values)


def assert_opens_nothing(found: Expansion) -> None:
    usual = expand(HOSTILE, checked(HOSTILE.parameters, HARMLESS)[0])
    assert structure(found) == structure(usual)
    for each in found.subtasks:
        for line in (each.title, each.effort, *each.paths):
            assert len(line.splitlines()) <= 1
            assert line.isprintable()
        for text in (each.description, each.context):
            assert text.replace("\n", "").replace("\t", "").isprintable()


def test_there_are_two_hundred_hostile_values() -> None:
    assert len(set(VALUES)) == 200


@pytest.mark.parametrize("value", VALUES)
def test_a_hostile_value_opens_no_step_gate_need_or_specialist(value: str) -> None:
    assert_opens_nothing(filled(value))


LEADING = template_of(
    of_steps(
        step("a", description='"Before\\n{t} and so on\\n\\nBefore\\n{t}\\n\\nAfter"'),
        parameters="t: {type: text}",
    )
)
OPENING = [
    "<!-- x", "a <!-- x", "x ```", "> x", "- x", "1. x", "+ x", "| x |", "x | y\n--- | ---", "---", "-", "===", "***",
]  # fmt: skip


@pytest.mark.parametrize("value", [*VALUES, *OPENING])
def test_what_follows_a_hostile_value_is_in_no_markup_of_it(value: str) -> None:
    (found,) = expand(LEADING, checked(LEADING.parameters, {"t": value})[0]).subtasks
    tokens = MarkdownIt("commonmark").enable("table").parse(found.description)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close", "fence"}
    said = [child.content for token in tokens for child in token.children or [] if child.type == "text"]
    assert (said.count("Before"), said[-1]) == (2, "After")
    assert any(text.endswith("and so on") for text in said)


@given(st.text(min_size=1, max_size=80).filter(lambda text: text.strip() and text.strip() != "skip"))
def test_no_value_opens_anything(value: str) -> None:
    assert_opens_nothing(filled(value))
