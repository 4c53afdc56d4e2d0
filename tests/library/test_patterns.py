"""A template drafted from the outline of a finished plan: what it keeps, what it leaves out, what it makes general."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.text import one_line
from tasks.library.patterns.extracting import Draft, drafted
from tasks.library.patterns.outline import Outline, Step
from tasks.library.patterns.wording import differing, escaped, recurring
from tasks.library.templating import reading as templates
from tasks.library.templating.expand import expand


def step(id: str, title: str = "", needs: str = "", **more: Any) -> Step:
    return Step(id, title or f"Task {id}", "Do it", "implementer", needs=tuple(needs.split()), **more)


def outline(*steps: Step, title: str = "A job", **more: Any) -> Outline:
    return Outline("task_1", title, steps, **more)


def read(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(draft.text)
    return found


def needs_in(draft: Draft) -> dict[str, list[str]]:
    return {each["title"]: each.get("needs", []) for each in read(draft)["steps"]}


def test_a_need_on_a_group_becomes_one_on_the_last_of_its_steps() -> None:
    plan = outline(
        Step("g", "Group", is_group=True),
        step("a", parent="g"),
        step("b", needs="a", parent="g"),
        step("c", needs="g"),
    )
    assert plan.needs == {"a": [], "b": ["a"], "c": ["b"]}


def test_a_step_of_a_group_waits_for_what_its_group_waits_for() -> None:
    plan = outline(step("a"), Step("g", "Group", is_group=True, needs=("a",)), step("b", parent="g", inherited=("a",)))
    assert plan.needs == {"a": [], "b": ["a"]}


def test_a_cancelled_step_is_dropped_and_hands_its_needs_on() -> None:
    plan = outline(step("a"), step("b", needs="a", is_cancelled=True), step("c", needs="b"))
    assert plan.needs == {"a": [], "c": ["a"]}
    assert [each.id for each in plan.cancelled] == ["b"]


def test_a_need_that_a_step_names_itself_is_kept() -> None:
    plan = outline(step("a"), step("b", needs="a"), step("c", needs="a b"))
    assert plan.needs["c"] == ["a", "b"]


def test_a_long_chain_of_cancelled_steps_is_followed() -> None:
    chain = [step("0")] + [step(str(n), needs=str(n - 1), is_cancelled=n < 1500) for n in range(1, 1501)]
    assert outline(*chain).needs["1500"] == ["0"]


def test_what_was_added_and_cancelled_is_named() -> None:
    draft = drafted(outline(step("a", "Build"), step("b", "Retry", is_added=True), step("c", "Fax", is_cancelled=True)))
    assert (draft.added, draft.cancelled) == (["Retry"], ["Fax"])
    comments = [line for line in draft.text.splitlines() if line.startswith("#")]
    assert any("Retry" in line for line in comments) and any("Fax" in line for line in comments)
    assert [each["key"] for each in read(draft)["steps"]] == ["build", "retry"]


def test_gates_and_reviews_of_a_divided_step_are_named() -> None:
    gates = [{"name": "release-notes", "kind": "report", "rung": "reported"}]
    plan = outline(
        Step("g", "Ship", is_group=True, more={"gates": gates, "review": True}),
        Step("h", "Rest", is_group=True),
        step("a", parent="g"),
        step("b", parent="h"),
    )
    (comment,) = [line for line in drafted(plan).text.splitlines() if "Ship" in line]
    assert comment.startswith("#") and "release-notes" in comment and "review" in comment
    assert "Rest" not in drafted(plan).text


def test_keys_are_slugs_and_unique() -> None:
    titles = ["Build it!", "Build it", "previous", "42", "\u5de5\u4f5c", "item", "Ärger"]
    keys = [each["key"] for each in read(drafted(outline(*(step(str(n), t) for n, t in enumerate(titles)))))["steps"]]
    assert keys == ["build_it", "build_it_2", "previous_2", "step", "step_2", "item_2", "arger"]


def test_braces_of_a_title_stay_characters() -> None:
    (only,) = read(drafted(outline(step("a", "Use {name} and }{"))))["steps"]
    assert only["title"] == "Use {{name}} and }}{{"
    assert "parameters" not in read(drafted(outline(step("a", "Use {subject}"))))


def test_a_phrase_that_recurs_in_three_titles_becomes_a_parameter() -> None:
    plan = outline(
        step("a", "Design the guest checkout"),
        step("b", "Build the guest checkout"),
        step("c", "Test guest checkout, twice"),
        title="Work on payments",
    )
    draft = drafted(plan)
    assert draft.parameters == {"guest checkout": "subject"}
    assert [each["title"] for each in read(draft)["steps"]] == [
        "Design the {subject}", "Build the {subject}", "Test {subject}, twice",
    ]  # fmt: skip


def test_a_word_that_two_titles_share_stays() -> None:
    assert recurring(["Design the checkout", "Build the checkout", "Test it"]) == []
    assert recurring(["Test the tests", "Test all", "Test more"]) == []


def test_what_differs_between_like_plans_becomes_a_parameter() -> None:
    assert differing(["Design invoices now", "Ship"], [["Design refunds now", "Ship"]]) == ["invoices"]
    assert differing(["Something else entirely"], [["Design refunds now"]]) == []


def test_what_a_like_plan_says_too_is_no_parameter() -> None:
    titles = ["Plan the API", "Call the API", "Test the API"]
    other = outline(*(step(str(n), title) for n, title in enumerate(titles)))
    assert drafted(outline(*(step(str(n), title) for n, title in enumerate(titles)))).parameters == {"API": "subject"}
    assert drafted(outline(*(step(str(n), title) for n, title in enumerate(titles))), like=[other]).parameters == {}


def test_what_its_template_was_given_becomes_that_parameter_again() -> None:
    plan = outline(
        step("a", "Build the checkout"), title="Feature: checkout", values={"name": "checkout", "risk": "high"}
    )
    draft = drafted(plan)
    assert draft.parameters == {"checkout": "name"}
    assert read(draft)["title"] == "Feature: {name}"


def test_a_step_keeps_the_key_that_its_template_gave_it() -> None:
    (only,) = read(drafted(outline(step("a", "Build"), keys={"a": "make"})))["steps"]
    assert only["key"] == "make"


def test_what_is_not_as_usual_is_kept_as_it_is() -> None:
    gates = [{"name": "report", "kind": "report", "rung": "reported"}]
    more = {"priority": "high", "effort": "2 {days}", "gates": gates, "paths": ["src/a.py"]}
    (only,) = read(drafted(outline(step("a", more=more))))["steps"]
    assert (only["priority"], only["gates"], only["paths"]) == ("high", gates, ["src/a.py"])
    assert only["effort"] == escaped("2 {days}")


def test_texts_too_long_for_a_template_are_cut_and_the_draft_says_so() -> None:
    steps = [Step(str(n), f"Task {n}", "word " * 20_000, "tester") for n in range(20)]
    draft = drafted(outline(*steps))
    assert draft.is_shortened and len(draft.text.encode()) < 64 * 1024
    assert not drafted(outline(step("a"))).is_shortened


WIDE = {
    "lines": [step(str(n), more={"context": "a\n" * 9_000}) for n in range(3)],
    "braces": [step(str(n), more={"context": "{" * 60_000}) for n in range(3)],
    "characters that are written by their code": [Step("a", "A", "a\x85" * 20_000, "tester")],
    "long keys": [step(str(n)) for n in range(3)],
    "many needs": [*(step(str(n)) for n in range(250)), step("end", needs=" ".join(map(str, range(250))))],
}


@pytest.mark.parametrize("case", WIDE)
def test_a_draft_is_never_larger_than_what_is_read_as_a_template(case: str) -> None:
    keys = {str(n): "k" * 66 for n in range(3)} if case == "long keys" else {}
    reading = templates.read(drafted(outline(*WIDE[case], keys=keys)).text)
    assert reading.template, reading.problems
    assert len(reading.template.steps) == len(WIDE[case])


def test_needs_above_what_a_step_may_have_are_named_in_a_comment() -> None:
    draft = drafted(outline(*WIDE["many needs"]))
    assert [len(each.get("needs", [])) for each in read(draft)["steps"]][-1] == 200
    assert "Task end" in draft.text.split("template:")[0]


def test_there_are_no_more_parameters_than_a_template_may_have() -> None:
    values = {f"p{n}": f"tea-{n:02}" for n in range(50)}
    titles = [f"Build the guest checkout for {value}" for value in values.values()]
    draft = drafted(outline(*(step(str(n), title) for n, title in enumerate(titles)), values=values))
    assert len(draft.parameters) == 50 and templates.read(draft.text).template


def test_a_title_of_nothing_but_braces_stays_within_the_limit_of_titles() -> None:
    (only,) = read(drafted(outline(step("a", "{" * 300))))["steps"]
    assert 0 < len(only["title"]) <= 300 and set(only["title"]) <= {"{", "…"}


def test_no_line_of_a_title_leaves_the_comment_that_names_it() -> None:
    draft = drafted(outline(step("a"), step("b", "x\n- key: evil\u2028steps: []\x85a: b", is_cancelled=True)))
    assert list(read(draft)) == ["template", "version", "title", "steps"]


TEXTS = st.text(alphabet="aé €\u202e\x85\u2028\x01\ufeff\n\t\"'\\{}#:-|>&*!%@`[],?~0é", min_size=1, max_size=40).filter(
    str.strip
)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.lists(TEXTS, max_size=2))
def test_whatever_the_texts_the_draft_reads_as_a_template_of_as_many_steps(texts: list[str], paths: list[str]) -> None:
    steps = [
        Step(str(n), t, t, "tester", more={"paths": paths, "effort": t, "context": t}) for n, t in enumerate(texts)
    ]
    draft = drafted(outline(*steps, title=texts[0], description=texts[-1]))
    reading = templates.read(draft.text)
    assert reading.problems == () and reading.template is not None
    planned = expand(reading.template, {name: phrase for phrase, name in draft.parameters.items()})
    assert [each.title for each in planned.subtasks] == [one_line(text) for text in texts]
    assert [each.description for each in planned.subtasks] == [text.strip().replace("\r\n", "\n") for text in texts]
