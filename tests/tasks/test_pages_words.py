"""How the pages say times, numbers and events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator_site.kernel.times import relative_time
from orchestrator_site.web.templatetags import formats
from tasks.choices import Status, Verb
from tasks.models import Event
from tasks.selectors.rows import Counts
from tasks.templatetags import board

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(seconds=59), "in less than a minute"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(minutes=-59), "59 minutes ago"),
        (timedelta(minutes=12), "in 12 minutes"),
        (timedelta(hours=-1), "1 hour ago"),
        (timedelta(hours=-47), "1 day ago"),
        (timedelta(days=-30), "30 days ago"),
        (timedelta(days=-31), "22 Oct 2026"),
    ],
)
def test_times_are_said_as_people_do(distance: timedelta, words: str) -> None:
    assert relative_time(NOW + distance, NOW) == words


def test_the_exact_time_is_in_reach() -> None:
    html = formats.ago(NOW)
    assert 'datetime="2026-11-22T12:00:00+00:00"' in html and 'title="2026-11-22 12:00:00 UTC"' in html
    assert formats.ago(None) == ""


def test_numbers_have_their_thousands_apart_and_their_noun_in_number() -> None:
    assert (formats.number(1234567), formats.number(None)) == ("1,234,567", "")
    assert (formats.count_of(1, "task"), formats.count_of(1000, "task")) == ("1 task", "1,000 tasks")


@pytest.mark.parametrize("verb", Verb.values)
def test_every_verb_makes_a_sentence(verb: str) -> None:
    first, second, *_ = board.happened(Event(verb=verb)).split()
    assert first.islower() and second in ("this", "a", "an", "the")


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (Verb.CLAIM, "claimed it"),
        (Verb.REQUEST_REVISION, "sent it back for revision"),
        (Verb.FAIL, "marked it failed"),
        (Verb.RETRY, "retried it"),
        (Verb.OPEN_SESSION, "opened a session"),
        (Verb.CREATE_PROJECT, "created the project"),
    ],
)
def test_a_verb_takes_what_it_is_done_to_where_english_wants_it(verb: Verb, words: str) -> None:
    assert verb.done_to("it") == words


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"status": "in_review"}, {"status": "needs_revision"}, ("status", "In review", "Needs revision")),
        ({"priority": 2}, {"priority": 4}, ("priority", "normal", "urgent")),
        ({"complexity": "simple"}, {"complexity": "very_complex"}, ("complexity", "simple", "very complex")),
        ({"requires_review": False}, {"requires_review": True}, ("review required", "no", "yes")),
        ({}, {"added_dependencies": ["a_1", "b_2"]}, ("added dependencies", "", "a_1, b_2")),
        ({}, {"removed_dependencies": ["a_1"]}, ("removed dependencies", "", "a_1")),
        ({}, {"sha256": "0123456789abcdef"}, ("SHA-256", "", "0123456789ab")),
        ({"effort": "2 h"}, {"effort": ""}, ("effort", "2 h", "")),
        ({"priority": 77}, {"priority": {"odd": 1}}, ("priority", "77", "{'odd': 1}")),
    ],
)
def test_changes_are_labeled(before: dict[str, Any], after: dict[str, Any], said: tuple[str, ...]) -> None:
    assert board.changes(Event(verb=Verb.EDIT, before=before, after=after)) == [said]


def test_a_verb_of_the_future_is_shown_as_it_is() -> None:
    assert board.happened(Event(verb="teleport")) == "teleport this"


def test_a_bar_covers_the_whole_width_and_leaves_cancelled_work_out() -> None:
    counts = Counts({Status.COMPLETED: 1, Status.ACTIVE: 1, Status.PENDING: 2, Status.CANCELLED: 4})
    assert board._segments(counts) == [
        ("completed", "0.00", "25.00"),
        ("active", "25.00", "25.00"),
        ("pending", "50.00", "50.00"),
    ]


def test_progress_is_whole_only_when_everything_is_done() -> None:
    assert Counts({Status.COMPLETED: 999, Status.PENDING: 1}).percent == 99
    assert Counts({}).percent == 0
