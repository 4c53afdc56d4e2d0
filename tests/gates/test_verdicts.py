"""Gates that only a verdict meets, waivers, and who may take gates away."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotReady
from orchestrator_site.kernel.identity import Scope
from tasks import roles
from tasks.choices import Status, Verb
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Event, Task, Waiver
from tasks.selectors.gates import gates_on
from tasks.services.claim import claim
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tasks.services.review import approve, request_revision
from tasks.services.steer import release
from tasks.services.waive import waive
from tests.factories import make_project, make_session
from tests.gates.given import assistant, claimed, complete, gated, junit, person

pytestmark = pytest.mark.django_db


def _states(task: Task) -> dict[str, bool]:
    return {state.gate.name: state.met for state in gates_on(Task.objects.get(pk=task.pk))}


def test_a_task_with_a_gate_for_a_reviewer_is_delivered_for_review() -> None:
    task = gated("review")
    assert complete(task, assistant(task.project)).status == Status.IN_REVIEW
    assert _states(task) == {"review": False}


@pytest.mark.parametrize("allows", [False, True])
def test_a_gate_for_another_is_not_opened_by_who_delivered(allows: bool) -> None:
    task = gated("review", project=make_project(settings={"self_approval": allows}))
    ada = assistant(task.project)
    complete(task, ada)
    with pytest.raises(Forbidden):
        approve(task=task, actor=ada)
    assert approve(task=task, actor=assistant(task.project)).task.status == Status.COMPLETED
    assert _states(task) == {"review": True}


def test_an_approval_is_a_persons() -> None:
    task = gated("approval")
    complete(task, assistant(task.project))
    for other in (assistant(task.project), Actor.system()):
        with pytest.raises(Forbidden):
            approve(task=task, actor=other)
    assert approve(task=task, actor=person()).task.status == Status.COMPLETED


@pytest.mark.parametrize("kind", ["review", "approval"])
def test_an_objection_is_no_approval(kind: str) -> None:
    task = gated(kind)
    ada = assistant(task.project)
    complete(task, ada)
    request_revision(task=task, actor=person(), reason="approved? No: this is wrong")
    assert _states(task) == {kind: False}
    assert complete(task, ada).status == Status.IN_REVIEW
    assert _states(task) == {kind: False}


def test_an_approval_that_is_only_said_does_not_count() -> None:
    task = gated("approval")
    said = Piece(gate="approval", passed=True, summary="The user approved it", facts={"exit_code": 0})
    assert complete(task, assistant(task.project), said).status == Status.IN_REVIEW
    assert _states(task) == {"approval": False}


def test_an_earlier_approval_does_not_count_for_a_later_delivery() -> None:
    task = gated("approval")
    ada = assistant(task.project)
    complete(task, ada)
    approve(task=task, actor=person())
    request_revision(task=task, actor=person(), reason="Once more")
    complete(task, ada)
    assert _states(task) == {"approval": False}


def test_a_waived_gate_keeps_nothing_back() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    waiver = waive(task=task, actor=person(), gate="report", reason="Only words changed")
    assert complete(task, ada).status == Status.COMPLETED
    event = Event.objects.get(verb=Verb.WAIVE)
    assert (waiver.actor_name, event.after) == ("ada", {"gate": "report", "reason": "Only words changed"})


def test_a_gate_is_waived_once() -> None:
    task = gated("report")
    rows = [waive(task=task, actor=person(), gate="report", reason=reason) for reason in ("First", "Second")]
    assert rows[0] == rows[1] == Waiver.objects.get() and rows[1].reason == "First"
    assert Event.objects.filter(verb=Verb.WAIVE).count() == 1


def test_the_holder_waives_nothing() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    with pytest.raises(Forbidden):
        waive(task=task, actor=ada, gate="report", reason="It is fine")
    complete(task, ada, Piece(report=junit("one")))
    assert not Waiver.objects.exists()


def test_who_delivered_waives_nothing_nor_does_another_session_of_the_connection() -> None:
    task = gated("approval", "report")
    ada = assistant(task.project, connection_id="wire")
    complete(task, ada, Piece(gate="report", report=junit("one")))
    for same in (ada, assistant(task.project, connection_id="wire/subagent")):
        with pytest.raises(Forbidden):
            waive(task=task, actor=same, gate="report", reason="It is fine")


def test_a_person_who_took_the_task_waives_nothing() -> None:
    task = gated("report")
    claimed(task, person())
    with pytest.raises(Forbidden):
        waive(task=task, actor=person(), gate="report", reason="It is fine")
    assert waive(task=task, actor=person("bob"), gate="report", reason="It is fine")


def test_a_waiver_does_not_count_for_who_gave_it_and_then_took_the_task() -> None:
    task = gated("report")
    ada, bob = assistant(task.project), assistant(task.project)
    waive(task=task, actor=ada, gate="report", reason="It is fine")
    with pytest.raises(NotReady):
        complete(task, ada)
    assert complete(task, bob).status == Status.COMPLETED


def test_a_waiver_that_does_not_count_is_replaced_by_one_that_does() -> None:
    task = gated("report")
    ada = assistant(task.project)
    waive(task=task, actor=ada, gate="report", reason="It is fine")
    claimed(task, ada)
    waiver = waive(task=task, actor=person(), gate="report", reason="It really is")
    assert waiver == Waiver.objects.get() and (waiver.actor_kind, waiver.reason) == ("person", "It really is")
    assert Event.objects.filter(verb=Verb.WAIVE).count() == 2
    assert complete(task, ada).status == Status.COMPLETED


def test_giving_a_task_back_does_not_make_its_holder_another() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    release(task=task, actor=ada)
    with pytest.raises(Forbidden):
        waive(task=task, actor=ada, gate="report", reason="It is fine")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"reason": " "}, Invalid),
        ({"gate": "other"}, Invalid),
        ({"gate": "approval", "actor": "assistant"}, Forbidden),
        ({"actor": "writer"}, Forbidden),
    ],
)
def test_a_waiver_needs_a_reason_a_gate_and_someone_who_may(given: dict[str, Any], error: type[Exception]) -> None:
    task = gated("report", "approval")
    writer = Actor.assistant(make_session(task.project), frozenset({Scope.READ, Scope.WRITE}))
    who = {"assistant": assistant(task.project), "writer": writer}
    asked = {"gate": "report", "reason": "It is fine", **given}
    with pytest.raises(error):
        waive(task=task, **{**asked, "actor": who.get(given.get("actor", ""), person())})


def test_nothing_is_waived_in_a_task_that_is_finished() -> None:
    task = gated("report")
    complete(task, assistant(task.project), Piece(report=junit("one")))
    with pytest.raises(Conflict):
        waive(task=task, actor=person(), gate="report", reason="Too late")


def _edit(task: Task, actor: Actor, *gates: Any) -> list[str]:
    changes = Changes({"gates": list(gates)})
    edited = edit(task=task, actor=actor, changes=changes, catalogue=roles.catalogue(task.project))
    return [gate["name"] for gate in edited.gates]


def test_whoever_may_edit_adds_gates() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    assert _edit(task, ada, "report", "commit") == ["report", "commit"]
    assert _edit(task, ada, {"kind": "report", "rung": "observed"}, "commit") == ["report", "commit"]


@pytest.mark.parametrize(
    "fewer",
    [
        [],
        [{"kind": "report", "rung": "claimed", "tests": ["one"]}],
        [{"kind": "report"}],
        [{"kind": "report", "tests": ["one"], "name": "other"}],
        [{"kind": "report", "tests": ["one"], "max_skipped": 5}],
    ],
)
def test_the_holder_takes_no_gate_away(fewer: list[Any]) -> None:
    task = gated({"kind": "report", "tests": ["one"], "max_skipped": 1})
    ada = assistant(task.project)
    claimed(task, ada)
    with pytest.raises(Forbidden):
        _edit(task, ada, *fewer)
    assert len(_edit(task, person(), *fewer)) == len(fewer)


@pytest.mark.parametrize(("changed", "waived"), [({"kind": "report", "tests": ["one"]}, False), ("report", True)])
def test_a_waiver_is_of_the_gate_as_it_was(changed: Any, waived: bool) -> None:
    task = gated("report")
    waive(task=task, actor=person("bob"), gate="report", reason="It is fine")
    _edit(task, assistant(task.project), changed, "commit")
    assert _states(task) == {"report": waived, "commit": False}


def test_a_gate_that_comes_back_is_not_waived() -> None:
    task = gated("report")
    waive(task=task, actor=person(), gate="report", reason="It is fine")
    _edit(task, person())
    _edit(task, person(), "report")
    assert _states(task) == {"report": False}


def test_an_assistant_takes_no_gate_away_even_from_a_task_that_it_may_review() -> None:
    task = gated("report")
    with pytest.raises(Forbidden):
        _edit(task, assistant(task.project))
    assert _edit(task, person()) == []


def test_a_gate_that_makes_no_sense_is_invalid() -> None:
    with pytest.raises(Invalid):
        _edit(gated("report"), person(), {"kind": "prayer"})


def test_a_task_that_is_divided_waits_for_the_verdict_with_its_gates() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    made = plan(
        project=task.project, actor=ada, catalogue=roles.catalogue(task.project), description="Parts", parent=task,
        subtasks=[Subtask("Part", "Do it", "implementer")],
    )  # fmt: skip
    complete(made.tasks[0], ada)
    assert Task.objects.get(pk=task.pk).status == Status.IN_REVIEW
    with pytest.raises(NotReady):
        approve(task=task, actor=person())
    waive(task=task, actor=person("bob"), gate="report", reason="Its part was tested")
    assert approve(task=task, actor=person()).task.status == Status.COMPLETED


def test_a_gate_may_be_missed_and_met_later_under_another_lease() -> None:
    task = gated("report")
    ada, bob = assistant(task.project), assistant(task.project)
    claimed(task, ada)
    with pytest.raises(NotReady):
        complete(task, ada)
    claim(task=task, actor=bob, take_over=True)
    assert complete(task, bob, Piece(report=junit("one"))).status == Status.COMPLETED
