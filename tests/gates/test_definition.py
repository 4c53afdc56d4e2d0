"""What gates ask for, without a database: which rungs they may name, and which of two asks for less."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.gates.definition import gates_of, normalised, relaxed, with_defaults


def _stored(*gates: Any) -> list[dict[str, Any]]:
    stored, problems = normalised(list(gates))
    assert not problems, problems
    return stored


@pytest.mark.parametrize("gate", [{"command": "test"}, {"kind": "report"}, {"kind": "commit"}])
def test_a_gate_that_only_the_verdict_would_meet_asks_for_something_else(gate: dict[str, Any]) -> None:
    name = gate.get("command") or gate["kind"]
    assert relaxed(_stored(gate), _stored({**gate, "rung": "approved"})) == [name]
    assert relaxed(_stored({**gate, "rung": "approved"}), _stored(gate)) == [name]


@pytest.mark.parametrize("gate", [{"command": "test"}, {"kind": "report"}])
def test_a_rung_that_nothing_can_reach_is_refused(gate: dict[str, Any]) -> None:
    (problem,) = normalised([{**gate, "rung": "verified"}])[1]
    assert problem["at"] == "gates[0].rung"
    assert problem["allowed"] == ["claimed", "reported", "observed", "approved"]


@pytest.mark.parametrize(
    ("own", "usual", "kept"),
    [
        ({"kind": "report", "name": "test", "rung": "claimed"}, {"command": "test"}, {"command": "test"}),
        ({"kind": "review", "name": "approval"}, "approval", "approval"),
        ({"command": "test", "rung": "approved"}, {"command": "test"}, {"command": "test"}),
        ({"command": "lint", "name": "test"}, {"command": "test"}, {"command": "test"}),
        ("report", {"kind": "report", "max_skipped": 0}, {"kind": "report", "max_skipped": 0}),
        ({"kind": "commit", "rung": "claimed"}, "commit", "commit"),
        (
            {"kind": "report", "tests": ["one"]},
            {"kind": "report", "rung": "observed"},
            {"kind": "report", "tests": ["one"], "rung": "observed"},
        ),
    ],
)
def test_a_task_has_no_gate_that_asks_for_less_than_its_projects(own: Any, usual: Any, kept: Any) -> None:
    assert gates_of(with_defaults(_stored(own), _stored(usual))) == gates_of(_stored(kept))
