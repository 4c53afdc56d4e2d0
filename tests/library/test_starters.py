"""Every packaged template, planned and finished once: an assistant shows what gates ask for, a person approves."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.choices import Rung, Status
from tasks.gates.definition import Gate, gates_of
from tasks.identity.actor import Actor
from tasks.library.catalogue import STARTERS, catalogue
from tasks.models import Task
from tasks.services.review import approve
from tests.assistants import Assistant, completion
from tests.library.templates import needs_of, planned

PERSON = Actor("person", "rita")
REPORT = '<testsuite name="{name}" tests="2" failures="0"><testcase name="a"/><testcase name="b"/></testsuite>'
PARAMETERS: dict[str, dict[str, Any]] = {
    "feature": {"name": "invoices", "goal": "People take them along.\nAs one file.", "risk": "high", "paths": ["src"]},
    "bugfix": {"symptom": "The last row is lost"},
    "refactor": {"target": "the order book", "invariant": "Prices", "slices": ["reading", "writing"]},
    "migration": {"from": "MySQL", "to": "PostgreSQL"},
    "release": {"version": "2.1.0-rc.1"},
    "spike": {"question": "Which queue?", "options": ["Redis", "the database"], "hours": 2},
    "incident": {"what": "No one can sign in", "since": "9:30 UTC"},
    "security_review": {"scope": "uploads"},
}
NEEDS: dict[str, dict[str, set[str]]] = {
    "feature": {
        "explore": set(), "design": {"explore"}, "build": {"design", "explore"}, "tests": {"design", "explore"},
        "verify": {"build", "tests"}, "docs": {"build"}, "review": {"verify", "docs"},
    },
    "bugfix": {
        "reproduce": set(), "cause": {"reproduce"}, "fix": {"cause"}, "regression": {"cause"},
        "verify": {"fix", "regression"}, "review": {"verify"},
    },
    "refactor": {
        "baseline": set(), "plan": {"baseline"}, "slice_1": {"plan"}, "slice_2": {"plan", "slice_1"},
        "compare": {"slice_1", "slice_2"}, "cleanup": {"compare"},
    },
    "migration": {
        "inventory": set(), "design": {"inventory"}, "forward": {"design"}, "reverse": {"design"},
        "rehearse": {"forward", "reverse"}, "backup": {"rehearse"}, "cutover": {"backup"}, "verify": {"cutover"},
        "retire": {"verify"},
    },
    "release": {
        "scope": set(), "changelog": {"scope"}, "full_tests": {"scope"}, "build": {"full_tests"},
        "install": {"build"}, "publish": {"install", "changelog"}, "after": {"publish"},
    },
    "spike": {
        "frame": set(), "try_1": {"frame"}, "try_2": {"frame"}, "compare": {"try_1", "try_2"}, "decide": {"compare"},
        "record": {"decide"},
    },
    "incident": {
        "contain": set(), "timeline": set(), "cause": {"contain", "timeline"}, "fix": {"cause"}, "watch": {"fix"},
        "postmortem": {"fix"}, "follow_ups": {"postmortem"},
    },
    "security_review": {
        "surface": set(), "threats": {"surface"}, "code": {"surface"}, "deps": {"surface"},
        "abuse": {"code", "threats"}, "findings": {"code", "deps", "abuse"}, "fix_plan": {"findings"},
        "retest": {"fix_plan"},
    },
}  # fmt: skip


def test_there_are_eight() -> None:
    assert {path.stem for path in STARTERS.glob("*.yaml")} == PARAMETERS.keys() == NEEDS.keys()


@pytest.mark.parametrize("name", NEEDS)
def test_a_starter_has_the_steps_that_it_should(name: str) -> None:
    found = planned((STARTERS / f"{name}.yaml").read_text(), **PARAMETERS[name])
    assert needs_of(found) == NEEDS[name]


def test_what_a_starter_leaves_out_hands_on_its_needs() -> None:
    migration = planned((STARTERS / "migration.yaml").read_text(), **PARAMETERS["migration"], data=False)
    assert needs_of(migration)["cutover"] == {"rehearse"}
    feature = planned((STARTERS / "feature.yaml").read_text(), **PARAMETERS["feature"] | {"risk": "low"})
    assert needs_of(feature)["build"] == {"outline", "explore"}
    assert next(each for each in feature.subtasks if each.key == "outline").gates == ()


@pytest.mark.parametrize("name", PARAMETERS)
def test_it_is_planned_and_finished(ada: Assistant, name: str) -> None:
    made = ada.call("template_manager", action="apply_template", name=name, parameters=PARAMETERS[name])
    plan = Task.objects.get(public_id=made["parent_task_id"])
    for _ in range(made["subtasks_total"]):
        task = Task.objects.get(public_id=ada.call("execute_subtask")["task_id"])
        gates = gates_of(task.gates)
        own = [gate for gate in gates if not gate.is_for_reviewer]
        if own:
            assert ada.send("complete_subtask", **completion(task.public_id)).payload["code"] == "not_ready"
        ada.complete(task.public_id, evidence=[shown(gate, task) for gate in own])
        task.refresh_from_db()
        assert task.status == (Status.IN_REVIEW if len(own) < len(gates) else Status.COMPLETED)
        if task.status == Status.IN_REVIEW:
            approve(task=task, actor=PERSON)
    plan.refresh_from_db()
    assert plan.status == Status.COMPLETED
    assert plan.origin.template == name


def shown(gate: Gate, task: Task) -> dict[str, Any]:
    """Return the evidence that an assistant gives for a gate."""
    if gate.rung == Rung.CLAIMED:
        return {"gate": gate.name, "summary": "Here it is."}
    if gate.kind == "commit":
        return {"gate": gate.name, "commit": "a" * 40}
    return {"gate": gate.name, "report": REPORT.format(name=f"{task.public_id} {gate.name}")}


def test_no_starter_needs_a_command_that_a_project_would_have_to_define(db: None) -> None:
    assert not [
        gate for entry in catalogue(None).templates.values() for step in entry.template.steps for gate in step.gates
        if gate["kind"] == "command"
    ]  # fmt: skip
