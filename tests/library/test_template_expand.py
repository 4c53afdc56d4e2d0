"""What a template and its values become: conditions, lists, needs that are handed on, and texts."""

from __future__ import annotations

import pytest

from tasks.library.templating.expand import Unplannable
from tasks.library.templating.values import checked
from tests.library.templates import needs_of, of_steps, planned, step, template_of

RISK = (
    "risk: {type: choice, choices: [low, high], default: low}, flag: {type: boolean, default: false}, xs: {type: list}"
)
EVERY = step("z", title="'{risk} {flag} {xs}'")

CONDITIONS = {
    "{param: risk, equals: low}": True,
    "{param: risk, equals: high}": False,
    "{param: risk, in: [high, low]}": True,
    "{param: flag}": False,
    "{param: flag, equals: false}": True,
    "{param: xs}": False,
    "{param: risk}": True,
    "{not: {param: flag}}": True,
    "{all: [{param: risk}, {not: {param: xs}}]}": True,
    "{all: [{param: risk}, {param: xs}]}": False,
    "{any: [{param: flag}, {param: risk, equals: low}]}": True,
    "{any: [{param: flag}, {param: xs}]}": False,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_decides_whether_a_step_is_there(condition: str) -> None:
    found = planned(of_steps(EVERY, step("a", if_=condition), parameters=RISK))
    assert ("a" in needs_of(found)) is CONDITIONS[condition]
    assert found.left_out == (() if CONDITIONS[condition] else ("a",))


def test_a_step_that_is_left_out_hands_on_its_needs() -> None:
    steps = (
        step("a"),
        step("b", needs="[a]", if_="{param: flag}"),
        step("c", needs="[b]", if_="{param: flag}"),
        step("d", needs="[c]"),
    )
    text = of_steps(*steps, EVERY, parameters=RISK)
    assert needs_of(planned(text))["d"] == {"a"}
    assert needs_of(planned(text, flag=True))["d"] == {"c"}


def test_a_chain_of_five_hundred_that_is_left_out_hands_on_the_first() -> None:
    chain = [step(f"s{n}", needs=f"[s{n - 1}]", if_="{param: p}") for n in range(1, 498)]
    text = of_steps(step("s0"), *reversed(chain), step("end", needs="[s497]"), parameters="p: {type: boolean}")
    assert needs_of(planned(text))["end"] == {"s0"}


SLICES = of_steps(
    step("plan"),
    step("slice", title="'Slice {item}'", for_each="xs", needs="[plan, previous]", paths="['src/{item}']"),
    step("end", needs="[slice]"),
    parameters="xs: {type: list}",
)


def test_a_list_makes_a_task_of_each_item_and_what_needs_it_needs_all() -> None:
    found = planned(SLICES, xs=["one", "two"])
    assert needs_of(found) == {
        "plan": set(), "slice_1": {"plan"}, "slice_2": {"plan", "slice_1"}, "end": {"slice_1", "slice_2"}
    }  # fmt: skip
    assert [(each.title, each.paths) for each in found.subtasks[1:3]] == [
        ("Slice one", ("src/one",)), ("Slice two", ("src/two",))
    ]  # fmt: skip


def test_a_list_of_nothing_leaves_its_step_out() -> None:
    found = planned(SLICES)
    assert needs_of(found) == {"plan": set(), "end": {"plan"}}
    assert found.left_out == ("slice",)


def test_a_list_may_have_fifty_items_and_not_fifty_one() -> None:
    assert len(planned(SLICES, xs=[str(n) for n in range(50)]).subtasks) == 52
    _, problems = checked(template_of(SLICES).parameters, {"xs": [str(n) for n in range(51)]})
    assert [each["at"] for each in problems] == ["parameters.xs"]


TEXTS = of_steps(
    "{key: a, title: 'Do {p} {{p}}', description: 'Say {p} now', effort: '{p}', context: '{p}', specialist: tester, "
    "paths: ['{xs}', 'src/{p}'], gates: [{kind: report, tests: ['t[{q}]']}]}",
    parameters="p: {type: text}, xs: {type: list}",
)


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    (found,) = planned(TEXTS, p="{xs} {{p}} {item}").subtasks
    assert found.title == "Do {xs} {{p}} {item} {p}"
    assert found.description == "Say {xs} {{p}} {item} now"


def test_several_lines_are_one_in_a_title_and_fenced_in_a_description() -> None:
    (found,) = planned(TEXTS, p="one\n```\n## two").subtasks
    assert found.title == "Do one ``` ## two {p}"
    assert found.description == "Say \n\n````\none\n```\n## two\n````\n\n now"


def test_characters_that_steer_or_reverse_are_shown_by_their_code() -> None:
    (found,) = planned(TEXTS, p="a\u202eb\x1b[31m\u200bc").subtasks
    assert found.title == "Do a\\u202eb\\x1b[31m\\u200bc {p}"
    assert "\u202e" not in found.description + found.context + found.effort


def test_a_list_alone_in_paths_becomes_a_path_for_each_item() -> None:
    (found,) = planned(TEXTS, p="x", xs=["src", "docs/a.md"]).subtasks
    assert found.paths == ("src", "docs/a.md", "src/x")


def test_braces_in_a_gate_stay_as_they_are() -> None:
    (found,) = planned(TEXTS, p="x").subtasks
    assert found.gates[0]["tests"] == ["t[{q}]"]


def test_the_plan_has_the_title_and_the_description_of_the_template() -> None:
    text = "template: mine\ntitle: 'Make {p}'\ndescription: 'Why: {p}'\nparameters: {p: {}}\nsteps: [" + step("a") + "]"
    assert planned(text, p="tea").description == "Make tea\n\nWhy: tea"


TOO_MUCH = {
    "every step left out": (of_steps(step("a", for_each="xs"), parameters="xs: {type: list}"), {}),
    "too many subtasks": (
        of_steps(*(step(f"s{n}", for_each="xs") for n in range(41)), parameters="xs: {type: list}"),
        {"xs": [str(n) for n in range(50)]},
    ),
    "too many needs": (
        of_steps(
            *(step(f"s{n}", for_each="xs") for n in range(5)), step("a", needs="[s0, s1, s2, s3, s4]"),
            parameters="xs: {type: list}",
        ),
        {"xs": [str(n) for n in range(50)]},
    ),
    "too long a description": (
        of_steps(step("a"), parameters="p: {type: text}", more=f"description: '{'{p}' * 10_000}'"),
        {"p": "x" * 20_000},
    ),
    "too long an item": (
        of_steps(step("a", for_each="xs", description=f"'{'{item}' * 10_000}'"), parameters="xs: {type: list}"),
        {"xs": ["x" * 300, "y"]},
    ),
    "too many paths": (
        of_steps(step("a", paths="['{xs}', '{xs}', '{xs}']"), parameters="xs: {type: list}"),
        {"xs": [str(n) for n in range(50)]},
    ),
    "too long paths": (
        of_steps(
            *(step(f"s{n}", for_each="xs", paths=f"['{'{p}' * 100}']") for n in range(30)),
            parameters="p: {}, xs: {type: list}",
        ),
        {"p": "x" * 300, "xs": [str(n) for n in range(50)]},
    ),
    "too long texts": (
        of_steps(step("a", description=f"'{'{p}' * 10_000}'"), parameters="p: {type: text}"), {"p": "x" * 20_000}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_would_get_too_large_is_refused_before_it_does(case: str) -> None:
    text, given = TOO_MUCH[case]
    with pytest.raises(Unplannable):
        planned(text, **given)


def test_a_title_that_gets_too_long_is_cut() -> None:
    (found,) = planned(of_steps(step("a", title="'Do {p}, {p}'"), parameters="p: {}"), p="x" * 300).subtasks
    assert len(found.title) == 300
