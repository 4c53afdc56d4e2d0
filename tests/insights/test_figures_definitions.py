"""What each definition counts, on the log of one task without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

import pytest

from tasks.insights.choices import COUNTS, RATES, Dimension, Name
from tasks.insights.facts.definitions import Leaf, Try, facts_of
from tasks.insights.facts.figures import ENOUGH, KEYS, Figure, Sums
from tasks.insights.facts.log import Log, Row, read
from tasks.insights.facts.window import Window
from tests.site.processes import ROOT

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WINDOW = Window.ending(NOW, days=30, zone="UTC")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_AFTER = {
    "plan": "pending", "claim": "active", "complete": "completed", "approve": "completed", "release": "pending",
    "request_revision": "needs_revision", "deliver": "in_review", "fail": "failed",
}  # fmt: skip


def logged(*steps: tuple[str, timedelta], lost: int | None = None) -> Log:
    """Read steps: verbs with the time before now. `deliver` is a completion that waits for its verdict."""
    return read(
        Row("complete" if verb == "deliver" else verb, _AFTER.get(verb), None, place == lost, NOW - ago)
        for place, (verb, ago) in enumerate(steps)
    )


def tried(lease: int = 1, *, outcome: str = "complete", hours: float = 1, ago: timedelta = HOUR, **more: Any) -> Try:
    ended = NOW - ago
    who = {"client": "claude-code", "model": "opus", **more}
    return Try(lease, outcome=outcome, started_at=ended - hours * HOUR, ended_at=ended, **who)


def values(leaf: Leaf, name: Name, window: Window = WINDOW) -> list[float]:
    return [fact.value for fact in facts_of(leaf, window) if fact.name == name]


DONE = logged(("plan", 4 * DAY), ("claim", 2 * DAY), ("complete", DAY))


def test_lead_time_ends_with_the_last_completion() -> None:
    again = (("request_revision", 20 * HOUR), ("claim", 3 * HOUR), ("complete", HOUR))
    steps = (("plan", 4 * DAY), ("claim", 2 * DAY), ("complete", DAY), *again)
    assert values(Leaf(logged(*steps)), Name.LEAD) == [(4 * DAY - HOUR).total_seconds()]
    assert values(Leaf(logged(*steps[:-1])), Name.LEAD) == []


def test_a_task_waits_from_when_the_last_of_what_it_needed_was_completed() -> None:
    assert values(Leaf(DONE), Name.WAIT) == [(2 * DAY).total_seconds()]
    assert values(Leaf(DONE, asked_at=NOW - 3 * DAY), Name.WAIT) == [DAY.total_seconds()]
    assert values(Leaf(DONE, asked_at=NOW - 9 * DAY), Name.WAIT) == [(2 * DAY).total_seconds()]


def test_what_ended_before_the_window_does_not_count() -> None:
    old = logged(("plan", 40 * DAY), ("claim", 39 * DAY), ("deliver", 38 * DAY), ("approve", 37 * DAY))
    assert list(facts_of(Leaf(old, tries=[tried(ago=38 * DAY)]), WINDOW)) == []


def test_work_is_the_sum_of_all_claims_of_a_completed_task() -> None:
    tries = [tried(1, outcome="release", hours=2), tried(2, hours=0.5)]
    assert values(Leaf(DONE, tries=tries), Name.WORK) == [9000]
    assert values(Leaf(logged(("plan", DAY), ("claim", HOUR)), tries=tries), Name.WORK) == []


def test_a_clock_that_was_set_back_makes_no_time_negative() -> None:
    later = logged(("plan", -2 * HOUR), ("claim", HOUR), ("deliver", 2 * HOUR), ("approve", 3 * HOUR))
    leaf = Leaf(later, tries=[tried(hours=-5)])
    timed = [fact.value for fact in facts_of(leaf, WINDOW) if fact.name not in (*RATES, *COUNTS)]
    assert timed and set(timed) == {0.0}
    assert [WINDOW.day_of(fact.at) for fact in facts_of(leaf, WINDOW) if fact.name == Name.PLANNED] == [WINDOW.day]


def test_a_review_that_is_open_counts_until_now_unless_it_is_archived() -> None:
    waiting = logged(("plan", 90 * DAY), ("claim", 80 * DAY), ("deliver", 70 * DAY))
    assert values(Leaf(waiting), Name.REVIEW_WAIT) == [(70 * DAY).total_seconds()]
    assert values(Leaf(waiting, is_on_board=False), Name.REVIEW_WAIT) == []


def test_a_verdict_is_a_first_pass_without_an_earlier_revision() -> None:
    steps = [("plan", 9 * DAY), ("claim", 8 * DAY), ("deliver", 7 * DAY), ("approve", 6 * DAY)]
    assert values(Leaf(logged(*steps)), Name.FIRST_PASS) == [True]
    assert values(Leaf(logged(*steps, ("approve", 5 * DAY))), Name.FIRST_PASS) == [True]
    again = [("claim", 5 * DAY), ("deliver", 4 * DAY), ("approve", 3 * DAY)]
    assert values(Leaf(logged(*steps[:3], ("request_revision", 6 * DAY), *again)), Name.FIRST_PASS) == [False, False]


@pytest.mark.parametrize(("after", "is_reopened"), [(14 * DAY, True), (14 * DAY + HOUR, False)])
def test_a_task_is_reopened_that_is_sent_back_within_fourteen_days(after: timedelta, is_reopened: bool) -> None:
    steps = (("plan", 29 * DAY), ("claim", 28 * DAY), ("complete", 27 * DAY))
    back = logged(*steps, ("request_revision", 27 * DAY - after))
    leaf = Leaf(back, tries=[tried(outcome="request_revision", ago=27 * DAY)])
    assert values(leaf, Name.REOPENED) == [is_reopened]
    assert values(leaf, Name.SUCCESS) == [0.5 if is_reopened else 1]


def test_an_attempt_that_time_or_another_ended_is_a_lost_lease() -> None:
    steps = (("plan", 3 * DAY), ("claim", 2 * DAY), ("release", DAY), ("claim", 3 * HOUR), ("complete", HOUR))
    leaf = Leaf(logged(*steps, lost=2), tries=[tried(1, outcome="release"), tried(2)])
    assert values(leaf, Name.LEASE_LOSS) == [True, False]


def test_success_is_judged_for_each_client_by_itself() -> None:
    steps = (("plan", 3 * DAY), ("claim", 2 * DAY), ("release", DAY), ("claim", 3 * HOUR), ("complete", HOUR))
    tries = [tried(1, outcome="release", client="codex"), tried(2)]
    found = {f.by.client: f.value for f in facts_of(Leaf(logged(*steps, lost=2), tries=tries), WINDOW)
             if f.name == Name.SUCCESS and f.by}  # fmt: skip
    assert found == {"codex": 0, "claude-code": 1}


def test_sent_back_once_is_half_a_success_and_twice_is_none() -> None:
    rounds = [("claim", 5 * DAY), ("deliver", 4 * DAY), ("request_revision", 3 * DAY)]
    last = [("claim", 2 * DAY), ("deliver", DAY), ("approve", HOUR)]
    sent_back = tried(1, outcome="request_revision")
    assert values(Leaf(logged(*rounds, *last), tries=[sent_back, tried(2)]), Name.SUCCESS) == [0.5]
    twice = [sent_back, tried(2, outcome="request_revision"), tried(3)]
    assert values(Leaf(logged(*rounds, *rounds, *last), tries=twice), Name.SUCCESS) == [0]


@pytest.mark.parametrize("outcome", ["release", "block", "hand_back", "split"])
def test_what_a_client_gave_up_by_itself_is_neither_success_nor_failure(outcome: str) -> None:
    leaf = Leaf(logged(("plan", DAY), ("claim", 3 * HOUR), ("release", HOUR)), tries=[tried(outcome=outcome)])
    assert values(leaf, Name.SUCCESS) == []


def test_a_delivery_that_waits_for_its_verdict_is_no_success_yet() -> None:
    leaf = Leaf(logged(("plan", DAY), ("claim", 3 * HOUR), ("deliver", HOUR)), tries=[tried()])
    assert values(leaf, Name.SUCCESS) == []


def test_an_estimate_is_off_by_the_logarithm_of_the_ratio() -> None:
    leaf = Leaf(DONE, minutes=30, tries=[tried(hours=1)])
    assert values(leaf, Name.ESTIMATE_ERROR) == [pytest.approx(log(2))]
    assert values(leaf, Name.ESTIMATE_COVERAGE) == [True]
    unknown = Leaf(DONE, tries=[tried()])
    assert (values(unknown, Name.ESTIMATE_ERROR), values(unknown, Name.ESTIMATE_COVERAGE)) == ([], [False])


def test_tokens_and_cost_count_where_they_were_reported() -> None:
    tries = [tried(1, tokens=100, cost=0.5, bytes=9.0), tried(2, tokens=20)]
    leaf = Leaf(DONE, tries=tries)
    found = [values(leaf, name) for name in (Name.TOKENS, Name.COST, Name.BYTES)]
    assert found == [[120], [0.5], [9.0]]
    assert values(Leaf(DONE, tries=[tried()]), Name.TOKENS) == []


def test_a_gate_is_missed_at_first_before_the_first_completion() -> None:
    steps = (("plan", 3 * DAY), ("claim", 2 * DAY), ("miss_gate", DAY), ("waive", DAY), ("complete", HOUR))
    assert values(Leaf(logged(*steps), has_gates=True), Name.GATES_MISSED) == [True]
    assert values(Leaf(logged(*steps), has_gates=True), Name.GATES_WAIVED) == [True]
    assert values(Leaf(DONE, has_gates=True), Name.GATES_MISSED) == [False]
    assert values(Leaf(logged(*steps)), Name.GATES_MISSED) == []


def test_a_figure_has_its_median_and_its_ninetieth_percentile() -> None:
    sums = Sums(WINDOW)
    for hours in range(1, 11):
        sums.add(Leaf(DONE, specialist="tester", complexity="simple", tries=[tried(hours=hours)]))
    found = {(each.name, each.dimension, each.key): each for each in sums.figures()}
    cell = found[Name.WORK, Dimension.CELL, "tester/simple"]
    assert (cell.n, cell.value, cell.high) == (10, 5.5 * 3600, 9 * 3600)
    assert {key for _, dimension, key in found if dimension == Dimension.CLIENT} == {"claude-code"}


def test_a_dimension_has_a_bounded_number_of_keys_the_most_frequent_ones() -> None:
    sums = Sums(WINDOW)
    for place in range(KEYS + 9):
        for _ in range(1 + (place >= 9)):
            sums.add(Leaf(DONE, plan=f"task_{place:03}"))
    plans = {each.key for each in sums.figures() if each.dimension == Dimension.PLAN}
    assert plans == {f"task_{place:03}" for place in range(9, KEYS + 9)}


@pytest.mark.parametrize(
    ("name", "n", "is_enough"), [("lead", ENOUGH - 1, False), ("lead", ENOUGH, True), ("done", 0, True)]
)
def test_rates_and_times_of_a_few_are_not_enough(name: str, n: int, is_enough: bool) -> None:
    assert Figure(Name(name), Dimension.PROJECT, "", n, 1).is_enough is is_enough


def test_every_figure_has_a_definition_in_the_docs_and_no_dimension_is_a_person() -> None:
    text = (ROOT / "docs" / "insights.md").read_text()
    assert all(f"| `{name}` |" in text for name in Name.values)
    assert not {"person", "session", "actor", "holder"} & {each.value for each in Dimension}
