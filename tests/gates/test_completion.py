"""Completing a task with gates: what counts, what does not, and why."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotReady
from tasks.choices import Rung, Status, Verb
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Event, Evidence, Task
from tasks.selectors.attempts import tried_before
from tasks.selectors.gates import gates_on
from tasks.services.challenge import challenge
from tasks.services.claim import claim
from tasks.services.evidence import give_evidence
from tasks.services.review import approve, request_revision
from tasks.services.steer import release
from tests.factories import make_event, make_project
from tests.gates.given import COMMANDS, assistant, claimed, complete, gated, junit, observed, observer, person

pytestmark = pytest.mark.django_db
COMMAND = {"command": "test"}


def _unmet(task: Task, actor: Actor, *evidence: Piece) -> dict[str, Any]:
    """Complete a task in vain, and return what is said of its first gate."""
    with pytest.raises(NotReady) as error:
        complete(task, actor, *evidence)
    gate: dict[str, Any] = error.value.details["gates"][0]
    return gate


def _status(task: Task) -> str:
    return Task.objects.get(pk=task.pk).status


def test_a_task_without_gates_is_completed_as_ever() -> None:
    task = gated()
    assert complete(task, assistant(task.project)).status == Status.COMPLETED


def test_a_gate_for_which_nothing_came_keeps_a_task_back() -> None:
    task = gated("report")
    said = _unmet(task, assistant(task.project))
    assert (said["gate"], said["came"], bool(said["asks"]), bool(said["next"])) == ("report", "", True, True)
    assert _status(task) == Status.PENDING


def test_a_refused_call_leaves_nothing_but_that_a_gate_was_missed() -> None:
    task = gated("report", COMMAND)
    ada = assistant(task.project)
    claimed(task, ada)
    before = Event.objects.count()
    _unmet(task, ada, Piece(gate="report", report=junit("one")))
    (event,) = Event.objects.all()[before:]
    missed = {"gates": {"test": "nothing came"}, "lease_number": 1}
    assert (event.verb, event.after) == (Verb.MISS_GATE, missed)
    assert not Evidence.objects.exists()
    assert _status(task) == Status.ACTIVE


def test_the_next_brief_says_why_a_gate_was_missed() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    _unmet(task, ada, Piece(report=junit("one", failed=("two",))))
    release(task=Task.objects.get(pk=task.pk), actor=ada)
    (tried,) = tried_before(Task.objects.get(pk=task.pk))
    assert "two" in tried.missed["report"]


def test_a_report_that_comes_with_the_completion_meets_its_gate() -> None:
    task = gated("report")
    ada = assistant(task.project)
    assert complete(task, ada, Piece(report=junit("one"))).status == Status.COMPLETED
    row = Evidence.objects.get()
    assert (row.rung, row.passed, row.facts["tests"]) == (Rung.REPORTED, True, 1)


def test_a_report_is_read_before_the_row_of_its_task_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    task = gated("report")
    ada, piece = assistant(task.project), Piece(report=junit("one"))
    monkeypatch.setattr("xml.parsers.expat.ParserCreate", None)
    assert complete(task, ada, piece).status == Status.COMPLETED


def test_words_are_no_report() -> None:
    task = gated("report")
    assert "claimed" in _unmet(task, assistant(task.project), Piece(summary="All tests pass"))["why_not"]


@pytest.mark.parametrize(
    ("gate", "piece"),
    [
        ("report", Piece(commit="a" * 40)),
        ("report", Piece(facts={"exit_code": 0})),
        ("report", Piece(facts={"seconds": 3})),
        ({"command": "test", "rung": "reported"}, Piece(commit="a" * 40)),
        ({"command": "test", "rung": "reported"}, Piece(facts={"seconds": 3})),
        ({"kind": "commit", "rung": "reported"}, Piece(facts={"exit_code": 0}, report=junit("one"))),
    ],
)
def test_what_is_not_about_a_gate_is_no_report_on_it(gate: Any, piece: Piece) -> None:
    task = gated(gate)
    _unmet(task, assistant(task.project), piece)


@pytest.mark.parametrize(
    ("gate", "piece"),
    [
        ("report", Piece(facts={"tests": 3})),
        ({"command": "test", "rung": "reported"}, Piece(facts={"exit_code": 0})),
        ({"kind": "commit", "rung": "reported"}, Piece(commit="a" * 40)),
    ],
)
def test_facts_about_a_gate_are_a_report_on_it(gate: Any, piece: Piece) -> None:
    task = gated(gate)
    assert complete(task, assistant(task.project), piece).status == Status.COMPLETED


def test_figures_alone_do_not_show_a_test_that_a_gate_names() -> None:
    task = gated({"kind": "report", "tests": ["one"]})
    _unmet(task, assistant(task.project), Piece(facts={"tests": 9, "failures": 0}))


def test_words_meet_a_gate_that_asks_for_no_more() -> None:
    task = gated({"kind": "report", "rung": "claimed"})
    assert complete(task, assistant(task.project), Piece(summary="All tests pass")).status == Status.COMPLETED


def test_an_exit_code_with_no_test_run_does_not_count() -> None:
    task = gated("report")
    assert _unmet(task, assistant(task.project), Piece(facts={"exit_code": 0, "tests": 0, "failures": 0}))["came"]
    assert _unmet(task, assistant(task.project), Piece(facts={"exit_code": 0}, report=junit()))["came"]


def test_a_command_that_writes_a_report_counts_only_with_tests_in_it() -> None:
    task = gated({"command": "check"})
    ada = assistant(task.project)
    task = claimed(task, ada)
    for more in ({}, {"report": junit()}):
        give_evidence(task=task, actor=observer(task.project), pieces=[observed(task, "check", **more)])
        assert _unmet(task, ada)["came"]
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task, "check", report=junit("one"))])
    assert complete(task, ada).status == Status.COMPLETED


def test_what_the_holder_says_of_a_command_is_not_observed() -> None:
    task = gated(COMMAND)
    said = _unmet(task, assistant(task.project), Piece(facts={"exit_code": 0}))
    assert "reported" in said["why_not"]
    assert "attest" in said["next"]


def test_an_observed_command_meets_its_gate() -> None:
    task = gated(COMMAND)
    ada = assistant(task.project)
    task = claimed(task, ada)
    (row,) = give_evidence(task=task, actor=observer(task.project), pieces=[observed(task)])
    assert row.rung == Rung.OBSERVED
    assert complete(task, ada).status == Status.COMPLETED


def test_a_command_that_failed_does_not_count_and_a_newer_failure_outweighs_a_success() -> None:
    task = gated(COMMAND)
    ada = assistant(task.project)
    task = claimed(task, ada)
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task)])
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task, facts={"exit_code": 2})])
    assert "2" in _unmet(task, ada)["why_not"]


def test_evidence_of_an_older_lease_does_not_count() -> None:
    task = gated(COMMAND)
    ada, bob = assistant(task.project), assistant(task.project)
    task = claimed(task, ada)
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task)])
    task = claim(task=task, actor=bob, take_over=True).task
    assert "lease 1" in _unmet(task, bob)["why_not"]


def test_evidence_is_not_taken_under_an_older_lease() -> None:
    task = gated("report")
    ada, bob = assistant(task.project), assistant(task.project)
    claimed(task, ada)
    claim(task=task, actor=bob, take_over=True)
    piece = Piece(report=junit("one"))
    with pytest.raises(Conflict):
        give_evidence(task=task, actor=ada, pieces=[piece], lease_number=1)
    with pytest.raises(Conflict):
        give_evidence(task=task, actor=ada, pieces=[piece])
    assert not Evidence.objects.exists()


def test_evidence_of_another_task_does_not_count() -> None:
    one = gated("report")
    two = gated("report", project=one.project)
    ada, report = assistant(one.project), junit("one")
    complete(one, ada, Piece(report=report))
    assert one.public_id in _unmet(two, ada, Piece(report=report))["why_not"]


def test_what_another_project_was_given_is_neither_compared_nor_named() -> None:
    one, two, report = gated("report"), gated("report"), junit("one")
    complete(one, assistant(one.project), Piece(report=report))
    assert complete(two, assistant(two.project), Piece(report=report)).status == Status.COMPLETED


def test_the_same_report_does_not_count_again_under_a_new_lease() -> None:
    task = gated("report", requires_review=True)
    ada, report = assistant(task.project), junit("one")
    task = complete(task, ada, Piece(report=report))
    request_revision(task=task, actor=person(), reason="Fix it")
    assert "lease 1" in _unmet(task, ada, Piece(report=report))["why_not"]
    assert complete(task, ada, Piece(report=junit("one", "two"))).status == Status.IN_REVIEW


def test_the_same_piece_under_the_same_lease_is_the_row_that_is_there() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    rows = [give_evidence(task=task, actor=ada, pieces=[Piece(report=junit("one"))])[0] for _ in range(2)]
    assert rows[0].pk == rows[1].pk and rows[1].passed


def test_a_challenge_is_answered_once() -> None:
    task = gated(COMMAND)
    task = claimed(task, assistant(task.project))
    piece = observed(task, facts={"exit_code": 1})
    (first,) = give_evidence(task=task, actor=observer(task.project), pieces=[piece])
    better = Piece(gate="test", facts={"exit_code": 0}, challenge=piece.challenge)
    (again,) = give_evidence(task=task, actor=observer(task.project), pieces=[better])
    assert again.pk == first.pk and not again.passed


def test_a_challenge_is_for_its_task_its_gate_and_its_lease() -> None:
    one = gated(COMMAND, {"command": "check"})
    two = gated(COMMAND, project=one.project)
    ada = assistant(one.project)
    one, two = claimed(one, ada), claimed(two, ada)
    piece, watching = observed(one), observer(one.project)
    with pytest.raises(Conflict):
        give_evidence(task=two, actor=watching, pieces=[piece])
    with pytest.raises(Conflict):
        give_evidence(task=one, actor=watching, pieces=[Piece(gate="check", challenge=piece.challenge)])
    claim(task=one, actor=assistant(one.project), take_over=True)
    with pytest.raises(Conflict):
        give_evidence(task=one, actor=watching, pieces=[piece])


def test_a_challenge_that_was_not_made_here_is_invalid() -> None:
    task = gated(COMMAND)
    task = claimed(task, assistant(task.project))
    with pytest.raises(Invalid):
        give_evidence(task=task, actor=observer(task.project), pieces=[Piece(gate="test", challenge="made-up")])


def test_the_holder_does_not_answer_a_challenge_without_the_scope() -> None:
    task = gated(COMMAND)
    ada = assistant(task.project)
    task = claimed(task, ada)
    with pytest.raises(Forbidden):
        challenge(task=task, actor=ada, gate="test")
    with pytest.raises(Forbidden):
        give_evidence(task=task, actor=ada, pieces=[observed(task)])


def test_only_a_command_of_the_settings_is_asked_for() -> None:
    task = gated({"command": "deploy"}, "commit")
    task = claimed(task, assistant(task.project))
    for gate in ("deploy", "commit", "other"):
        with pytest.raises(Invalid):
            challenge(task=task, actor=observer(task.project), gate=gate)


def test_a_report_that_is_to_be_observed_comes_from_a_command_that_writes_one() -> None:
    task = gated({"kind": "report", "rung": "observed"})
    task = claimed(task, assistant(task.project))
    assert challenge(task=task, actor=observer(task.project), gate="report").command == "check"


def test_a_command_may_be_named_among_those_that_meet_a_gate() -> None:
    writing = {"argv": ["make", "all"], "report": "build/all.xml"}
    project = make_project(settings={"gates": {"commands": {**COMMANDS, "all": writing}}})
    task = gated({"kind": "report", "rung": "observed"}, COMMAND, project=project)
    task = claimed(task, assistant(project))
    for name in ("all", "check"):
        assert challenge(task=task, actor=observer(project), gate="report", command=name).command == name
    for gate, name in (("report", "test"), ("report", "other"), ("test", "check")):
        with pytest.raises(Invalid):
            challenge(task=task, actor=observer(project), gate=gate, command=name)


def test_evidence_is_stale_once_something_is_delivered_after_it() -> None:
    task = gated(COMMAND)
    ada = assistant(task.project)
    task = claimed(task, ada)
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task)])
    make_event(task, Verb.DELIVER)
    assert "stale" in _unmet(task, ada)["why_not"]


def test_evidence_is_stale_once_another_tree_was_observed() -> None:
    task = gated(COMMAND, {"command": "check"})
    ada = assistant(task.project)
    task = claimed(task, ada)
    pieces = [observed(task), observed(task, "check", report=junit("one"), fingerprint="b" * 64)]
    give_evidence(task=task, actor=observer(task.project), pieces=pieces)
    said = _unmet(task, ada)
    assert said["gate"] == "test" and "stale" in said["why_not"]


def test_only_what_was_observed_says_which_files_it_is_about() -> None:
    task = gated({"command": "test", "rung": "reported"})
    ada = assistant(task.project)
    claimed(task, ada)
    sent = Piece(facts={"exit_code": 0, "place": "here"}, commit="b" * 40, fingerprint="a" * 64)
    (row,) = give_evidence(task=task, actor=ada, pieces=[sent])
    assert (row.fingerprint, row.commit) == ("", "b" * 40)
    assert "place" not in row.facts


def test_a_verdict_on_a_delivery_still_counts_what_came_before_it() -> None:
    task = gated(COMMAND, "review")
    ada = assistant(task.project)
    task = claimed(task, ada)
    give_evidence(task=task, actor=observer(task.project), pieces=[observed(task)])
    assert complete(task, ada).status == Status.IN_REVIEW
    assert approve(task=task, actor=person()).task.status == Status.COMPLETED
    assert all(state.met for state in gates_on(Task.objects.get(pk=task.pk)))


def test_evidence_for_a_gate_that_was_changed_since_does_not_count() -> None:
    task = gated("report")
    ada = assistant(task.project)
    claimed(task, ada)
    give_evidence(task=task, actor=ada, pieces=[Piece(report=junit("one"))])
    Task.objects.filter(pk=task.pk).update(
        gates=[{"name": "report", "kind": "report", "rung": "reported", "tests": ["x"]}]
    )
    assert "changed" in _unmet(task, ada)["why_not"]


def test_evidence_for_no_gate_of_the_task_is_invalid() -> None:
    ada = assistant(make_project())
    for task in (gated("report", "commit"), gated()):
        with pytest.raises(Invalid):
            complete(task, ada, Piece(gate="other", summary="Done"))
        with pytest.raises(Invalid):
            complete(task, ada, Piece(summary="Which of the two?"))


def test_other_endings_need_no_gates_but_keep_what_came() -> None:
    task = gated("report")
    ada = assistant(task.project)
    complete(task, ada, Piece(report=junit(failed=("one",))), outcome=Status.BLOCKED, reason="It does not work here")
    assert _status(task) == Status.BLOCKED
    assert not Evidence.objects.get().passed


def test_output_is_kept_by_its_beginning_and_its_end() -> None:
    task = gated(COMMAND)
    task = claimed(task, assistant(task.project))
    (row,) = give_evidence(
        task=task, actor=observer(task.project), pieces=[observed(task, output="first" + "x" * 300_000 + "last")]
    )
    assert row.output.startswith("first") and row.output.endswith("last") and len(row.output) < 70_000


def test_an_agent_in_a_run_delivers_for_its_supervisor_to_judge() -> None:
    task = gated(COMMAND, "commit")
    ada = assistant(task.project)
    agent = Actor(kind="assistant", name="agent", session=ada.session, only_task=task.pk)
    assert complete(task, agent).status == Status.IN_REVIEW
    with pytest.raises(NotReady):
        approve(task=task, actor=Actor.system())
    pieces = [Piece(gate="test", facts={"exit_code": 0})]
    give_evidence(task=task, actor=Actor.system(), pieces=pieces, rung=Rung.OBSERVED)
    give_evidence(task=task, actor=Actor.system(), pieces=[Piece(gate="commit", commit="a" * 40)], rung=Rung.VERIFIED)
    assert approve(task=task, actor=Actor.system()).task.status == Status.COMPLETED


def test_an_agent_in_a_run_sends_what_its_supervisor_cannot_see() -> None:
    project = make_project()
    task = gated("report", COMMAND, project=project)  # whose settings name no command
    agent = Actor(kind="assistant", name="agent", session=assistant(project).session, only_task=task.pk)
    with pytest.raises(NotReady) as error:
        complete(task, agent)
    assert [gate["gate"] for gate in error.value.details["gates"]] == ["report", "test"]
