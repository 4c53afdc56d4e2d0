"""POST /tasks/{task_id}/VERB: each answers the task as it stands now, and what else it did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tasks.models import Event, Project, Task
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db
WORK = {"summary": "Done", "detailed_work": "The work"}


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def bob() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def chain(ada: Rest, project: Project) -> dict[str, str]:
    """A plan in which B waits for A, and A's work is reviewed."""
    return ada.plan(project, subtasks=[subtask("A", review=True), subtask("B", dependencies=["A"])])


def test_a_claim_answers_the_lease_and_the_brief(ada: Rest, chain: dict[str, str]) -> None:
    answer = ada.post(f"/tasks/{chain['A']}/claim")
    task = answer["task"]
    assert (task["status"], task["lease_number"], answer["renewed"], answer["took_over"]) == ("active", 1, False, False)
    assert task["lease_expires_at"] > timezone.now().isoformat()
    assert "senior developer" in answer["brief"]
    assert answer["omitted"] == answer["role_problems"] == []


def test_a_claim_by_the_holder_renews(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/claim")
    again = ada.post(f"/tasks/{chain['A']}/claim", {"max_chars": 1000})
    assert (again["renewed"], again["task"]["lease_number"]) == (True, 1)
    assert len(again["brief"]) <= 1000


def test_a_holder_who_is_gone_is_replaced_on_purpose_alone(ada: Rest, bob: Rest, chain: dict[str, str]) -> None:
    address = f"/tasks/{chain['A']}"
    ada.post(f"{address}/claim")
    problem = bob.refused(409, "POST", f"{address}/claim", {})
    assert problem["details"]["lease_expires_at"]
    taken = bob.post(f"{address}/claim", {"take_over": True})
    assert (taken["took_over"], taken["task"]["lease_number"]) == (True, 2)
    late = ada.refused(409, "POST", f"{address}/complete", {**WORK, "lease_number": 1})
    assert "replaced" in late["detail"]
    assert ada.get(address)["artifacts"] == []


def test_claim_next_takes_the_best_ready_task(ada: Rest, project: Project) -> None:
    ids = ada.plan(
        project, subtasks=[subtask("A"), subtask("B", priority="high", specialist_type="tester"), subtask("C")]
    )
    assert ada.post("/projects/shop/claim-next")["task"]["task_id"] == ids["B"]
    assert ada.post("/projects/shop/claim-next", {"specialist_type": "implementer"})["task"]["task_id"] == ids["A"]
    problem = ada.refused(409, "POST", "/projects/shop/claim-next", {"specialist_type": "tester"})
    assert (problem["code"], problem["hint"]) == ("not_ready", "any_specialist")
    assert ada.refused(400, "POST", "/projects/shop/claim-next", {"specialist_type": "wizard"})["problems"]


def test_an_approval_says_what_is_ready_by_it(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/complete", WORK)
    answer = rest().post(f"/tasks/{chain['A']}/approve", {"reason": "Good"})
    assert answer["task"]["status"] == "completed"
    assert [row["task_id"] for row in answer["unblocked"]] == [chain["B"]]


def test_a_revision_says_what_was_built_on_the_work(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/complete", WORK)
    rest().post(f"/tasks/{chain['A']}/approve")
    ada.post(f"/tasks/{chain['B']}/claim")
    answer = ada.post(f"/tasks/{chain['A']}/request-revision", {"reason": "Fix it"})
    assert (answer["task"]["status"], answer["task"]["review_comment"]) == ("needs_revision", "Fix it")
    assert [row["task_id"] for row in answer["built_on_it"]] == [chain["B"]]


def test_a_cancel_says_what_waits_still(ada: Rest, chain: dict[str, str]) -> None:
    answer = ada.post(f"/tasks/{chain['A']}/cancel", {"reason": "Not wanted"})
    assert (answer["task"]["status"], answer["task"]["reason"]) == ("cancelled", "Not wanted")
    assert answer["cancelled_total"] == 1
    assert [row["task_id"] for row in answer["still_waiting"]] == [chain["B"]]
    assert ada.post(f"/tasks/{chain['plan']}/cancel")["cancelled_total"] == 2


def test_a_reopened_plan_says_how_many_came_back(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['plan']}/cancel", {"reason": "Not wanted"})
    answer = ada.post(f"/tasks/{chain['plan']}/reopen")
    assert (answer["task"]["status"], answer["task"]["reason"], answer["reopened_total"]) == ("pending", "", 3)
    assert [ada.get(f"/tasks/{chain[key]}")["is_ready"] for key in "AB"] == [True, False]


def test_block_and_unblock(ada: Rest, chain: dict[str, str]) -> None:
    stopped = ada.post(f"/tasks/{chain['A']}/block", {"reason": "No access"})["task"]
    assert (stopped["status"], stopped["reason"], stopped["actions"]) == (
        "blocked",
        "No access",
        ["unblock", "cancel", "archive"],
    )
    assert ada.post(f"/tasks/{chain['A']}/unblock")["task"]["status"] == "pending"


def test_fail_and_retry(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/claim")
    assert ada.post(f"/tasks/{chain['A']}/fail", {"reason": "Broke", "lease_number": 1})["task"]["status"] == "failed"
    assert ada.post(f"/tasks/{chain['A']}/retry")["task"]["status"] == "pending"


def test_release_gives_a_task_back(ada: Rest, bob: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/claim")
    bob.refused(409, "POST", f"/tasks/{chain['A']}/release", {})
    assert ada.post(f"/tasks/{chain['A']}/release")["task"]["lease_holder"] == ""
    assert bob.post(f"/tasks/{chain['A']}/claim")["task"]["lease_number"] == 2


def test_hand_back_ends_the_work_with_nothing_delivered(ada: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/claim")
    body = {"summary": "Half of it", "reason": "The other half", "lease_number": 1}
    task = ada.post(f"/tasks/{chain['A']}/hand-back", body)["task"]
    assert (task["status"], task["summary"], task["review_comment"]) == (
        "needs_revision",
        "Half of it",
        "The other half",
    )
    assert task["artifacts_total"] == 0


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("block", {}),
        ("block", {"reason": " "}),
        ("request-revision", {}),
        ("hand-back", {"summary": "x"}),
        ("hand-back", {"reason": "x"}),
        ("block", {"reason": "x" * 10_001}),
        ("block", {"reason": None}),
        ("release", {"lease_number": 0}),
        ("release", {"lease_number": 2**40}),
        ("unblock", {"reason": "x"}),
    ],
)
def test_a_verb_without_what_it_needs_does_nothing(
    ada: Rest, chain: dict[str, str], verb: str, body: dict[str, Any]
) -> None:
    count = Event.objects.count()
    ada.refused(400, "POST", f"/tasks/{chain['A']}/{verb}", body)
    assert Event.objects.count() == count


def test_a_verb_that_is_not_possible_says_what_is(ada: Rest, chain: dict[str, str]) -> None:
    problem = ada.refused(409, "POST", f"/tasks/{chain['A']}/retry", {})
    assert problem["details"] == {"status": "pending", "possible": ["claim", "block", "cancel"]}


def test_a_restarted_client_proves_itself_by_the_number_of_its_lease(ada: Rest, chain: dict[str, str]) -> None:
    first = ada.post("/sessions", {"project": "shop"})["session_id"]
    ada.post(f"/tasks/{chain['A']}/claim", Session_Id=first)
    ada.refused(409, "POST", f"/tasks/{chain['A']}/release", {})
    assert ada.post(f"/tasks/{chain['A']}/release", {"lease_number": 1})["task"]["status"] == "pending"


def test_a_lease_that_ran_out_is_free_at_once(ada: Rest, bob: Rest, chain: dict[str, str]) -> None:
    ada.post(f"/tasks/{chain['A']}/claim")
    Task.objects.filter(public_id=chain["A"]).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert bob.post("/projects/shop/claim-next")["task"]["task_id"] == chain["A"]
