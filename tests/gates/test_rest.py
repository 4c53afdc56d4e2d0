"""Gates over REST: read, evidence, challenges and waivers."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.choices import Status
from tasks.models import Evidence, Task
from tests.factories import make_project
from tests.gates.given import COMMANDS, junit
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def task(ada: Rest) -> str:
    """Return the address of a task that ada holds."""
    project = make_project(settings={"gates": {"commands": COMMANDS, "default": ["review"]}})
    made = subtask("A", gates=[{"command": "test"}, "report"], file_paths=["src/till.py"])
    address = f"/tasks/{ada.plan(project, subtasks=[made])['A']}"
    ada.post(f"{address}/claim")
    return address


def _met(ada: Rest, task: str) -> dict[str, bool]:
    return {gate["gate"]: gate["met"] for gate in ada.get(f"{task}/gates")["gates"]}


def _challenge(observer: Rest, task: str, gate: str = "test") -> dict[str, Any]:
    answer: dict[str, Any] = observer.post(f"{task}/challenges", {"gate": gate})
    return answer


def test_a_task_says_its_gates_and_its_paths(ada: Rest, task: str) -> None:
    shown = ada.get(task)
    assert [gate["name"] for gate in shown["gates"]] == ["test", "report", "review"]
    assert shown["file_paths"] == ["src/till.py"]
    assert _met(ada, task) == {"test": False, "report": False, "review": False}


def test_the_holder_gives_evidence_and_reads_what_it_is_worth(ada: Rest, task: str) -> None:
    given = {"evidence": [{"gate": "report", "report": junit("one")}, {"gate": "test", "exit_code": 0}]}
    answer = ada.post(f"{task}/evidence", given)
    assert [(row["gate"], row["rung"], row["passed"]) for row in answer["evidence"]] == [
        ("report", "reported", True),
        ("test", "reported", True),
    ]
    assert _met(ada, task) == {"test": False, "report": True, "review": False}
    assert len(ada.get(f"{task}/evidence")["results"]) == 2


def test_evidence_under_one_key_is_given_once(ada: Rest, task: str) -> None:
    given = {"evidence": ["All is well"]}
    refused = ada.refused(400, "POST", f"{task}/evidence", given)
    assert refused["code"] == "invalid"  # which of the gates?
    given = {"evidence": [{"gate": "report", "summary": "All is well"}]}
    for _ in range(2):
        ada.post(f"{task}/evidence", given, Idempotency_Key="one")
    assert Evidence.objects.count() == 1


def test_another_gives_no_evidence(task: str) -> None:
    refused = rest().refused(
        409, "POST", f"{task}/evidence", {"evidence": [{"gate": "report", "report": junit("one")}]}
    )
    assert refused["code"] == "conflict"


def test_an_observer_answers_a_challenge(ada: Rest, task: str) -> None:
    observer = rest(scopes=("attest",))
    asked = _challenge(observer, task)
    assert (asked["command"], asked["argv"], asked["lease_number"]) == ("test", ["make", "test"], 1)
    piece = {"gate": "test", "exit_code": 0, "challenge": asked["challenge"], "output": "12 passed"}
    answer = observer.post(f"{task}/evidence", {"evidence": [piece]})
    assert answer["evidence"][0]["rung"] == "observed"
    assert _met(ada, task)["test"]


def test_an_observer_names_the_command_that_it_ran(task: str) -> None:
    observer = rest(scopes=("attest",))
    assert observer.post(f"{task}/challenges", {"gate": "test", "command": "test"})["command"] == "test"
    assert (
        observer.refused(400, "POST", f"{task}/challenges", {"gate": "test", "command": "check"})["code"] == "invalid"
    )


def test_an_observer_without_a_challenge_gives_nothing(task: str) -> None:
    given = {"evidence": [{"gate": "test", "exit_code": 0}]}
    refused = rest(scopes=("attest",)).refused(403, "POST", f"{task}/evidence", given)
    assert refused["code"] == "forbidden"


def test_a_challenge_needs_its_scope(ada: Rest, task: str) -> None:
    assert ada.refused(403, "POST", f"{task}/challenges", {"gate": "test"})["code"] == "forbidden"


def test_a_token_of_another_project_sees_no_task(task: str) -> None:
    observer = rest(scopes=("attest",), project=make_project())
    assert observer.refused(404, "POST", f"{task}/challenges", {"gate": "test"})["code"] == "not_found"


def test_a_reviewer_waives_a_gate_and_the_holder_does_not(ada: Rest, task: str) -> None:
    given = {"gate": "test", "reason": "There is no shell"}
    assert ada.refused(403, "POST", f"{task}/waivers", given)["code"] == "forbidden"
    answer = rest().post(f"{task}/waivers", given)
    assert {gate["gate"]: gate["waived_because"] for gate in answer["gates"]}["test"] == "There is no shell"


def test_a_whole_task_from_its_gates_to_its_approval(ada: Rest, task: str) -> None:
    body = {"summary": "Done", "detailed_work": "All of it", "lease_number": 1}
    missed = ada.refused(409, "POST", f"{task}/complete", body)
    assert [gate["gate"] for gate in missed["details"]["gates"]] == ["test", "report"]
    observer = rest(scopes=("attest",))
    piece = {"gate": "test", "exit_code": 0, "challenge": _challenge(observer, task)["challenge"]}
    observer.post(f"{task}/evidence", {"evidence": [piece]})
    body["evidence"] = [{"gate": "report", "report": junit("one")}]
    assert ada.post(f"{task}/complete", body)["task"]["status"] == Status.IN_REVIEW
    assert rest().post(f"{task}/approve")["task"]["status"] == Status.COMPLETED
    assert _met(ada, task) == {"test": True, "report": True, "review": True}


def test_gates_are_added_by_an_edit_and_taken_away_by_no_token(ada: Rest, task: str) -> None:
    kept = ada.get(task)["gates"]
    assert ada.refused(403, "PATCH", task, {"gates": kept[:1]})["code"] == "forbidden"
    more = ada.send("PATCH", task, {"gates": [*kept, "commit"]}).json()
    assert len(more["gates"]) == 4
    assert rest().refused(403, "PATCH", task, {"gates": None})["code"] == "forbidden"
    assert ada.refused(400, "PATCH", task, {"gates": [{"kind": "prayer"}]})["code"] == "invalid"
    assert len(Task.objects.get(public_id=task.rpartition("/")[2]).gates) == 4
