"""Judging, without a database: nothing but sufficient, fresh evidence of this attempt meets a gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.choices import Rung
from tasks.gates.definition import Gate, gates_of, normalised
from tasks.gates.judging import Standing, judge

TREES = ("", "a", "b")


@dataclass(frozen=True)
class Shown:
    """A piece of evidence as it is stored."""

    gate: str = "test"
    rung: int = Rung.OBSERVED
    passed: bool = True
    summary: str = ""
    fingerprint: str = ""
    lease_number: int = 2
    deliveries: int = 1
    facts: dict[str, Any] = field(default_factory=dict)


SHOWN = st.builds(
    Shown,
    gate=st.sampled_from(["test", "lint"]),
    rung=st.sampled_from(list(Rung)),
    passed=st.booleans(),
    fingerprint=st.sampled_from(TREES),
    lease_number=st.integers(1, 3),
    deliveries=st.integers(0, 2),
)


def _gate(rung: str = "observed") -> Gate:
    (gate,) = gates_of(normalised([{"command": "test", "rung": rung}])[0])
    return gate


@given(
    shown=st.lists(SHOWN, max_size=8),
    tree=st.sampled_from(TREES),
    rung=st.sampled_from(["claimed", "reported", "observed"]),
)
def test_a_gate_is_met_only_by_what_counts(shown: list[Shown], tree: str, rung: str) -> None:
    gate = _gate(rung)
    (judged,) = judge([gate], shown, Standing(2, deliveries=1, tree=tree))
    if judged.met:
        piece = judged.evidence
        assert piece is not None and piece.gate == "test" and piece.passed
        assert (piece.lease_number, piece.rung >= gate.rung, piece.deliveries >= 1) == (2, True, True)
        assert not tree or piece.fingerprint in ("", tree)
    else:
        assert judged.why_not


@given(shown=st.lists(SHOWN, max_size=8))
def test_what_came_last_and_is_sufficient_decides(shown: list[Shown]) -> None:
    last = Shown(deliveries=1)
    at = Standing(2, deliveries=1)
    assert judge([_gate()], [*shown, last], at)[0].met
    assert not judge([_gate()], [*shown, last, Shown(passed=False)], at)[0].met


@given(shown=st.lists(SHOWN, max_size=8))
def test_only_a_verdict_meets_a_gate_for_a_reviewer(shown: list[Shown]) -> None:
    assert not judge([_gate("approved")], shown, Standing(2, deliveries=1))[0].met


def test_files_that_have_changed_since_make_evidence_stale() -> None:
    seen = Shown(fingerprint="a")
    assert judge([_gate()], [seen], Standing(2, deliveries=1, tree="a"))[0].met
    assert not judge([_gate()], [seen], Standing(2, deliveries=1, tree="b"))[0].met


@pytest.mark.parametrize("rung", [Rung.CLAIMED, Rung.REPORTED, Rung.VERIFIED])
def test_only_what_was_observed_says_what_the_files_are(rung: Rung) -> None:
    shown = [Shown(fingerprint="a"), Shown(gate="commit", rung=rung, fingerprint="b")]
    assert judge([_gate()], shown, Standing(2, deliveries=1))[0].met
