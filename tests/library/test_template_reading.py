"""A template from YAML: every mistake is named with its line and what is allowed."""

from __future__ import annotations

import pytest

from tasks.library.templating.format import STEPS_LIMIT, TEXT_LIMIT
from tasks.library.templating.reading import PROBLEMS_LIMIT, read
from tests.library.templates import STEP, of_steps, problems_of, step, template_of

HEAD = "template: mine\ntitle: Mine\n"
LIST = "xs: {type: list}"
USED = "{key: u, title: '{p}', description: x, specialist: tester}"

BROKEN = {
    "no YAML": ("a: [1\n}", 2, "not valid YAML"),
    "nothing": ("", 1, "one YAML document"),
    "two documents": (f"{HEAD}steps: [{STEP}]\n---\nx: y\n", 5, "one YAML document"),
    "a list": ("- a\n", 1, "mapping"),
    "an anchor": (f"{HEAD}steps:\n- &s {STEP}\n", 4, "anchors"),
    "an alias": (f"{HEAD}steps:\n- *s\n", 4, "anchors"),
    "a tag": (f"{HEAD}when: !!python/object/apply:os.system [ls]\nsteps: [{STEP}]\n", 3, "tags"),
    "a tag of a set": (f"{HEAD}when: !!set {{a}}\nsteps: [{STEP}]\n", 3, "tags"),
    "a merge": (f"{HEAD}<<: {{when: x}}\nsteps: [{STEP}]\n", 3, "unknown key '<<'"),
    "a key that is a list": (f"{HEAD}? [a]\n: x\n", 3, "key must be a string"),
    "a key that is there twice": (f"{HEAD}title: Other\nsteps: [{STEP}]\n", 3, "there twice"),
    "a key of a step that is there twice": (of_steps("{key: a, key: b}"), 4, "there twice"),
    "deep nesting": ("[" * 20, 1, "nested too deeply"),
    "nesting for the stack": ("[" * 50_000, 1, "nest"),
    "a NUL": (f'{HEAD}when: "x\\0y"\n', 3, "NUL"),
    "half a surrogate": (f"{HEAD}when: \ud800\n", 3, "surrogate"),
    "a character that YAML refuses": ("a: \x01", 1, "not valid YAML"),
    "an unknown key": (of_steps(STEP, more="colour: red"), 5, "unknown key 'colour'"),
    "an unknown key of a step": (of_steps(step("a", command="rm")), 4, "unknown key 'command'"),
    "no title": (f"template: mine\nsteps: [{STEP}]\n", 1, "title is missing"),
    "no steps": (f"{HEAD}steps: []\n", 1, "at least one step"),
    "a step without a description": (of_steps("{key: a, title: A, specialist: tester}"), 4, "description is missing"),
    "a name that is none": (f"template: My Own\ntitle: Mine\nsteps: [{STEP}]\n", 1, "'My Own'"),
    "a title of two lines": (f'template: mine\ntitle: "a\\nb"\nsteps: [{STEP}]\n', 2, "one line"),
    "a list for a string": (of_steps(step("a", effort="[1, 2]")), 4, "must be a string"),
    "a string for steps": (f"{HEAD}steps: all\n", 3, "must be a list"),
    "an unknown priority": (of_steps(step("a", priority="soon")), 4, "unknown value 'soon'"),
    "a review that is neither": (of_steps(step("a", review="maybe")), 4, "true or false"),
    "a key that is used twice": (of_steps(step("a"), step("a")), 5, "used twice"),
    "a key that a list makes": (of_steps(step("a", for_each="xs"), step("a_1"), parameters=LIST), 5, "'a_1'"),
    "a step called previous": (of_steps(step("previous")), 4, "'previous'"),
    "a need that is no step": (of_steps(step("a", needs="[b]")), 4, "'b', which is no step"),
    "a need of itself": (of_steps(step("a", needs="[a]")), 4, "needs itself"),
    "a circle": (of_steps(step("a", needs="[b]"), step("b", needs="[a]")), 4, "circle"),
    "previous without a list": (of_steps(step("a", needs="[previous]")), 4, "'previous'"),
    "an unknown specialist": (of_steps(step("a", specialist="wizard")), 4, "'wizard' is no specialist"),
    "a command of no project": (of_steps(step("a", gates="[{command: rm}]")), 4, "'rm' is no command"),
    "an unknown resource": (of_steps(step("a", resources="[moon]")), 4, "'moon' is no resource"),
    "an unknown gate": (of_steps(step("a", gates="[report, prayer]")), 4, "unknown gate 'prayer'"),
    "a gate with a shell": (of_steps(step("a", gates="[{command: test, argv: [rm]}]")), 4, "argv"),
    "a gate with a placeholder": (
        of_steps(USED, step("a", gates="[{kind: commit, paths: ['src/{p}']}]"), parameters="p: {}"), 5, "{p}"
    ),
    "a gate of a trait with a placeholder": (
        of_steps(STEP, more="traits: [{to: all, gates: [{kind: report, tests: ['{item}']}]}]"), 4, "{item}"
    ),
    "a gate that is there twice": (of_steps(step("a", gates="[report, report]")), 4, "twice"),
    "a placeholder in the title that is not declared": (
        f"template: mine\ntitle: 'Of {{p}}'\nsteps: [{STEP}]\n", 2, "{p} is not declared"
    ),
    "a placeholder in the description that is not declared": (
        f"{HEAD}description: 'Of {{p}}'\nsteps: [{STEP}]\n", 3, "{p} is not declared"
    ),
    "a placeholder that is not declared": (of_steps(step("a", title="'{p}'")), 4, "{p} is not declared"),
    "an item outside of a list": (of_steps(step("a", title="'{item}'")), 4, "{item}"),
    "a single brace": (of_steps(step("a", title="'a { b'")), 4, "single {"),
    "a parameter that is never used": (of_steps(STEP, parameters="p: {}"), 5, "'p' is never used"),
    "a parameter called item": (of_steps(STEP, parameters="item: {}"), 5, "not 'item'"),
    "a type that is none": (of_steps(USED, parameters="p: {type: date}"), 5, "unknown value 'date'"),
    "choices of a string": (of_steps(USED, parameters="p: {choices: [a]}"), 5, "belong together"),
    "a default that is no choice": (
        of_steps(USED, parameters="p: {type: choice, choices: [a], default: b}"), 5, "unknown value 'b'"
    ),
    "a default of what is required": (of_steps(USED, parameters="p: {required: true, default: b}"), 5, "no default"),
    "a list that is none": (of_steps(step("a", for_each="p", title="'{p}'"), parameters="p: {}"), 4, "type list"),
    "a condition on nothing": (of_steps(step("a", if_="{param: p}")), 4, "'p' is not declared"),
    "a condition that is none": (of_steps(USED, step("a", if_="{equals: x}"), parameters="p: {}"), 5, "no condition"),
    "a condition on null": (of_steps(USED, step("a", if_="{param: p, equals: ~}"), parameters="p: {}"), 5, "null"),
    "a condition on a null among others": (
        of_steps(USED, step("a", if_="{param: p, in: [x, null]}"), parameters="p: {}"), 5, "null"
    ),
    "a condition that is code": (of_steps(USED, step("a", if_="p == 1"), parameters="p: {}"), 5, "mapping"),
    "a trait for no step here": (of_steps(STEP, more="traits: [{to: {steps: [b]}, gates: [report]}]"), 5, "'b'"),
    "a trait that adds nothing": (of_steps(STEP, more="traits: [{to: all}]"), 5, "adds nothing"),
    "a trait that relaxes": (of_steps(STEP, more="traits: [{to: all, review: false}]"), 5, "takes none away"),
    "a trait with another gate of a name": (
        of_steps(step("a", gates="[report]"), more="traits: [{to: all, gates: [{kind: report, tests: [x]}]}]"),
        4, "another gate 'report'",
    ),
    "a trait whose gate is judged otherwise": (
        of_steps(step("a", gates="[{kind: report, rung: approved}]"), more="traits: [{to: all, gates: [report]}]"),
        4, "another gate 'report'",
    ),
    "too much": (f"{HEAD}when: {'x' * TEXT_LIMIT}\n", 1, "larger than 64 kB"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_its_line(case: str) -> None:
    text, line, expected = BROKEN[case]
    first = problems_of(text)[0]
    assert expected in first.problem
    assert first.line == line


@pytest.mark.parametrize("case", ["an unknown key", "an unknown priority", "an unknown gate", "an unknown specialist"])
def test_what_is_allowed_is_said(case: str) -> None:
    assert problems_of(BROKEN[case][0])[0].allowed


def test_a_circle_is_found_through_a_step_that_may_be_left_out() -> None:
    steps = step("a", needs="[b]"), step("b", needs="[c]", if_="{param: p}"), step("c", needs="[a]")
    (found,) = problems_of(of_steps(*steps, parameters="p: {type: boolean, default: false}"))
    assert "circle" in found.problem


def test_all_mistakes_are_named_at_once_up_to_a_limit() -> None:
    text = of_steps(*(step(f"s{number}", priority="soon") for number in range(30)))
    found = problems_of(text)
    assert [each.line for each in found[:PROBLEMS_LIMIT]] == list(range(4, 4 + PROBLEMS_LIMIT))
    assert len(found) == PROBLEMS_LIMIT + 1


def test_five_hundred_steps_are_taken_and_one_more_is_not() -> None:
    steps = [step(f"s{number}") for number in range(STEPS_LIMIT + 1)]
    assert len(template_of(of_steps(*steps[:-1])).steps) == STEPS_LIMIT
    assert "500" in problems_of(of_steps(*steps))[0].problem


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = [f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]" for n in range(1, 30)]
    bomb = "\n".join(["b0: &b0 [x, x]", *lines])
    assert "anchors" in problems_of(bomb)[0].problem


@pytest.mark.parametrize("value", ["1.10", "1_000", "yes", "0x1F", "2026-01-01", "1:30"])
def test_a_version_stays_as_it_was_written(value: str) -> None:
    assert template_of(of_steps(STEP, more=f"version: {value}")).version == value


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "a|b", "(?=a)", r"(a)\1", "a*a*a*a*", "[a", "a{3,1}", "[[:alpha:]]", "[a--b]", "x" * 201]
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    text = of_steps(USED, parameters=f"p: {{pattern: '{pattern}'}}")
    assert "pattern" in problems_of(text)[0].problem or "regular expression" in problems_of(text)[0].problem


@pytest.mark.parametrize("pattern", [r"\d+\.\d+\.\d+", "[A-Z]{2,10}-[0-9]+", "[^/]*", r"v\d{1,3}"])
def test_a_plain_pattern_is_taken(pattern: str) -> None:
    text = of_steps(USED, parameters=f"p: {{pattern: '{pattern}'}}")
    assert template_of(text).parameters["p"].pattern == pattern


def test_traits_add_gates_and_reviews_to_those_they_are_for() -> None:
    steps = step("a", gates="[report]"), step("b", specialist="implementer", review="false"), step("c")
    traits = (
        "traits:\n- {to: {specialist: [implementer]}, review: true}\n"
        "- {to: {steps: [a]}, gates: [{kind: report, rung: observed}, commit]}\n- {to: all, gates: [approval]}\n"
    )
    found = {each.key: each for each in template_of(of_steps(*steps, more=traits)).steps}
    gates = {key: [(gate["name"], gate["rung"]) for gate in each.gates] for key, each in found.items()}
    assert gates["a"] == [("report", "observed"), ("commit", "verified"), ("approval", "approved")]
    assert gates["b"] == gates["c"] == [("approval", "approved")]
    assert [found[key].review for key in "abc"] == [None, True, None]


def test_a_trait_lowers_no_rung() -> None:
    text = of_steps(
        step("a", gates="[{kind: report, rung: observed}]"),
        more="traits: [{to: all, gates: [{kind: report, rung: claimed}]}]",
    )
    assert [gate["rung"] for gate in template_of(text).steps[0].gates] == ["observed"]


def test_what_was_read_of_a_broken_template_is_its_name() -> None:
    assert read(of_steps(step("a", needs="[b]"))).name == "mine"
